"""Gradient descent on the GA and NPO losses of a logistic model (chapter "divergence").

The model is P(y = 1|x) = σ(⟨x, θ⟩). With s_i = 2y_i − 1 and the margins m_i = s_i⟨x_i, θ⟩, log π_θ(y_i|x_i) = log
σ(m_i), and one step of gradient descent is θ ← θ − (η/n) Σ_i h_i s_i x_i, with h_i = σ(−m_i) for GA and h_i = w_i
σ(−m_i) for NPO. All iterates thus are θ_init − Zᵀa, where Z has the rows s_i x_i and a ∈ R^n: the solver keeps `a`,
n numbers, instead of θ.

The reference model of NPO is the initial one, π_ref = π_init.
"""

import copy
from dataclasses import dataclass, field

import numpy as np
from scipy.special import expit, log_expit

from npo_tutorial._checks import (
    check_beta,
    check_choice,
    check_count,
    check_finite_array,
    check_labels,
    check_positive,
)

LOSSES = ("ga", "npo")


@dataclass(frozen=True, eq=False)
class Trajectory:
    """What a solver recorded along its way.

    Attributes
    ----------
    steps : (k,) int array
        The recorded steps t, increasing; step 0 is the initial model.
    margins : (k, n) array
        m_i = s_i⟨x_i, θ_t⟩ of each forget sample; log π_θ(y_i|x_i) = log σ(m_i).
    distance : (k,) array
        ‖θ_t − θ_init‖_{XᵀX}, which is ‖m_t − m_init‖₂: how far the logits of the forget set have moved.
    """

    steps: np.ndarray
    margins: np.ndarray
    _coefficients: np.ndarray = field(repr=False)
    _signed_rows: np.ndarray = field(repr=False)
    _theta_init: np.ndarray = field(repr=False)

    @property
    def distance(self):
        # not the difference of the margins, which would cancel when they have hardly moved
        moved = self._coefficients @ self._signed_rows @ self._signed_rows.T
        return np.hypot.reduce(moved, axis=1)

    @property
    def logp(self):
        """(k, n) array: log π_θ(y_i|x_i) in nats at each recorded step."""
        return log_expit(self.margins)

    def theta(self, record=-1):
        """Parameters θ at a record, computed on demand.

        `record` is an index into `steps`, by default the last: a (d,) array; or a slice of k of them: a (k, d) array.
        """
        return self._theta_init - self._coefficients[record] @ self._signed_rows

    def __len__(self):
        return len(self.steps)


def gradient_descent(X, y, theta_init, *, loss, beta=None, step_size, n_steps, record=None):
    """Full-batch gradient descent on L_GA or L_NPO of the logistic model.

    Parameters
    ----------
    X : (n, d) array
        Forget set, one sample a row (add a column of ones for an intercept).
    y : (n,) array
        Labels, each 0 or 1.
    theta_init : (d,) array
        Initial parameters; they also define the reference model of NPO.
    loss : {"ga", "npo"}
        What to minimise.
    beta : float, optional
        Inverse temperature of NPO, > 0; must be left out with ``loss="ga"``.
    step_size : float
        η > 0. The loss is a mean over samples, so each sample moves by η/n.
    n_steps : int
        Number of steps T ≥ 0.
    record : sequence of int, optional
        Steps to record, between 0 and `n_steps`. By default 0, up to two hundred logarithmically spaced ones and
        `n_steps`, so that a run of 10⁶ steps costs kilobytes.

    Returns
    -------
    Trajectory

    Raises
    ------
    ValueError
        Shapes that do not fit, labels outside {0, 1}, NaN or infinite input, an unknown loss, β ≤ 0, β missing or
        superfluous, a step size ≤ 0, negative steps, or a step size so large that the iterates overflow.
    TypeError
        An argument is not a number or an array of numbers.

    Notes
    -----
    Source: the setting of Theorem 2 in arXiv:2404.05868. The loop costs O(min(n², nd)) a step: for n ≤ d it
    multiplies by the signed Gram matrix ZZᵀ.

    Examples
    --------
    >>> X, y = np.eye(2), np.array([1, 0])
    >>> run = gradient_descent(X, y, np.zeros(2), loss="ga", step_size=0.5, n_steps=100, record=[0, 1, 100])
    >>> run.steps.tolist(), run.distance.round(3).tolist()
    ([0, 1, 100], [0.0, 0.177, 33.818])
    >>> run.theta().round(2).tolist()
    [-23.91, 23.91]
    """
    signed_rows, theta_init = _signed_rows_and_theta(X, y, theta_init, "theta_init")
    step_size = check_positive("step_size", step_size)
    n_steps = check_count("n_steps", n_steps, minimum=0)
    steps = _steps_to_record(record, n_steps)

    n, d = signed_rows.shape
    coefficients, margins = np.empty((len(steps), n)), np.empty((len(steps), n))
    with np.errstate(over="ignore", invalid="ignore"):
        margins_init = signed_rows @ theta_init
        gram = signed_rows @ signed_rows.T if n <= d else None
        speed = _speed(loss, beta, margins_init)
        a, m, done = np.zeros(n), margins_init, 0
        for k, step in enumerate(steps):
            for _ in range(step - done):
                a = a + (step_size / n) * speed(m)
                m = margins_init - (signed_rows @ (a @ signed_rows) if gram is None else gram @ a)
            done = step
            if not np.isfinite(m).all():
                raise ValueError(
                    f"step_size or X is too large, the iterates overflowed by step {step}: got {step_size=}"
                )
            coefficients[k], margins[k] = a, m
    return Trajectory(steps, margins, coefficients, signed_rows, theta_init)


def logistic_gradient(X, y, theta, *, loss, beta=None, theta_ref=None):
    """Gradient in θ of L_GA or L_NPO for the logistic model.

    ∇L = (1/n) Σ_i h_i s_i x_i, with h_i = σ(−m_i) for GA and h_i = w_i σ(−m_i) for NPO.

    Parameters
    ----------
    X : (n, d) array
        Forget set, one sample a row.
    y : (n,) array
        Labels, each 0 or 1.
    theta : (d,) array
        Where the gradient is taken.
    loss : {"ga", "npo"}
        Which loss.
    beta : float, optional
        Inverse temperature of NPO, > 0; must be left out with ``loss="ga"``.
    theta_ref : (d,) array, optional
        Parameters of NPO's reference model; must be left out with ``loss="ga"``.

    Returns
    -------
    (d,) array

    Raises
    ------
    ValueError, TypeError
        As `gradient_descent`; `theta_ref` missing or superfluous.

    Notes
    -----
    Source: arXiv:2404.05868, Section 3.2.

    Examples
    --------
    >>> X, y, theta = np.array([[1.0, 0.0]]), [1], np.zeros(2)
    >>> logistic_gradient(X, y, theta, loss="ga").tolist()
    [0.5, 0.0]
    >>> logistic_gradient(X, y, theta, loss="npo", beta=1.0, theta_ref=theta).tolist()
    [0.5, 0.0]
    """
    check_choice("loss", loss, LOSSES)
    signed_rows, theta = _signed_rows_and_theta(X, y, theta, "theta")
    if (theta_ref is None) != (loss == "ga"):
        raise ValueError(
            f"theta_ref must be given with loss='npo' and left out with loss='ga', got {theta_ref!r} for loss={loss!r}"
        )
    if theta_ref is None:
        theta_ref = theta  # GA has no reference model: its speed does not look at these margins
    _, theta_ref = _signed_rows_and_theta(X, y, theta_ref, "theta_ref")
    with np.errstate(over="ignore", invalid="ignore"):
        speed = _speed(loss, beta, signed_rows @ theta_ref)
        gradient = speed(signed_rows @ theta) @ signed_rows / len(signed_rows)
    if not np.isfinite(gradient).all():
        raise ValueError(f"X or theta is too large, the gradient overflowed: got {gradient}")
    return gradient


def unlearn(classifier, X_forget, y_forget, *, loss="npo", beta=1.0, step_size, n_steps):
    """Make a fitted scikit-learn classifier forget samples, by gradient descent on the NPO or GA loss.

    Parameters
    ----------
    classifier : sklearn.linear_model.LogisticRegression
        Fitted, with two classes of any labels, with or without intercept. It stays as it is.
    X_forget : (n, d) array
        Samples to forget.
    y_forget : (n,) array
        Their labels, from ``classifier.classes_``.
    loss : {"npo", "ga"}
        What to minimise.
    beta : float
        Inverse temperature of NPO, > 0; not used by ``loss="ga"``.
    step_size : float
        η > 0.
    n_steps : int
        Number of steps ≥ 0.

    Returns
    -------
    sklearn.linear_model.LogisticRegression
        A fitted copy with new ``coef_`` and ``intercept_``: ``predict_proba``, ``clone`` and pickling work as usual.

    Raises
    ------
    ValueError
        The classifier is not fitted or has more than two classes, labels it does not know, samples with another
        number of features, and all that `gradient_descent` refuses.
    TypeError
        The classifier is not a ``LogisticRegression`` (for a pipeline: pass its last step and transformed samples).

    Notes
    -----
    Only the forget loss is descended: no retain term and none of the classifier's own penalty. The intercept is a
    weight of a constant feature, and is trained like the others. Source: arXiv:2404.05868, equation (3).

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array(["no", "no", "yes", "yes"])
    >>> classifier = LogisticRegression().fit(X, y)
    >>> forgotten = unlearn(classifier, X[2:3], y[2:3], step_size=0.5, n_steps=100)
    >>> bool(forgotten.predict_proba(X[2:3])[0, 1] < classifier.predict_proba(X[2:3])[0, 1])
    True
    """
    X_forget, y = _check_samples(classifier, X_forget, y_forget, "X_forget", "y_forget")
    check_choice("loss", loss, LOSSES)
    forgotten = copy.deepcopy(classifier).densify()
    X, theta = X_forget, forgotten.coef_[0]
    # a classifier can have been told after fit that it has none
    has_intercept = classifier.fit_intercept or np.any(classifier.intercept_)
    if has_intercept:
        X, theta = np.column_stack([X, np.ones(len(X))]), np.append(theta, classifier.intercept_)
    run = gradient_descent(
        X,
        y,
        theta,
        loss=loss,
        beta=beta if loss == "npo" else None,
        step_size=step_size,
        n_steps=n_steps,
        record=[n_steps],
    )
    with np.errstate(over="ignore"):
        theta = run.theta().astype(forgotten.coef_.dtype)
    if not np.isfinite(theta).all():
        raise ValueError(f"step_size is too large, the coefficients overflowed: got {step_size!r}")
    forgotten.coef_ = theta[None, : X_forget.shape[1]]
    if has_intercept:
        forgotten.intercept_ = theta[-1:]
    return forgotten


def classifier_logp(classifier, X, y):
    """Log-probability that a fitted scikit-learn classifier gives to labels, without underflow.

    log π(y_i|x_i) = log σ(s_i f(x_i)), with the decision function f and s_i = ±1 for the two classes.

    Parameters
    ----------
    classifier : sklearn.linear_model.LogisticRegression
        Fitted, with two classes of any labels.
    X : (n, d) array
        Samples.
    y : (n,) array
        Labels, from ``classifier.classes_``.

    Returns
    -------
    (n,) array
        In nats.

    Raises
    ------
    ValueError, TypeError
        As `unlearn`.

    Notes
    -----
    Source: the definition of the logistic model. The logarithm of ``predict_proba`` is −∞ where its probability
    underflows:

    >>> from sklearn.linear_model import LogisticRegression
    >>> classifier = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    >>> with np.errstate(divide="ignore"):
    ...     naive = np.log(classifier.predict_proba([[-1e4]])[0, 1])
    >>> float(naive), bool(-1e5 < classifier_logp(classifier, [[-1e4]], [1])[0] < -1e3)
    (-inf, True)
    """
    X, y = _check_samples(classifier, X, y, "X", "y")
    return log_expit(np.where(y, 1, -1) * classifier.decision_function(X))


def _check_samples(classifier, X, y, X_name, y_name):
    """The samples as float64, and whether each has the second class, if the classifier and they are fit for use."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.utils.validation import check_is_fitted

    if not isinstance(classifier, LogisticRegression):
        raise TypeError(f"classifier must be a sklearn LogisticRegression, got {type(classifier).__name__}")
    check_is_fitted(classifier, msg="classifier must be fitted before it can forget, got an unfitted %(name)s")
    if len(classifier.classes_) != 2:
        raise ValueError(f"classifier must have two classes, got {len(classifier.classes_)}: {classifier.classes_}")
    columns, fitted = getattr(X, "columns", None), getattr(classifier, "feature_names_in_", None)
    if columns is not None and fitted is not None and list(columns) != list(fitted):
        raise ValueError(f"{X_name} must have the columns {list(fitted)} in that order, got {list(columns)}")
    X = check_finite_array(X_name, X, ndim=2)
    if X.shape[1] != classifier.n_features_in_:
        raise ValueError(f"{X_name} must have {classifier.n_features_in_} columns, as in fit, got shape {X.shape}")
    try:
        y = np.asarray(y)
    except ValueError:
        raise ValueError(f"{y_name} must have shape ({len(X)},), got a ragged sequence") from None
    if y.shape != (len(X),):
        raise ValueError(f"{y_name} must have shape ({len(X)},), got {y.shape}")
    unknown = ~np.isin(y, classifier.classes_)
    if unknown.any():
        raise ValueError(f"{y_name} must hold classes among {classifier.classes_.tolist()}, got {y[unknown][0]!r}")
    return X, y == classifier.classes_[1]


def _signed_rows_and_theta(X, y, theta, theta_name):
    X = check_finite_array("X", X, ndim=2)
    y = check_labels("y", y, len(X))
    theta = check_finite_array(theta_name, theta, ndim=1)
    if theta.shape != X.shape[1:]:
        raise ValueError(
            f"{theta_name} must have one entry for each column of X, shape {X.shape[1:]}, got {theta.shape}"
        )
    return (2 * y - 1)[:, None] * X, theta


def _speed(loss, beta, margins_init):
    """m ↦ h(m), n times the derivative of the loss in each margin: the speed at which descent lowers it."""
    check_choice("loss", loss, LOSSES)
    if loss == "ga":
        if beta is not None:
            raise ValueError(f"beta must be left out with loss='ga', got {beta!r}")
        return lambda m: expit(-m)
    if beta is None:
        raise ValueError("beta must be given with loss='npo', got None")
    beta = check_beta(beta)
    ref_logp = log_expit(margins_init)
    # losses.npo_weight without its checks, which would cost more than the step itself
    return lambda m: 2 * expit(beta * (log_expit(m) - ref_logp)) * expit(-m)


def _steps_to_record(record, n_steps):
    if record is None:
        return np.unique(
            np.concatenate([[0], np.geomspace(1, max(n_steps, 1), 200).round(), [n_steps]]).astype(int).clip(0, n_steps)
        )
    try:
        steps = np.asarray(record)
    except ValueError:
        steps = np.empty(0)
    if steps.ndim != 1 or steps.size == 0 or not np.issubdtype(steps.dtype, np.integer):
        raise TypeError(f"record must be a sequence of integers, got {record!r}")
    steps = steps.astype(np.int64)  # a copy, and differences of unsigned integers would wrap
    if steps.min() < 0 or steps.max() > n_steps or (np.diff(steps) <= 0).any():
        raise ValueError(f"record must hold increasing steps between 0 and n_steps={n_steps}, got {record!r}")
    return steps

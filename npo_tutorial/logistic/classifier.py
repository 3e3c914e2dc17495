"""Unlearning for a fitted scikit-learn classifier (chapters "intro" and "digits")."""

import copy

import numpy as np
from scipy.special import log_expit

from npo_tutorial._checks import check_choice, check_finite_array
from npo_tutorial.logistic.descent import gradient_descent
from npo_tutorial.logistic.model import LOSSES


def unlearn(classifier, X_forget, y_forget, *, loss="npo", beta=None, step_size, n_steps):
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
    beta : float, optional
        Inverse temperature of NPO, > 0; by default 1.
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
        beta=1.0 if beta is None and loss == "npo" else beta,
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

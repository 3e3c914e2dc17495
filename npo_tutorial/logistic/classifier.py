"""Unlearning for a fitted scikit-learn classifier (chapters "intro" and "digits").

**Conventions** of both functions: the classifier is a fitted ``LogisticRegression`` with two classes of any labels,
with or without intercept. Samples are whatever its ``predict`` accepts, and scikit-learn converts them: lists, arrays,
and data frames with the columns of ``fit``, nullable, Boolean and numeric object columns included. Labels are those of
``classifier.classes_``. A ``TypeError`` or ``ValueError`` names the argument, the column if there is one, and what to
pass instead.
"""

import copy
from typing import TYPE_CHECKING

import numpy as np

from npo_tutorial._checks import check_choice
from npo_tutorial._special import log_expit
from npo_tutorial._types import ArrayLike, FloatArray, Loss, Real
from npo_tutorial.logistic.descent import gradient_descent
from npo_tutorial.logistic.model import LOSSES
from npo_tutorial.logistic.samples import check_classifier, check_samples, is_second_class

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression


def unlearn(
    classifier: "LogisticRegression",
    X_forget: ArrayLike,
    y_forget: ArrayLike,
    *,
    loss: Loss = "npo",
    beta: Real | None = None,
    step_size: Real,
    n_steps: int,
) -> "LogisticRegression":
    """Make a fitted scikit-learn classifier forget samples, by gradient descent on the NPO or GA loss.

    Parameters
    ----------
    classifier : sklearn.linear_model.LogisticRegression
        It stays as it is.
    X_forget : (n, d) array or data frame
        Samples to forget; not sparse.
    y_forget : (n,) array
        Their labels.
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
    check_classifier(classifier, "X_forget")
    samples = check_samples(classifier, X_forget, "X_forget")
    if not isinstance(samples, np.ndarray):
        dense = "X_forget.toarray()" if hasattr(X_forget, "toarray") else "X_forget.sparse.to_dense()"
        raise TypeError(
            f"X_forget must be dense, got sparse samples, which descent would not keep sparse: pass {dense}"
        )
    y = is_second_class(classifier, y_forget, len(samples), "y_forget")
    check_choice("loss", loss, LOSSES)
    forgotten = copy.deepcopy(classifier).densify()
    X, theta = samples, forgotten.coef_[0]
    # fit_intercept may have been changed after fitting
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
    forgotten.coef_ = theta[None, : samples.shape[1]]
    if has_intercept:
        forgotten.intercept_ = theta[-1:]
    return forgotten


def classifier_logp(classifier: "LogisticRegression", X: ArrayLike, y: ArrayLike) -> FloatArray:
    """Log-probability that a fitted scikit-learn classifier gives to labels, without underflow.

    log π(y_i|x_i) = log σ(s_i f(x_i)), with the decision function f and s_i = ±1 for the two classes.

    Parameters
    ----------
    classifier : sklearn.linear_model.LogisticRegression
    X : (n, d) array, data frame or sparse matrix
        Samples.
    y : (n,) array
        Their labels.

    Returns
    -------
    (n,) array
        In nats.

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
    from sklearn.utils.extmath import safe_sparse_dot

    check_classifier(classifier, "X")
    samples = check_samples(classifier, X, "X")
    is_second = is_second_class(classifier, y, samples.shape[0], "y")
    scores = safe_sparse_dot(samples, classifier.coef_.T, dense_output=True).ravel() + classifier.intercept_
    return log_expit(np.where(is_second, 1, -1) * scores)

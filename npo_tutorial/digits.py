"""Forgetting real images, and what happens to all the others meanwhile (chapter "digits")."""

from dataclasses import dataclass

import numpy as np

from npo_tutorial._checks import check_count
from npo_tutorial._parallel import one_blas_thread
from npo_tutorial._types import BoolArray, FloatArray, IntArray, Loss, Real
from npo_tutorial.data import DigitsSplit
from npo_tutorial.logistic import gradient_descent


@dataclass(frozen=True, eq=False)
class DigitsRun:
    """The measurements at every step t = 0, …, T of an unlearning run.

    Attributes
    ----------
    steps : (T+1,) int array
        0, …, T.
    logp : (T+1, n_forget) array
        log π_θ(y|x) of each forget image, in nats.
    retain_accuracy, test_accuracy : (T+1,) array
        Share of the retain and of the test images that are classified correctly.
    stopped : str or None
        Why the run ended before step T, as in `Trajectory`; None for a complete run.
    """

    steps: IntArray
    logp: FloatArray
    retain_accuracy: FloatArray
    test_accuracy: FloatArray
    stopped: str | None

    @property
    def remembered(self) -> IntArray:
        """(T+1,) array: how many of the forget images are still classified correctly, π_θ(y|x) > 1/2."""
        return (self.logp > -np.log(2)).sum(axis=1)

    def retain_accuracy_when(self, reached: BoolArray) -> float:
        """Retain accuracy at the first step where `reached`, a (T+1,) array of bools, is true; NaN if it never is."""
        return float(self.retain_accuracy[np.argmax(reached)]) if np.any(reached) else np.nan


def forget_digits(
    split: DigitsSplit, *, loss: Loss, beta: Real | None = None, step_size: Real = 1.0, n_steps: int = 1000
) -> DigitsRun:
    """Train a logistic model on forget and retain images, then descend the GA or NPO loss of the forget images.

    The model has no intercept: the pixels of a `DigitsSplit` are centred. There is no retain term and no penalty.

    Parameters
    ----------
    split : DigitsSplit
        From `digits_split`.
    loss : {"ga", "npo"}
        What to minimise.
    beta : float, optional
        Inverse temperature of NPO.
    step_size : float
        η > 0.
    n_steps : int
        Number of steps T ≥ 0.

    Returns
    -------
    DigitsRun
        It ends early where `gradient_descent` does.

    Notes
    -----
    Source: losses of arXiv:2404.05868, data of scikit-learn, training by its ``LogisticRegression`` with default
    penalty.

    Examples
    --------
    >>> from npo_tutorial import digits_split
    >>> run = forget_digits(digits_split((3, 8), n_forget=10), loss="npo", beta=2.0, n_steps=100)
    >>> int(run.remembered[0]), int(run.remembered[-1])
    (10, 0)
    """
    from sklearn.linear_model import LogisticRegression

    if not isinstance(split, DigitsSplit):
        raise TypeError(f"split must be a DigitsSplit, as digits_split returns it, got {type(split).__name__}")
    record = np.arange(check_count("n_steps", n_steps, minimum=0) + 1)
    with one_blas_thread():
        model = LogisticRegression(fit_intercept=False).fit(split.X_train, split.y_train)
        positive = model.classes_[1]
        run = gradient_descent(
            split.X_forget,
            split.y_forget == positive,
            model.coef_[0],
            loss=loss,
            beta=beta,
            step_size=step_size,
            n_steps=n_steps,
            record=record,
        )
        theta = run.theta(slice(None))
        retain, test = (
            ((theta @ X.T > 0) == (y == positive)).mean(axis=1)
            for X, y in ((split.X_retain, split.y_retain), (split.X_test, split.y_test))
        )
    return DigitsRun(
        steps=record[: len(run)], logp=run.logp, retain_accuracy=retain, test_accuracy=test, stopped=run.stopped
    )

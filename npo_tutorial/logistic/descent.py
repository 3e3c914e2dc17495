"""Gradient descent on the GA and NPO losses of a logistic model (chapter "divergence")."""

import numpy as np

from npo_tutorial._checks import check_count, check_positive
from npo_tutorial.logistic.model import Trajectory, signed_rows_and_theta, speed_of


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
    signed_rows, theta_init = signed_rows_and_theta(X, y, theta_init, "theta_init")
    step_size = check_positive("step_size", step_size)
    n_steps = check_count("n_steps", n_steps, minimum=0)
    steps = _steps_to_record(record, n_steps)

    n, d = signed_rows.shape
    coefficients, margins = np.empty((len(steps), n)), np.empty((len(steps), n))
    with np.errstate(over="ignore", invalid="ignore"):
        margins_init = signed_rows @ theta_init
        gram = signed_rows @ signed_rows.T if n <= d else None
        speed = speed_of(loss, beta, margins_init)
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

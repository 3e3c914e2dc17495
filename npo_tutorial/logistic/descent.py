"""Gradient descent on the GA and NPO losses of a logistic model."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from npo_tutorial._checks import check_count, check_positive, refuse_masked
from npo_tutorial._parallel import one_blas_thread
from npo_tutorial._progress import Progress
from npo_tutorial._records import warn_if_stopped
from npo_tutorial._types import ArrayLike, IntArray, Loss
from npo_tutorial.logistic.model import Trajectory, checked_problem, common_batch, one_or_each
from npo_tutorial.logistic.steps import stepper

CHUNK = 20_000  # most steps, and about the most multiplications, between checks for the progress bar and Ctrl-C
CHUNK_MULTIPLICATIONS = 10**7


def gradient_descent(
    X: ArrayLike,
    y: ArrayLike,
    theta_init: ArrayLike,
    *,
    loss: Loss,
    beta: ArrayLike | None = None,
    step_size: ArrayLike,
    n_steps: int,
    record: Sequence[int] | IntArray | None = None,
) -> Trajectory:
    """Full-batch gradient descent on L_GA or L_NPO of the logistic model, for one problem or a batch of them.

    Any of `X`, `y`, `theta_init`, `beta` and `step_size` may have one more axis in front, a batch axis: (batch, n, d),
    (batch, n), (batch, d), (batch,) and (batch,). Those that have one agree on its length; the others are shared by all
    problems, and so are the loss and the recorded steps. The arrays of the result then have the batch axis in front.

    Parameters
    ----------
    X, y : (n, d), (n,) array
        Forget set and its labels, 0 or 1 (add a column of ones to X for an intercept).
    theta_init : (d,) array
        Initial parameters; they also define the reference model of NPO.
    loss : {"ga", "npo"}
        What to minimise.
    beta : float, optional
        Inverse temperature of NPO.
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
        It ends early if the iterates overflow, of one problem or of any of a batch, or on Ctrl-C ("interrupt kernel").

    Notes
    -----
    Source: the setting of Theorem 2 in arXiv:2404.05868. For n ≤ d a step multiplies by the signed Gram matrix, n²
    numbers; for n > d by X and by Xᵀ, 2nd numbers. Beyond a copy of X a run needs memory for the Gram matrix and
    the records. Long runs are compiled if numba is installed (extra ``fast``), and runs over two seconds show a
    progress bar if tqdm is installed (extra ``widgets``).

    Examples
    --------
    >>> X, y = np.eye(2), np.array([1, 0])
    >>> run = gradient_descent(X, y, np.zeros(2), loss="ga", step_size=0.5, n_steps=100, record=[0, 1, 100])
    >>> run.steps.tolist(), run.distance.round(3).tolist()
    ([0, 1, 100], [0.0, 0.177, 33.818])
    >>> run.theta().round(2).tolist()
    [-23.91, 23.91]

    NPO for two β at once:

    >>> options = {"step_size": 0.5, "n_steps": 100, "record": [0, 1, 100]}
    >>> run = gradient_descent(X, y, np.zeros(2), loss="npo", beta=[0.5, 2], **options)
    >>> run.distance.round(3).tolist()
    [[0.0, 0.177, 9.582], [0.0, 0.177, 3.95]]
    """
    problem = checked_problem(X, y, theta_init, loss=loss, beta=beta, batch=True)
    step_size = one_or_each("step_size", step_size, partial(check_positive, "step_size"), batch=True)
    n_steps = check_count("n_steps", n_steps, minimum=0)
    steps = steps_to_record(record, n_steps)
    of_beta = () if problem.beta is None else np.shape(problem.beta)
    shapes = {"X, y or theta_init": problem.margins_init.shape, "beta": of_beta, "step_size": np.shape(step_size)}
    batch = common_batch(**shapes)

    n, d = problem.rows.shape[-2:]
    z, m = np.zeros((*batch, min(n, d))), np.broadcast_to(problem.margins_init, (*batch, n)).copy()
    coordinates, margins = (np.empty((*batch, len(steps), x.shape[-1])) for x in (z, m))
    advance = stepper(problem, step_size / n, batch, n_steps)
    chunk = max(1, min(CHUNK, CHUNK_MULTIPLICATIONS // (z.size * n)))
    recorded, progress = 0, Progress(n_steps)
    stopped: str | None = None
    error: type[BaseException] | BaseException = ValueError
    try:
        with one_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
            for step in steps:
                while progress.done < step:
                    length = int(min(chunk, step - progress.done))
                    advance(z, m, length)
                    progress.update(length)
                stopped = _overflow(m, step, step_size)
                if stopped:
                    break
                coordinates[..., recorded, :], margins[..., recorded, :] = z, m
                recorded += 1
    except KeyboardInterrupt as interrupt:
        stopped, error = f"interrupted at step {progress.done}", interrupt
    finally:
        progress.close()
    warn_if_stopped(stopped, recorded, len(steps), error)
    steps = steps[:recorded]
    with np.errstate(over="ignore"):
        times = step_size * steps.astype(np.float64)
    return Trajectory(
        steps=steps,
        times=times,
        margins=margins[..., :recorded, :],
        stopped=stopped,
        _coordinates=coordinates[..., :recorded, :],
        _problem=problem,
    )


def _overflow(m, step, step_size):
    """A sentence that names the first problem with an infinite margin, or None."""
    overflowed = ~np.isfinite(m).all(axis=-1)
    if not overflowed.any():
        return None
    of_problem, which = "", step_size
    if m.ndim > 1:
        b = int(np.argmax(overflowed))
        of_problem, which = f" of problem {b}", float(np.broadcast_to(step_size, (len(m), 1))[b, 0])
    return f"step_size or X is too large, the iterates{of_problem} overflowed by step {step}: got step_size={which!r}"


def steps_to_record(record: Sequence[int] | IntArray | None, n_steps: int) -> IntArray:
    """The steps in `record`; without it 0, up to two hundred logarithmically spaced ones, and the last."""
    if record is None:
        return np.unique(
            np.concatenate([[0], np.geomspace(1, max(n_steps, 1), 200).round(), [n_steps]]).astype(int).clip(0, n_steps)
        )
    refuse_masked("record", record)
    try:
        steps = np.asarray(record)
    except (ValueError, RuntimeError):  # ragged lists, tensors that need a gradient
        steps = np.empty(0)
    if steps.ndim != 1 or steps.size == 0 or steps.dtype.kind not in "iu":
        raise TypeError(f"record must be a sequence of integers, got {record!r}")
    steps = steps.astype(np.int64)  # a copy, and differences of unsigned integers would wrap
    if steps.min() < 0 or steps.max() > n_steps or (np.diff(steps) <= 0).any():
        raise ValueError(f"record must hold increasing steps between 0 and n_steps={n_steps}, got {steps}")
    return steps

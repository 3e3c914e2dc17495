"""Gradient flow of the GA and NPO losses, over as many decades of time as you like (chapter "divergence")."""

import warnings

import numpy as np

from npo_tutorial._checks import check_finite_array
from npo_tutorial._parallel import one_blas_thread
from npo_tutorial._records import warn_if_stopped
from npo_tutorial._types import ArrayLike, Loss, Real
from npo_tutorial.logistic.model import Trajectory, checked_problem, speed

RELATIVE_TOLERANCE = 1e-12  # of each step of the integrator


def gradient_flow(
    X: ArrayLike, y: ArrayLike, theta_init: ArrayLike, *, loss: Loss, beta: Real | None = None, times: ArrayLike
) -> Trajectory:
    """The flow dθ/dt = −∇L of L_GA or L_NPO of the logistic model: gradient descent with infinitely small steps.

    t steps of gradient descent with step size η correspond to the time ηt; the difference vanishes like η.

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
    times : (k,) array
        Times to record, ≥ 0 and increasing. Time is integrated on a logarithmic scale: twelve decades of it take
        about as many evaluations of the gradient as a thousand steps of descent.

    Returns
    -------
    Trajectory
        Its `times` are the given ones; it has no `steps`. It ends early if the flow overflows or the integrator gives
        up. The integrator gives up for β of 10⁵ and more, and where n ≤ d rows are linearly dependent, pull against
        each other and come to rest: their coefficients grow on until their sum drowns in rounding.

    Raises
    ------
    RuntimeError
        The integrator gave up before the first of the `times`.

    Notes
    -----
    Source: arXiv:2404.05868, Section 3.2, with infinitely small steps; integrated by LSODA (scipy.integrate.odeint).
    For orthogonal rows the records are those of the exact flow at times that differ by less than 1e-9 of themselves.
    GA can be followed as far as its margins are floating-point numbers, NPO at least to t = 1e150.

    Examples
    --------
    Every factor e of time adds √n/β to NPO's distance, here √2/0.5:

    >>> X, y = np.eye(2), np.array([1, 0])
    >>> run = gradient_flow(X, y, np.zeros(2), loss="npo", beta=0.5, times=np.exp([25, 26, 27]))
    >>> (np.diff(run.distance) * 0.5 / np.sqrt(2)).round(3).tolist()
    [1.0, 1.0]
    """
    problem = checked_problem(X, y, theta_init, loss=loss, beta=beta)
    times = check_finite_array("times", times, ndim=1)
    if times[0] < 0 or (times[1:] <= times[:-1]).any():
        raise ValueError(f"times must be increasing and at least 0, got {times}")
    with one_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
        coordinates, stopped = _integrate(problem, times)
        margins = problem.margins_init - problem.lowered(coordinates)
    error: type[Exception] = RuntimeError
    finite = np.isfinite(margins).all(axis=-1)
    if not finite.all():
        k, error = int(np.argmin(finite)), ValueError
        stopped = f"X or times is too large, the flow overflowed by t = {times[k]:g}"
        coordinates, margins = coordinates[:k], margins[:k]
    warn_if_stopped(stopped, len(margins), len(times), error)
    times = times[: len(margins)]
    return Trajectory(
        steps=None, times=times, margins=margins, stopped=stopped, _coordinates=coordinates, _problem=problem
    )


def _integrate(problem, times):
    """Coordinates z at the times, from z = 0 at t = 0; and why some are missing, or None.

    Solved in s = log(1 + t/scale) for z/start.
    """
    # imported where used: it is slow to load
    from scipy.integrate import ODEintWarning, odeint

    n, tiny = len(problem.rows), np.finfo(float).tiny
    # so early that no margin has moved much, and not after the first record
    largest = np.einsum("ij,ij->i", problem.rows, problem.rows).max()
    if not np.isfinite(largest):
        raise ValueError(
            f"X is too large, the squared norm of a row overflowed: got entries up to {np.abs(problem.rows).max():g}"
        )
    scale = n / max(largest, tiny)
    scale = min([scale, *times[times > 0][:1]])
    if not np.isfinite(times[-1] / scale):
        raise ValueError(
            f"X or times is too large: got times up to {times[-1]:g}, but the flow is integrated from {scale:.3g} on"
        )
    h = speed(problem.margins_init, problem.beta, problem.ref_logp)
    # how far the coordinates would move up to that scale if no two samples pulled against each other
    start = np.maximum(scale / n * (h @ np.abs(problem.rows) if problem.gram is None else h), tiny)

    def derivative(s, z_over_start):
        m = problem.margins_init - problem.lowered(start * z_over_start)
        h = speed(m, problem.beta, problem.ref_logp)
        return np.exp(s) * (scale / n * problem.push(h) / start)

    tolerances = {"rtol": RELATIVE_TOLERANCE, "atol": 1e-3 * RELATIVE_TOLERANCE, "mxstep": 20_000}
    s = np.log1p(np.append(0, times) / scale)
    with warnings.catch_warnings(record=True) as failures:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ODEintWarning)
        z_over_start, info = odeint(derivative, np.zeros(len(start)), s, tfirst=True, full_output=True, **tolerances)
    coordinates = start * z_over_start[1:]
    if not failures:
        return coordinates, None
    # the first record that the integrator did not reach; beyond it `tcur` is not set
    k = int(np.argmax((info["tcur"] < s[1:]) & (times > 0)))
    why = info["message"].removesuffix(".")
    return coordinates[:k], f"the integrator gave up before t = {times[k]:g}: {why[0].lower()}{why[1:]}"

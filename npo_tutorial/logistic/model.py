"""The logistic model, its speeds under GA and NPO, and the record that the solvers return.

P(y = 1|x) = σ(⟨x, θ⟩). With s_i = 2y_i − 1 and the margins m_i = s_i⟨x_i, θ⟩, log π_θ(y_i|x_i) = log σ(m_i), and the
gradient of either loss is (1/n) Σ_i h_i s_i x_i with a speed h_i that depends on m_i alone: σ(−m_i) for GA and
w_i σ(−m_i) for NPO. So descent needs only the signed Gram matrix ZZᵀ of the rows s_i x_i, the matrix Z: its iterates
are θ_init − Zᵀa, and the solvers keep `a`, n numbers, for n ≤ d. For n > d they keep θ_init − θ itself. Both are called
coordinates here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np

from npo_tutorial._checks import check_beta, check_choice, check_finite_array, check_labels, is_sequence
from npo_tutorial._special import log_expit, special
from npo_tutorial._types import ArrayLike, FloatArray, IntArray, Loss, Real
from npo_tutorial.losses import npo_exponent, weight_at

LOSSES = ("ga", "npo")


@dataclass(frozen=True, eq=False)
class Problem:
    """The checked arguments of a solver. Each array may have a leading batch axis; `beta` is then (batch, 1)."""

    rows: FloatArray  # Z, (n, d)
    theta_init: FloatArray  # (d,)
    margins_init: FloatArray  # (n,)
    ref_logp: FloatArray  # (n,)
    gram: FloatArray | None  # ZZᵀ, or None for n > d
    beta: float | FloatArray | None  # None for GA

    def push(self, h: FloatArray) -> FloatArray:
        """The coordinates of Zᵀh."""
        return matvec(self.rows.mT, h) if self.gram is None else h

    def lowered(self, coordinates: FloatArray) -> FloatArray:
        """How far the step from θ_init to these coordinates lowers the margins."""
        return matvec(self.rows if self.gram is None else self.gram, coordinates)


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The k records of a solver's run, of one problem or of each problem of a batch; k is its ``len``.

    Attributes
    ----------
    steps : (k,) int array or None
        The recorded steps of gradient descent, increasing; step 0 is the initial model. None for a flow.
    times : (k,) or (batch, k) array
        Times t of the gradient flow dθ/dt = −∇L; of gradient descent η times `steps`, with the batch axis of η.
    margins : (k, n) or (batch, k, n) array
        m_i = s_i⟨x_i, θ_t⟩ of each forget sample; log π_θ(y_i|x_i) = log σ(m_i).
    distance : (k,) or (batch, k) array
        ‖θ_t − θ_init‖_{XᵀX}, which is ‖m_t − m_init‖₂: how far the logits of the forget set have moved.
    stopped : str or None
        Why the run ended before its last record; None for a complete run.
    """

    steps: IntArray | None
    times: FloatArray
    margins: FloatArray
    stopped: str | None
    _coordinates: FloatArray = field(repr=False)
    _problem: Problem = field(repr=False)

    @property
    def distance(self) -> FloatArray:
        # not the difference of the margins, which would cancel when they have hardly moved
        problem = self._problem
        matrix = problem.rows.mT if problem.gram is None else problem.gram
        with np.errstate(over="ignore"):
            return np.hypot.reduce(self._coordinates @ matrix, axis=-1)

    @property
    def logp(self) -> FloatArray:
        """(k, n) or (batch, k, n) array: log π_θ(y_i|x_i) in nats at each record."""
        return log_expit(self.margins)

    def theta(self, record: int | slice = -1) -> FloatArray:
        """Parameters θ at a record, computed on demand.

        `record` is an index of a record, by default the last: a (d,) array; or a slice of k of them: a (k, d) array. A
        batch adds its axis in front.
        """
        if isinstance(record, (bool, np.bool_)) or not isinstance(record, (Integral, slice)):
            raise TypeError(f"record must be an integer or a slice, got {record!r}")
        if isinstance(record, Integral) and not -len(self) <= record < len(self):
            raise ValueError(f"record must be one of {len(self)} records, got {record}")
        chosen = self._coordinates[..., [record] if isinstance(record, Integral) else record, :]
        with np.errstate(over="ignore"):
            moved = chosen if self._problem.gram is None else chosen @ self._problem.rows
            theta = self._problem.theta_init[..., None, :] - moved
        return theta[..., 0, :] if isinstance(record, Integral) else theta

    def __len__(self) -> int:
        return self.margins.shape[-2]


def logistic_gradient(
    X: ArrayLike,
    y: ArrayLike,
    theta: ArrayLike,
    *,
    loss: Loss,
    beta: Real | None = None,
    theta_ref: ArrayLike | None = None,
) -> FloatArray:
    """Gradient in θ of L_GA or L_NPO for the logistic model.

    ∇L = (1/n) Σ_i h_i s_i x_i, with h_i = σ(−m_i) for GA and h_i = w_i σ(−m_i) for NPO.

    Parameters
    ----------
    X, y : (n, d), (n,) array
        Forget set and its labels, 0 or 1.
    theta : (d,) array
        Where the gradient is taken.
    loss : {"ga", "npo"}
        Which loss.
    beta : float, optional
        Inverse temperature of NPO.
    theta_ref : (d,) array, optional
        Parameters of NPO's reference model, which may be another than the initial one; GA has none.

    Returns
    -------
    (d,) array

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
    beta = checked_beta(loss, beta)
    rows, theta = signed_rows_and_theta(X, y, theta, "theta")
    if (theta_ref is None) != (loss == "ga"):
        raise ValueError(
            f"theta_ref must be given with loss='npo' and left out with loss='ga', got {theta_ref!r} with loss={loss!r}"
        )
    # GA has no reference model: its speed ignores the reference margins
    theta_ref = theta if theta_ref is None else signed_rows_and_theta(X, y, theta_ref, "theta_ref")[1]
    with np.errstate(over="ignore", invalid="ignore"):
        gradient = speed(rows @ theta, beta, log_expit(rows @ theta_ref)) @ rows / len(rows)
    if not np.isfinite(gradient).all():
        raise ValueError(f"X or theta is too large, the gradient overflowed: got {gradient}")
    return gradient


def speed(m: FloatArray, beta: float | FloatArray | None, ref_logp: FloatArray) -> FloatArray:
    """h(m), n times the derivative of the loss in each margin: how fast descent lowers it; GA for β = None."""
    functions = special()
    if beta is None:
        return functions.expit(-m)
    # npo_weight without its checks, which would cost more than the step itself
    weight = weight_at(npo_exponent(functions.log_expit(m), ref_logp, beta), functions.expit)
    return weight * functions.expit(-m)


def matvec(matrix: FloatArray, vector: FloatArray) -> FloatArray:
    """Matrix times vector; either may have a batch axis."""
    return matrix @ vector if vector.ndim == 1 else (matrix @ vector[..., None])[..., 0]


def checked_problem(
    X: ArrayLike, y: ArrayLike, theta_init: ArrayLike, *, loss: Loss, beta: ArrayLike | None, batch: bool = False
) -> Problem:
    """The `Problem` that a solver's arguments describe; with `batch` they may have a batch axis."""
    beta = checked_beta(loss, beta, batch)
    rows, theta_init = signed_rows_and_theta(X, y, theta_init, "theta_init", batch)
    n, d = rows.shape[-2:]
    with np.errstate(over="ignore", invalid="ignore"):
        margins = matvec(rows, theta_init)
        gram = rows @ rows.mT if n <= d else None
    return Problem(rows, theta_init, margins, log_expit(margins), gram, beta)


def checked_beta(loss: Loss, beta: ArrayLike | None, batch: bool = False) -> Any:
    """None for GA; for NPO a float, or a (batch, 1) array."""
    check_choice("loss", loss, LOSSES)
    if loss == "ga" and beta is not None:
        raise ValueError(f"beta must be left out with loss='ga', got {beta!r}")
    if loss == "npo" and beta is None:
        raise ValueError("beta must be given with loss='npo', got None")
    return beta if beta is None else one_or_each("beta", beta, check_beta, batch)


def one_or_each(name: str, value: Any, check: Callable[[Any], float], batch: bool) -> float | FloatArray:
    """A checked number as a float; in a batch also a sequence of them, as a (batch, 1) array."""
    if batch and is_sequence(value):
        check_finite_array(name, value, ndim=1)
        return np.array([[check(number)] for number in value])
    return check(value)


def signed_rows_and_theta(
    X: ArrayLike, y: ArrayLike, theta: ArrayLike, theta_name: str, batch: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Z, whose rows are s_i x_i, and θ."""
    X = check_finite_array("X", X, ndim=2, batch=batch)
    y = check_labels("y", y, X.shape[-2], batch=batch)
    theta = check_finite_array(theta_name, theta, ndim=1, batch=batch)
    if theta.shape[-1] != X.shape[-1]:
        raise ValueError(
            f"{theta_name} must have one entry for each column of X, shape ({X.shape[-1]},), got {theta.shape}"
        )
    common_batch(**{"X": X.shape[:-1], "y": y.shape, theta_name: theta.shape})
    sign = (2 * y - 1)[..., None]
    # in place where it fits: X is a copy already
    return np.multiply(sign, X, out=None if sign.ndim > X.ndim else X), theta


def common_batch(**shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The batch axis, () or (batch,), of arguments whose shapes without it have one axis."""
    lengths = {name: shape[0] for name, shape in shapes.items() if len(shape) > 1}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{', '.join(lengths)} must agree in the length of the batch axis, got {lengths}")
    return tuple(lengths.values())[:1]

"""The logistic model, its speeds under GA and NPO, and the record that the solvers return.

P(y = 1|x) = σ(⟨x, θ⟩). With s_i = 2y_i − 1 and the margins m_i = s_i⟨x_i, θ⟩, log π_θ(y_i|x_i) = log σ(m_i), and the
gradient of either loss is (1/n) Σ_i h_i s_i x_i with a speed h_i that depends on m_i alone: σ(−m_i) for GA and
w_i σ(−m_i) for NPO. All iterates of a descent thus are θ_init − Zᵀa, where Z has the rows s_i x_i and a ∈ R^n: the
solvers keep `a`, n numbers, instead of θ.

The reference model of NPO is the initial one, π_ref = π_init.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.special import expit, log_expit

from npo_tutorial._checks import check_beta, check_choice, check_finite_array, check_labels

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
    signed_rows, theta = signed_rows_and_theta(X, y, theta, "theta")
    if (theta_ref is None) != (loss == "ga"):
        raise ValueError(
            f"theta_ref must be given with loss='npo' and left out with loss='ga', got {theta_ref!r} for loss={loss!r}"
        )
    if theta_ref is None:
        theta_ref = theta  # GA has no reference model: its speed does not look at these margins
    _, theta_ref = signed_rows_and_theta(X, y, theta_ref, "theta_ref")
    with np.errstate(over="ignore", invalid="ignore"):
        speed = speed_of(loss, beta, signed_rows @ theta_ref)
        gradient = speed(signed_rows @ theta) @ signed_rows / len(signed_rows)
    if not np.isfinite(gradient).all():
        raise ValueError(f"X or theta is too large, the gradient overflowed: got {gradient}")
    return gradient


def signed_rows_and_theta(X, y, theta, theta_name):
    X = check_finite_array("X", X, ndim=2)
    y = check_labels("y", y, len(X))
    theta = check_finite_array(theta_name, theta, ndim=1)
    if theta.shape != X.shape[1:]:
        raise ValueError(
            f"{theta_name} must have one entry for each column of X, shape {X.shape[1:]}, got {theta.shape}"
        )
    return (2 * y - 1)[:, None] * X, theta


def speed_of(loss, beta, margins_init):
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

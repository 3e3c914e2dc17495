"""Negative Preference Optimization: losses, solvers and theory, tested.

Importing the package loads NumPy, SciPy and array-api-compat only. scikit-learn and Matplotlib are loaded by the
functions that use them; PyTorch, JAX and CuPy never: their arrays are recognised when they come.

Conventions of all functions, unless a docstring says otherwise:

- Shapes. "(n, d) array" names a shape: n samples, one a row, of d features. "array" alone is one of any shape, or a
  number. Arrays that belong together have exactly the same shape; nothing is broadcast.
- Libraries. A loss computes in the library of its arrays (NumPy, PyTorch, JAX, CuPy) and returns an array of it; lists
  and numbers count as NumPy. All other functions compute in NumPy and return float64.
- Units. Logarithms are natural: losses, log-probabilities and log-ratios are in nats, β is in 1/nat. The
  log-probability of a text is the sum over the tokens of its response.
- Signs. Every loss is minimised, gradient ascent's too. A label y_i is 0 or 1, its sign s_i = 2y_i − 1, and the margin
  of a sample m_i = s_i⟨x_i, θ⟩. The reference model is the initial one, π_ref = π_init.
- β is the inverse temperature, positive. GA has none: with ``loss="ga"`` it must be left out.
- Errors. Every argument is checked, and a message names it, the rule, and what it got. ``TypeError``: not a number, not
  an array of numbers, a masked array, arrays of different libraries. ``ValueError``: NaN, infinite or empty input,
  shapes that do not fit, numbers out of range, an unknown choice, or numbers so large that a result overflows.
  ``ImportError``: an optional package is missing; the message names the extra that brings it.
- Runs. A run that cannot go on (it overflows, the integrator gives up, Ctrl-C) ends at its last good record: its arrays
  are shorter than asked for, `stopped` says why, and a ``RuntimeWarning`` says the same. If there is no record yet,
  this is an error: a ``ValueError``, or ``KeyboardInterrupt``.
- Seeds are integers ≥ 0; the same seed gives the same numbers.
"""

from npo_tutorial.autograd import loss_gradient
from npo_tutorial.data import DigitsSplit, coherence, digits_split, forget_set, theta_with_margins
from npo_tutorial.digits import DigitsRun, forget_digits
from npo_tutorial.logistic import (
    Trajectory,
    classifier_logp,
    gradient_descent,
    gradient_flow,
    logistic_gradient,
    unlearn,
)
from npo_tutorial.losses import dpo_loss, ga_loss, npo_loss, npo_weight, simnpo_loss
from npo_tutorial.theory import (
    DivergenceBounds,
    SharpConstants,
    UniformConstants,
    divergence_bounds,
    ga_flow,
    log_ratio_at_weight,
    npo_flow,
    npo_gap,
    npo_gap_bound,
    npo_gap_series,
    uniform_constants,
)

__version__ = "0.1.0"

__all__ = [
    "DigitsRun",
    "DigitsSplit",
    "DivergenceBounds",
    "SharpConstants",
    "Trajectory",
    "UniformConstants",
    "classifier_logp",
    "coherence",
    "digits_split",
    "divergence_bounds",
    "dpo_loss",
    "forget_digits",
    "forget_set",
    "ga_flow",
    "ga_loss",
    "gradient_descent",
    "gradient_flow",
    "log_ratio_at_weight",
    "logistic_gradient",
    "loss_gradient",
    "npo_flow",
    "npo_gap",
    "npo_gap_bound",
    "npo_gap_series",
    "npo_loss",
    "npo_weight",
    "simnpo_loss",
    "theta_with_margins",
    "uniform_constants",
    "unlearn",
]

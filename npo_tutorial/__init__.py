"""Negative Preference Optimization: losses, solvers and theory, tested.

Importing the package loads NumPy and array-api-compat only. The functions that need SciPy, scikit-learn or Matplotlib
load it at their first call. Nothing loads JAX or CuPy, and only `loss_gradient` PyTorch: the package recognises arrays
of libraries that are loaded already.
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
from npo_tutorial.losses import dpo_loss, dpo_weight, ga_loss, npo_loss, npo_weight, simnpo_loss, simnpo_weight
from npo_tutorial.theory import (
    DivergenceBounds,
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
    "Trajectory",
    "classifier_logp",
    "coherence",
    "digits_split",
    "divergence_bounds",
    "dpo_loss",
    "dpo_weight",
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
    "simnpo_weight",
    "theta_with_margins",
    "uniform_constants",
    "unlearn",
]

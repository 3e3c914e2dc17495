"""Theory as functions: Proposition 4.1 (`gap`), exact flow of orthogonal rows (`flow`), Theorem 6.1 (`bounds`)."""

from npo_tutorial.theory.bounds import DivergenceBounds, divergence_bounds
from npo_tutorial.theory.flow import ga_flow, npo_flow
from npo_tutorial.theory.form import SharpConstants, UniformConstants
from npo_tutorial.theory.gap import log_ratio_at_weight, npo_gap, npo_gap_bound, npo_gap_series
from npo_tutorial.theory.uniform import uniform_constants

__all__ = [
    "DivergenceBounds",
    "SharpConstants",
    "UniformConstants",
    "divergence_bounds",
    "ga_flow",
    "log_ratio_at_weight",
    "npo_flow",
    "npo_gap",
    "npo_gap_bound",
    "npo_gap_series",
    "uniform_constants",
]

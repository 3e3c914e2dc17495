"""The book's demos: each function evaluates the package on a grid and returns an `Explorer` (all chapters).

Every number that a reader sees there, in a drawing or in a sentence, was computed here by the package.
"""

from npo_tutorial.demos.frontier import pareto
from npo_tutorial.demos.gradients import adaptive_weight, beta_to_zero, softmax_policy
from npo_tutorial.demos.language import answers
from npo_tutorial.demos.preferences import dpo_margin, dpo_to_npo
from npo_tutorial.demos.runs import decision_boundary, digits, divergence

__all__ = [
    "adaptive_weight",
    "answers",
    "beta_to_zero",
    "decision_boundary",
    "digits",
    "divergence",
    "dpo_margin",
    "dpo_to_npo",
    "pareto",
    "softmax_policy",
]

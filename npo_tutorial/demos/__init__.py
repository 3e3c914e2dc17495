"""The book's demos: each function evaluates the package on a grid and returns an `Explorer` (all chapters).

The package computes every number in their drawings and sentences here.
"""

from npo_tutorial.demos.frontier import pareto
from npo_tutorial.demos.gradients import adaptive_weight, beta_to_zero, softmax_policy
from npo_tutorial.demos.language import answers
from npo_tutorial.demos.preferences import dpo_margin, dpo_to_npo
from npo_tutorial.demos.runs import decision_boundary, digits, divergence, opposed
from npo_tutorial.demos.verdicts import forget_test
from npo_tutorial.demos.world import small_world

__all__ = [
    "adaptive_weight",
    "answers",
    "beta_to_zero",
    "decision_boundary",
    "digits",
    "divergence",
    "dpo_margin",
    "dpo_to_npo",
    "forget_test",
    "opposed",
    "pareto",
    "small_world",
    "softmax_policy",
]

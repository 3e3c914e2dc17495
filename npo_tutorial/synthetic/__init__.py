"""The synthetic experiment of arXiv:2404.05868, Section 4: two clouds, one to forget and one to keep.

Serves the chapter "synthetic".
"""

from npo_tutorial.synthetic.objectives import METHODS, RETAIN_TERMS
from npo_tutorial.synthetic.problem import SyntheticProblem, make_problem
from npo_tutorial.synthetic.runs import SyntheticRun, run
from npo_tutorial.synthetic.settings import TABLE_1, PaperSetting

__all__ = [
    "METHODS",
    "RETAIN_TERMS",
    "TABLE_1",
    "PaperSetting",
    "SyntheticProblem",
    "SyntheticRun",
    "make_problem",
    "run",
]

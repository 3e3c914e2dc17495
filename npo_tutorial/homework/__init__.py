"""Homework: one check per question, which says what is wrong.

A check takes the student's function and is silent if it is right; otherwise it raises `Wrong`, an ``AssertionError``
with a reason in the student's terms, in Chinese or English. It works in a notebook's cell, in a plain pytest test, and
under nbgrader and otter-grader, and awards no points.

>>> import numpy as np
>>> def npo_loss(logp, ref_logp, beta):
...     return np.mean(np.log1p(np.exp(beta * (logp - ref_logp)))) / beta
>>> try:
...     check_npo_loss(npo_loss, language="en")
... except Wrong as wrong:
...     print(wrong.hint)
half-factor

``python -m npo_tutorial.homework`` makes assignments for students, otter-grader and nbgrader out of a notebook with
solutions.
"""

from npo_tutorial.homework.dynamics import check_ga_constants, check_gd_step, check_gram_descent, check_npo_gradient
from npo_tutorial.homework.language import check_npo_step, check_sequence_logp
from npo_tutorial.homework.losses import (
    check_dpo_loss,
    check_ga_loss,
    check_npo_gap,
    check_npo_loss,
    check_npo_weight,
)
from npo_tutorial.homework.runner import Wrong
from npo_tutorial.homework.slower import check_slower_loss

__all__ = [
    "Wrong",
    "check_dpo_loss",
    "check_ga_constants",
    "check_ga_loss",
    "check_gd_step",
    "check_gram_descent",
    "check_npo_gap",
    "check_npo_gradient",
    "check_npo_loss",
    "check_npo_step",
    "check_npo_weight",
    "check_sequence_logp",
    "check_slower_loss",
]

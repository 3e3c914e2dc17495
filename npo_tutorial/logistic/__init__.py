"""Solvers of the logistic model: gradient descent and its flow, and unlearning for a fitted classifier."""

from npo_tutorial.logistic.classifier import classifier_logp, unlearn
from npo_tutorial.logistic.descent import gradient_descent
from npo_tutorial.logistic.flow import gradient_flow
from npo_tutorial.logistic.model import LOSSES, Trajectory, logistic_gradient

__all__ = [
    "LOSSES",
    "Trajectory",
    "classifier_logp",
    "gradient_descent",
    "gradient_flow",
    "logistic_gradient",
    "unlearn",
]

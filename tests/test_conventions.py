"""What the conventions promise of all functions, tested on all of them: β and GA, runs that end early."""

import dataclasses
import re

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from npo_tutorial import (
    DigitsRun,
    Trajectory,
    digits_split,
    divergence_bounds,
    forget_digits,
    gradient_descent,
    gradient_flow,
    logistic_gradient,
    synthetic,
    uniform_constants,
    unlearn,
)

X, Y, THETA = np.eye(2), [0, 1], np.zeros(2)
CLASSIFIER = LogisticRegression().fit(X, Y)
PROBLEM = synthetic.make_problem(1, 0)

# calls that take a loss and its β
CALLS = {
    "gradient_descent": lambda **loss: gradient_descent(X, Y, THETA, step_size=0.1, n_steps=1, **loss),
    "gradient_flow": lambda **loss: gradient_flow(X, Y, THETA, times=[1.0], **loss),
    "logistic_gradient": lambda **loss: logistic_gradient(X, Y, THETA, **loss),
    "unlearn": lambda **loss: unlearn(CLASSIFIER, X, Y, step_size=0.1, n_steps=1, **loss),
    "forget_digits": lambda **loss: forget_digits(digits_split(), n_steps=1, **loss),
    "divergence_bounds": lambda **loss: divergence_bounds(X, Y, THETA, step_size=0.1, **loss),
    "uniform_constants": lambda **loss: uniform_constants(1, 1, 0, **loss),
}


@pytest.mark.parametrize("name", CALLS)
def test_ga_takes_no_beta(name):
    CALLS[name](loss="ga")
    with pytest.raises(ValueError, match=r"^beta must be left out with loss='ga', got 1\.5$"):
        CALLS[name](loss="ga", beta=1.5)


@pytest.mark.parametrize("method", ["GA", "GA+RT", "IDK+RT"])
def test_methods_without_beta_take_none(method):
    with pytest.raises(ValueError, match=f"^beta must be left out with method='{re.escape(method)}', got 1.5$"):
        synthetic.run(method, PROBLEM, beta=1.5, n_steps=1)


OVERFLOWING = {
    "gradient_descent": lambda record: gradient_descent(
        1e60 * X, Y, THETA, loss="ga", step_size=1e200, n_steps=3, record=record
    ),
    "gradient_flow": lambda record: gradient_flow(
        1e150 * X, Y, [1.5e158, -1.5e158], loss="ga", times=[1e6 * (k > 0) + 1e8 * (k > 1) for k in record]
    ),
    "synthetic.run": lambda record: synthetic.run("GA", PROBLEM, step_size=1e307, n_steps=3, record=record),
}


@pytest.mark.parametrize("name", OVERFLOWING)
def test_a_run_that_overflows_says_the_same_in_its_record_in_its_warning_and_without_a_record_in_its_error(name):
    with pytest.warns(RuntimeWarning, match=r"; 1 of 2 records are returned$") as warned:
        run = OVERFLOWING[name]([0, 3])
    (warning,) = warned
    assert warning.filename == __file__
    assert str(warning.message) == f"{run.stopped}; 1 of 2 records are returned"
    with pytest.raises(ValueError, match=f"^{re.escape(run.stopped)}$"):
        OVERFLOWING[name]([3])


@pytest.mark.parametrize("record", [Trajectory, DigitsRun, synthetic.SyntheticRun])
def test_every_record_of_a_run_says_whether_it_is_complete(record):
    assert {field.name: field.type for field in dataclasses.fields(record)}["stopped"] == str | None

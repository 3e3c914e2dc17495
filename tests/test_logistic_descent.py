"""logistic/descent.py and model.py: trajectories against autograd, the theorem's two speeds, clear errors."""

import pickle
import tracemalloc
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from npo_tutorial import (
    Trajectory,
    forget_set,
    ga_loss,
    gradient_descent,
    logistic_gradient,
    npo_loss,
    theta_with_margins,
)
from npo_tutorial.logistic.descent import steps_to_record
from tests.conftest import autograd_trajectory, fourth_order_gradient

LOSSES = [("ga", None), ("npo", 0.5), ("npo", 3.0)]


def log_probs(X, y, theta):
    signed = (2 * np.asarray(y) - 1) * (X @ theta)
    return -np.logaddexp(0, -signed)


def loss_value(X, y, theta, theta_ref, loss, beta):
    logp = log_probs(X, y, theta)
    return float(ga_loss(logp) if loss == "ga" else npo_loss(logp, log_probs(X, y, theta_ref), beta=beta))


@pytest.mark.parametrize(("n", "d"), [(4, 9), (9, 4), (1, 1)], ids=["n<d", "n>d", "scalar"])
@pytest.mark.parametrize(("loss", "beta"), LOSSES)
def test_trajectory_equals_autograd(rng, n, d, loss, beta):
    X, y, theta = rng.standard_normal((n, d)), rng.integers(0, 2, n), rng.standard_normal(d)
    expected = autograd_trajectory(X, y, theta, loss, beta, 0.3, 50)
    run = gradient_descent(X, y, theta, loss=loss, beta=beta, step_size=0.3, n_steps=50, record=range(51))
    np.testing.assert_allclose(run.theta(slice(None)), expected, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(run.theta(7), expected[7], rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(run.margins, (expected @ X.T) * (2 * y - 1), rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(run.logp[-1], log_probs(X, y, expected[-1]), rtol=1e-10)
    # the norm of the theorem, from its definition
    moved = expected - theta
    np.testing.assert_allclose(
        run.distance, np.sqrt(np.einsum("ki,ij,kj->k", moved, X.T @ X, moved)), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize(("loss", "beta"), LOSSES)
def test_gradient_equals_differences_of_the_losses(rng, loss, beta):
    X, y = rng.standard_normal((6, 4)), rng.integers(0, 2, 6)
    theta, theta_ref = rng.standard_normal(4), rng.standard_normal(4)
    differences = fourth_order_gradient(lambda t: loss_value(X, y, t, theta_ref, loss, beta), theta)
    gradient = logistic_gradient(X, y, theta, loss=loss, beta=beta, theta_ref=None if loss == "ga" else theta_ref)
    np.testing.assert_allclose(gradient, differences, rtol=1e-8, atol=1e-12)


def test_small_weights_do_not_make_npo_s_gradient_the_smaller_one():
    # one of two samples unforgotten, or both forgotten and GA's terms cancelling: max w ≪ 1 bounds neither
    rows, theta_ref = np.array([[1.0, 1e-3], [-1.0, 1e-3]]), np.array([3.0, 0.0])
    theta = np.array([0.0, -8000.0])
    ga = logistic_gradient(rows, [1, 1], theta, loss="ga")
    npo = logistic_gradient(rows, [1, 1], theta, loss="npo", beta=1.0, theta_ref=theta_ref)
    weights = 2 / (1 + np.exp(-(log_probs(rows, [1, 1], theta) - log_probs(rows, [1, 1], theta_ref))))
    np.testing.assert_allclose(weights, [7e-4, 1.4e-2], rtol=0.05)
    assert np.linalg.norm(ga) == pytest.approx(1.0e-3, rel=0.05)
    assert np.linalg.norm(npo) == pytest.approx(6.7e-3, rel=0.05)
    each = [logistic_gradient(rows[[i]], [1], theta, loss="ga") for i in range(2)]
    assert np.linalg.norm(npo) <= weights.max() * np.mean([np.linalg.norm(g) for g in each])


# The theorem's picture -----------------------------------------------------------------------------------------------


def orthogonal_run(loss, beta, n_steps=100_000, margin=1.0, n=4):
    X, y = forget_set(n, 32, seed=3)
    theta = theta_with_margins(X, y, margin)
    return gradient_descent(X, y, theta, loss=loss, beta=beta, step_size=0.4, n_steps=n_steps)


def test_gradient_ascent_diverges_linearly():
    run = orthogonal_run("ga", None)
    late = run.steps > 1000
    slope = np.polyfit(np.log(run.steps[late]), np.log(run.distance[late]), 1)[0]
    assert slope == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_npo_diverges_logarithmically_with_slope_root_n_over_beta(beta):
    run = orthogonal_run("npo", beta)
    late = run.steps > 10_000
    slope = np.polyfit(np.log(run.steps[late]), run.distance[late], 1)[0]
    assert slope * beta / 2 == pytest.approx(1, abs=0.03)
    assert (np.diff(run.distance) > 0).all()  # slower, but it never stops


def test_example_of_the_theory_to_all_its_digits():
    run = orthogonal_run("npo", 1.0, n_steps=1000)
    assert run.distance[-1] == pytest.approx(13.0110, abs=5e-5)


@pytest.mark.parametrize(("loss", "beta", "stable"), [("ga", None, False), ("npo", 1.5, False), ("npo", 3.0, True)])
def test_the_same_image_with_both_labels_is_at_rest_and_may_be_unstable(loss, beta, stable):
    X, y = np.ones((2, 1)), [0, 1]
    settings = dict(loss=loss, beta=beta, step_size=0.5, n_steps=200)
    assert gradient_descent(X, y, [0.0], **settings).theta() == [0.0]
    theta = np.array([1e-3])  # the iterate is displaced, the reference is not
    for _ in range(200):
        reference = {} if loss == "ga" else {"theta_ref": [0.0]}
        theta = theta - 0.5 * logistic_gradient(X, y, theta, loss=loss, beta=beta, **reference)
    assert bool(abs(theta[0]) < 1e-3) is stable


# Records -------------------------------------------------------------------------------------------------------------


def test_records_are_logarithmic_and_small():
    X, y = forget_set(10, 1000, seed=0)
    tracemalloc.start()
    run = gradient_descent(X, y, np.zeros(1000), loss="ga", step_size=0.1, n_steps=20_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert run.steps[0] == 0
    assert run.steps[-1] == 20_000
    assert len(run) == len(run.steps) <= 202
    assert (np.diff(run.steps) > 0).all()
    assert run.margins.nbytes < 20_000
    # far from 20,000 × 1000 floats, 160 MB
    assert peak < 2e6
    assert len(pickle.dumps(run.margins)) < 20_000


@given(st.integers(0, 400))
def test_default_records_include_both_ends(n_steps):
    run = gradient_descent([[1.0]], [1], [0.0], loss="ga", step_size=0.1, n_steps=n_steps)
    assert (run.steps[0], run.steps[-1]) == (0, n_steps)


def test_default_records_are_evenly_spaced_in_the_logarithm():
    steps = steps_to_record(None, 10**6)
    assert steps[:3].tolist() == [0, 1, 2]
    # two hundred of them, some of which round to the same step
    assert steps[-2:].tolist() == [round(10 ** (6 * 198 / 199)), 10**6]


def test_runs_are_immutable_not_comparable_and_short_to_print():
    run = gradient_descent([[1.0]], [1], [0.0], loss="ga", step_size=0.1, n_steps=1)
    again = gradient_descent([[1.0]], [1], [0.0], loss="ga", step_size=0.1, n_steps=1)
    for one, other in ((run, again), (run._problem, again._problem)):
        with pytest.raises(FrozenInstanceError):
            one.margins = None
        # a dataclass would compare the arrays, whose equality has no truth value
        assert one == one and one != other and len({one, other}) == 2
    assert "_coordinates" not in repr(run) and "_problem" not in repr(run)


def test_distance_is_measured_from_the_start_even_if_the_start_is_not_recorded():
    settings = dict(loss="ga", step_size=0.1, n_steps=10)
    full = gradient_descent([[1.0]], [1], [0.0], **settings)
    last = gradient_descent([[1.0]], [1], [0.0], **settings, record=[10])
    assert last.distance[0] == full.distance[-1] > 0
    assert isinstance(last, Trajectory)
    # nor does the last step need to be recorded
    middle = full.steps.tolist().index(5)
    assert gradient_descent([[1.0]], [1], [0.0], **settings, record=[5]).distance[0] == full.distance[middle]


def test_distance_keeps_its_digits_when_hardly_anything_has_moved():
    run = gradient_descent([[1.0]], [1], [36.0], loss="ga", step_size=0.1, n_steps=100)
    # 100 steps of 0.1 σ(−36): far less than the rounding of the margin itself
    assert run.distance[-1] == pytest.approx(10 * np.exp(-36), rel=1e-6, abs=0)
    assert run.margins[-1, 0] == 36


def test_a_distance_that_overflows_is_inf():
    run = gradient_descent(np.eye(2), [1, 1], np.zeros(2), loss="ga", step_size=1.7e308, n_steps=2, record=[1, 2])
    assert np.isfinite(run.margins).all() and run.distance[0] < run.distance[1] == np.inf


@pytest.mark.parametrize("record", [True, 1.0, None, "last", [0, 1], np.array([0])])
def test_only_a_record_or_a_slice_of_records_has_parameters(record):
    run = gradient_descent([[1.0]], [1], [0.0], loss="ga", step_size=0.1, n_steps=1)
    with pytest.raises(TypeError, match="record must be an integer or a slice, got"):
        run.theta(record)
    for record in (2, 3, -3):
        with pytest.raises(ValueError, match=f"record must be one of 2 records, got {record}"):
            run.theta(record)
    assert run.theta(-2) == run.theta(np.int64(0)) == [0.0]


# Bad input -----------------------------------------------------------------------------------------------------------

X2, Y2, T2 = np.eye(2), [0, 1], np.zeros(2)
GOOD = dict(loss="npo", beta=1.0, step_size=0.1, n_steps=3)
BAD = [
    (lambda: gradient_descent(X2, [0, 2], T2, **GOOD), ValueError, "y must hold labels 0 and 1 only, got 2 at index 1"),
    (
        lambda: gradient_descent(X2, [-1, 1], T2, **GOOD),
        ValueError,
        "y must hold labels 0 and 1 only, got -1 at index 0",
    ),
    (
        lambda: gradient_descent(X2, [1], T2, **GOOD),
        ValueError,
        r"y must have one label for each row of X, shape \(2,\), got \(1,\)",
    ),
    (
        lambda: gradient_descent(X2, [[0], [1]], T2, **GOOD),
        ValueError,
        r"y must have one label for each row of X, .* got \(2, 1\)",
    ),
    (
        lambda: gradient_descent([1.0, 2.0], Y2, T2, **GOOD),
        ValueError,
        r"X must have 2 dimensions, .* got shape \(2,\)",
    ),
    (
        lambda: gradient_descent(np.zeros((0, 2)), [], T2, **GOOD),
        ValueError,
        r"X must not be empty, got shape \(0, 2\)",
    ),
    (
        lambda: gradient_descent([[np.nan, 0.0]], [1], T2, **GOOD),
        ValueError,
        r"X must be finite, got nan at index \(0, 0\)",
    ),
    (lambda: gradient_descent([["a", "b"]], [1], T2, **GOOD), TypeError, "X must be an array of real numbers"),
    (
        lambda: gradient_descent(torch.eye(2), Y2, T2, **GOOD),
        TypeError,
        r"X must be a NumPy array, got a PyTorch tensor",
    ),
    (
        lambda: gradient_descent(X2, Y2, np.zeros(3), **GOOD),
        ValueError,
        r"theta_init must have one entry .* got \(3,\)",
    ),
    (
        lambda: gradient_descent(X2, Y2, np.zeros(1), **GOOD),
        ValueError,
        r"theta_init must have one entry .* got \(1,\)",
    ),
    (
        lambda: gradient_descent(X2, Y2, [np.inf, 0], **GOOD),
        ValueError,
        "theta_init must be finite, got inf at index 0",
    ),
    (
        lambda: gradient_descent(X2, Y2, T2, **{**GOOD, "loss": "dpo"}),
        ValueError,
        "loss must be one of 'ga', 'npo', got 'dpo'",
    ),
    (
        lambda: gradient_descent(X2, Y2, T2, **{**GOOD, "beta": None}),
        ValueError,
        "beta must be given with loss='npo', got None",
    ),
    (
        lambda: gradient_descent(X2, Y2, T2, **{**GOOD, "beta": 0.0}),
        ValueError,
        r"beta must be positive and finite, got 0\.0",
    ),
    (
        lambda: gradient_descent(X2, Y2, T2, **{**GOOD, "loss": "ga"}),
        ValueError,
        r"beta must be left out with loss='ga', got 1\.0",
    ),
    (
        lambda: gradient_descent(X2, Y2, T2, **{**GOOD, "step_size": -0.1}),
        ValueError,
        r"step_size must be positive.* got -0\.1",
    ),
    (
        lambda: gradient_descent(X2, Y2, T2, **{**GOOD, "step_size": np.nan}),
        ValueError,
        "step_size must be positive.* got nan",
    ),
    (lambda: gradient_descent(X2, Y2, T2, **{**GOOD, "n_steps": -1}), ValueError, "n_steps must be at least 0, got -1"),
    (
        lambda: gradient_descent(X2, Y2, T2, **{**GOOD, "n_steps": 1.5}),
        TypeError,
        r"n_steps must be an integer, got 1\.5",
    ),
    (lambda: gradient_descent(X2, Y2, T2, **GOOD, record=[0, 4]), ValueError, "record must hold increasing steps"),
    (lambda: gradient_descent(X2, Y2, T2, **GOOD, record=[2, 1]), ValueError, "record must hold increasing steps"),
    (
        lambda: gradient_descent(X2, Y2, T2, **GOOD, record=np.array([3, 1], np.uint64)),
        ValueError,
        "record must hold increasing",
    ),
    (lambda: gradient_descent(X2, Y2, T2, **GOOD, record=[1, 1]), ValueError, "record must hold increasing steps"),
    (lambda: gradient_descent(X2, Y2, T2, **GOOD, record=[-1, 1]), ValueError, "record must hold increasing steps"),
    (lambda: gradient_descent(X2, Y2, T2, **GOOD, record=2), TypeError, "record must be a sequence of integers, got 2"),
    (lambda: gradient_descent(X2, Y2, T2, **GOOD, record=[[1, 2]]), TypeError, "record must be a sequence of integers"),
    (
        lambda: gradient_descent(X2, Y2, T2, **GOOD, record=np.array([], int)),
        TypeError,
        "record must be a sequence of integers",
    ),
    (lambda: gradient_descent(X2, Y2, T2, **GOOD, record=[1, [2]]), TypeError, "record must be a sequence of integers"),
    (
        lambda: gradient_descent(X2, Y2, T2, **GOOD, record=np.array([1], "m8[s]")),
        TypeError,
        "record must be a sequence of integers, got array",
    ),
    (
        lambda: gradient_descent(X2, Y2, T2, **GOOD, record=torch.ones(2, requires_grad=True)),
        TypeError,
        "record must be a sequence of integers, got tensor",
    ),
    (
        lambda: gradient_descent(X2, Y2, T2, **GOOD, record=np.ma.array([1, 2], mask=[0, 1])),
        TypeError,
        "record must not be a masked array",
    ),
    (lambda: gradient_descent(X2, Y2, T2, **{**GOOD, "n_steps": 10**300}), ValueError, "n_steps must be at most"),
    (lambda: gradient_descent(X2, Y2, T2, **{**GOOD, "step_size": 10**400}), ValueError, "step_size must fit"),
    (lambda: gradient_descent(np.ma.array(X2, mask=X2 > 0), Y2, T2, **GOOD), TypeError, "X must not be a masked array"),
    (
        lambda: logistic_gradient([[1e200]], [0], [1e200], loss="npo", beta=1.0, theta_ref=[1e200]),
        ValueError,
        "X or theta is too",
    ),
    (
        lambda: logistic_gradient(np.ones((2, 2, 2)), Y2, T2, loss="ga"),
        ValueError,
        r"X must have 2 dimensions, got shape \(2, 2, 2\)",
    ),
    (
        lambda: logistic_gradient(X2, Y2, T2, loss="npo", beta=[1.0, 2.0], theta_ref=T2),
        TypeError,
        "beta must be a real number, got list",
    ),
    (lambda: logistic_gradient(X2, Y2, T2, "ga"), TypeError, "positional argument"),
    (lambda: logistic_gradient(X2, Y2, T2, loss="NPO"), ValueError, "loss must be one of 'ga', 'npo', got 'NPO'"),
    (lambda: gradient_descent(X2, Y2, T2, **GOOD, record=[0.5]), TypeError, "record must be a sequence of integers"),
    (
        lambda: gradient_descent(X2 * 1e200, Y2, T2, **GOOD, record=[1]),
        ValueError,
        r"step_size or X is too large, the iterates overflowed by step 1: got step_size=0\.1",
    ),
    (
        lambda: logistic_gradient(X2, Y2, T2, loss="npo", beta=1.0),
        ValueError,
        "theta_ref must be given with loss='npo'",
    ),
    (
        lambda: logistic_gradient(X2, Y2, T2, loss="ga", theta_ref=T2),
        ValueError,
        "theta_ref must be given with loss='npo' and left",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[m for _, _, m in BAD])
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()

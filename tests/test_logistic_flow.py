"""logistic/flow.py: the flow against exact solutions, against gradient descent with small steps, and far out."""

import re

import numpy as np
import pytest

from npo_tutorial import forget_set, ga_flow, gradient_descent, gradient_flow, npo_flow, theta_with_margins

LOSSES = [("ga", None), ("npo", 0.1), ("npo", 1.0), ("npo", 2.5)]


def exact_flow(margins, tau, loss, beta, a):
    options = {} if loss == "ga" else {"beta": beta}
    return (ga_flow if loss == "ga" else npo_flow)(margins, tau, a=a, **options)


@pytest.mark.parametrize(("loss", "beta"), LOSSES)
@pytest.mark.parametrize("scale", [0, 1, 10])
def test_orthogonal_rows_follow_the_exact_flow(rng, loss, beta, scale):
    lengths, signs = rng.uniform(0.3, 3, 5), np.array([1, -1, 1, -1, -1])
    margins = scale * rng.standard_normal(5)
    times = np.append(0, np.geomspace(1e-6, 1e12, 60))
    run = gradient_flow(np.diag(lengths), signs > 0, signs * margins / lengths, loss=loss, beta=beta, times=times)
    expected = exact_flow(margins, times[:, None] / 5, loss, beta, lengths**2)
    moved = np.abs(run.theta(slice(None)) - run.theta(0)) * lengths
    np.testing.assert_allclose(run.distance, np.linalg.norm(expected, axis=1), rtol=1e-9)
    # near its threshold, GA multiplies an error of the time by the margin
    np.testing.assert_allclose(run.margins, margins - expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(moved, expected, rtol=1e-9, atol=1e-9)
    assert run.steps is None and run.times is not times and (run.times == times).all()


@pytest.mark.parametrize(("n", "d"), [(5, 8), (8, 5)])
@pytest.mark.parametrize(("loss", "beta"), LOSSES)
def test_gradient_descent_converges_to_the_flow_at_first_order(rng, n, d, loss, beta):
    X, y, theta = rng.standard_normal((n, d)), rng.integers(0, 2, n), rng.standard_normal(d)
    flow = gradient_flow(X, y, theta, loss=loss, beta=beta, times=[5.0]).theta()
    errors = []
    for n_steps in (2000, 4000, 8000):
        run = gradient_descent(X, y, theta, loss=loss, beta=beta, step_size=5 / n_steps, n_steps=n_steps)
        assert run.times[-1] == pytest.approx(5)
        errors.append(np.linalg.norm(run.theta() - flow))
    orders = -np.diff(np.log2(errors))
    np.testing.assert_allclose(orders, 1, atol=0.02)


def test_slope_over_twelve_decades_is_root_n_over_beta():
    X, y = forget_set(4, 32, seed=3)
    times = np.geomspace(1, 1e24, 25)
    run = gradient_flow(X, y, theta_with_margins(X, y, 1.0), loss="npo", beta=0.5, times=times)
    slopes = np.diff(run.distance) / np.log(10) * 0.5 / 2
    np.testing.assert_allclose(slopes[12:], 1, rtol=1e-9)


@pytest.mark.parametrize("size", [1, 1000])
def test_recorded_times_do_not_change_the_solution(rng, size):
    # large rows must not begin with large steps because the first recorded time is late
    X, y, theta = size * rng.standard_normal((4, 6)), rng.integers(0, 2, 4), 3 / size * rng.standard_normal(6)
    options = dict(loss="npo", beta=0.7)
    many = gradient_flow(X, y, theta, **options, times=np.geomspace(1e-9, 1e15, 97))
    for k in (0, 40, 96):
        one = gradient_flow(X, y, theta, **options, times=many.times[[k]])
        np.testing.assert_allclose(one.distance, many.distance[k], rtol=1e-9)
        np.testing.assert_allclose(one.theta(), many.theta(k), rtol=1e-9)


@pytest.mark.parametrize(("loss", "beta"), [("ga", None), ("npo", 3.0)])
def test_the_same_image_with_both_labels_leaves_under_ga_and_converges_for_large_beta(loss, beta):
    run = gradient_flow(np.ones((2, 1)), [0, 1], [1e-3], loss=loss, beta=beta, times=[1.0, 1e6, 1e12])
    if loss == "ga":
        assert run.distance[-1] > 1e11
    else:
        assert run.distance[2] == pytest.approx(run.distance[1], rel=1e-9)


@pytest.mark.parametrize(("loss", "beta"), LOSSES)
def test_the_first_record_may_be_as_early_as_you_like(loss, beta):
    run = gradient_flow(np.eye(2), [0, 1], np.zeros(2), loss=loss, beta=beta, times=[1e-300, 1e-150, 1.0])
    np.testing.assert_allclose(run.distance[:2], np.sqrt(2) / 4 * run.times[:2], rtol=1e-9)
    np.testing.assert_allclose(run.margins[2], -exact_flow(0, 0.5, loss, beta, 1), rtol=1e-9)


@pytest.mark.parametrize(("n", "d"), [(3, 5), (5, 3)])
@pytest.mark.parametrize("unit", [1e-100, 1e-3, 1e3, 1e100])
@pytest.mark.parametrize(("loss", "beta"), LOSSES)
def test_units_do_not_matter(rng, n, d, unit, loss, beta):
    # the margins of unit·X and θ/unit are those of X and θ, and move unit² times as fast
    X, y, theta = rng.standard_normal((n, d)), rng.integers(0, 2, n), rng.standard_normal(d)
    times = np.geomspace(1e-3, 1e3, 7)
    run = gradient_flow(X, y, theta, loss=loss, beta=beta, times=times)
    other = gradient_flow(unit * X, y, theta / unit, loss=loss, beta=beta, times=times / unit**2)
    np.testing.assert_allclose(other.margins, run.margins, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(other.distance, run.distance, rtol=1e-9)
    np.testing.assert_allclose(unit * other.theta(slice(None)), run.theta(slice(None)), rtol=1e-8, atol=1e-8)


def test_saturated_margins_rest():
    # σ(−800) = 0 in floating point
    run = gradient_flow(np.eye(2), [1, 1], [800.0, -800.0], loss="ga", times=[1e3])
    np.testing.assert_allclose(run.margins, [[800, -1300]])


BAD = [
    (dict(times=[1.0, 1.0]), ValueError, "times must be increasing and at least 0"),
    (dict(times=[2.0, 1.0]), ValueError, "times must be increasing and at least 0"),
    (dict(times=[1e308, -1e308]), ValueError, "times must be increasing and at least 0"),
    (dict(times=[-1.0, 1.0]), ValueError, "times must be increasing and at least 0"),
    (dict(times=[]), ValueError, "times must not be empty"),
    (dict(times=[np.inf]), ValueError, "times must be finite, got inf at index 0"),
    (dict(times=[1e-320, 1.0]), ValueError, "X or times is too large: got times up to 1, but .* from 1e-320 on"),
    (dict(times=5.0), ValueError, "times must have 1 dimension"),
    (dict(times="soon"), TypeError, "times must be an array of real numbers"),
    (dict(beta=None), ValueError, "beta must be given"),
    (dict(beta=[1.0, 2.0]), TypeError, "beta must be a real number"),
    (dict(X=np.ones((2, 2, 2))), ValueError, "X must have 2 dimensions, got shape"),
    (dict(X=1e200 * np.eye(2)), ValueError, r"X is too large, .* got entries up to 1e\+200"),
    (
        dict(loss="ga", beta=None, times=[1.7e308], X=2 * np.eye(2)),
        ValueError,
        r"X or times is too large.*1\.7e\+308",
    ),
    (
        dict(X=1e150 * np.eye(2), theta_init=[1e200, 1e200], times=[1.0, 2.0, 3.0]),
        ValueError,
        "X or times is too large, the flow overflowed by t = 1$",
    ),
    (
        dict(X=np.ones((2, 2)), y=[0, 1], theta_init=[1e-3, 0], beta=3.0, times=[1e12]),
        RuntimeError,
        r"the integrator gave up before t = 1e\+12: [a-z][^.]*$",
    ),
]


@pytest.mark.parametrize(("change", "error", "message"), BAD, ids=[message for _, _, message in BAD])
def test_bad_input_is_named(change, error, message):
    good = dict(X=np.eye(2), y=[0, 1], theta_init=np.zeros(2), loss="npo", beta=1.0, times=[1.0, 1e12])
    with pytest.raises(error, match=message):
        gradient_flow(**good | change)


AT_REST = dict(X=np.ones((2, 2)), y=[0, 1], theta_init=[1e-3, 0], loss="npo", beta=3.0)
RUNAWAY = dict(X=1e150 * np.eye(2), y=[0, 1], theta_init=[1.5e158, -1.5e158], loss="ga")


@pytest.mark.parametrize(
    ("problem", "times", "k", "why"),
    [
        (AT_REST, [1.0, 2.0, 1e12, 1e13], 2, r"the integrator gave up before t = 1e\+12: [a-z]"),
        (AT_REST, [0.0, 1e12], 1, r"the integrator gave up before t = 1e\+12: [a-z]"),
        (RUNAWAY, [0.0, 1e-3, 1e6, 1e8, 2e8], 3, r"X or times is too large, the flow overflowed by t = 1e\+08"),
    ],
)
def test_a_flow_that_cannot_go_on_returns_its_records_and_says_why(problem, times, k, why):
    with pytest.warns(RuntimeWarning, match=f"{why}.*; {k} of {len(times)} records are returned$") as warned:
        run = gradient_flow(**problem, times=times)
    assert warned[0].filename == __file__
    assert re.match(why, run.stopped) and len(run) == k and run.times.tolist() == times[:k]
    complete = gradient_flow(**problem, times=times[:k])
    assert complete.stopped is None
    np.testing.assert_array_equal(run.margins, complete.margins)
    np.testing.assert_array_equal(run.theta(slice(None)), complete.theta(slice(None)))

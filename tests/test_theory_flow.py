"""theory/flow.py: exact flows against mpmath, on all scales, and against gradient descent with small steps."""

import math

import mpmath
import numpy as np
import pytest
from scipy.special import expit, wrightomega

from npo_tutorial import forget_set, ga_flow, gradient_descent, npo_flow, theta_with_margins

MARGINS = [-30.0, -10.0, -1.0, 0.0, 1.0, 5.0, 10.0, 20.0, 27.0, 30.0]
CLOCKS = np.geomspace(1e-6, 1e12, 19)


def around_the_jump(margins):
    """Clocks close to e^{m⁰}, where Δ jumps from a small value to almost m⁰ and is as accurate as e^{m⁰}."""
    for m0 in margins:
        for relative in (-0.1, -1e-6, 0.0, 1e-12, 1e-3):
            yield m0, math.exp(m0) * (1 + relative)
        yield m0, math.exp(m0) + m0


POINTS = [(m0, float(clock)) for m0 in MARGINS for clock in CLOCKS] + list(around_the_jump([3.0, 10.0, 20.0, 27.0]))


def relative_error(lost, clock, clock_of, speed):
    """Error of Δ to first order, (F(Δ) − aτ) h(Δ)/Δ: it needs F and h at one point, and no inversion."""
    lost = mpmath.mpf(float(lost))
    return abs(float((clock_of(lost) - mpmath.mpf(clock)) * speed(lost) / lost))


def ga_error(m0, clock, lost):
    odds = mpmath.exp(mpmath.mpf(m0))
    return relative_error(lost, clock, lambda x: x - odds * mpmath.expm1(-x), lambda x: 1 / (1 + odds * mpmath.exp(-x)))


def npo_error(m0, beta, clock, lost, clock_of=None):
    odds, beta = mpmath.exp(mpmath.mpf(m0)), mpmath.mpf(beta)
    p, q = odds / (1 + odds), 1 / (1 + odds)

    def slope(x):
        return (1 + (p + q * mpmath.exp(x)) ** beta) * (1 + odds * mpmath.exp(-x)) / 2

    def integral(x):
        return mpmath.quad(slope, mpmath.linspace(0, x, 2 + int(x / 3)))

    return relative_error(lost, clock, clock_of or integral, lambda x: 1 / slope(x))


def elementary_clock(m0, beta):
    """F for β = 1 and β = 2, from its closed form."""
    odds = mpmath.exp(mpmath.mpf(m0))
    p, q = odds / (1 + odds), 1 / (1 + odds)
    if beta == 1:
        return lambda x: ((1 + 2 * p) * x + q * mpmath.expm1(x) - p * (1 + p) / q * mpmath.expm1(-x)) / 2
    A = 1 + p**2
    return lambda x: (
        (
            (A + 2 * p**2) * x
            + 3 * p * q * mpmath.expm1(x)
            + q**2 * mpmath.expm1(2 * x) / 2
            - p / q * A * mpmath.expm1(-x)
        )
        / 2
    )


def test_ga_flow_against_mpmath():
    with mpmath.workdps(60):
        worst = max(ga_error(m0, clock, ga_flow(m0, clock)) for m0, clock in POINTS)
    assert worst < 1e-14


@pytest.mark.parametrize("beta", [1, 2])
def test_npo_flow_against_its_closed_forms(beta):
    with mpmath.workdps(60):
        worst = max(
            npo_error(m0, beta, clock, npo_flow(m0, clock, beta=beta), elementary_clock(m0, beta))
            for m0, clock in POINTS
        )
    assert worst < 1e-14


@pytest.mark.parametrize("beta", [0.02, 0.1, 0.7, 1.5, 3.3, 5.0])
def test_npo_flow_against_quadrature_with_30_digits(beta):
    points = [(-30.0, 1e-6), (-2.0, 1e4), (0.0, 0.3), (4.0, 1e2), (27.0, 1e12), (30.0, 1e12)]
    points += list(around_the_jump([12.0, 27.0]))[2:9:3]
    with mpmath.workdps(30):
        worst = max(npo_error(m0, beta, clock, npo_flow(m0, clock, beta=beta)) for m0, clock in points)
    assert worst < 1e-14


def test_outside_the_promised_range():
    """Up to |m⁰| = 600 and aτ = 1e300 digits are lost only at the jump of large margins, where the time is right."""
    wide = [(-600.0, 1e-6), (-600.0, 1e299), (0.0, 1e-300), (0.0, 1e300), (100.0, 1e43), (300.0, 1e200), (600.0, 1e250)]
    with mpmath.workdps(900):
        for m0, clock in wide:
            assert ga_error(m0, clock, ga_flow(m0, clock)) < 1e-14
            assert npo_error(m0, 1, clock, npo_flow(m0, clock, beta=1), elementary_clock(m0, 1)) < 1e-14
            assert npo_error(m0, 2, clock, npo_flow(m0, clock, beta=2), elementary_clock(m0, 2)) < 1e-14
        for m0, clock in around_the_jump([45.0, 60.0, 300.0]):
            lost = mpmath.mpf(float(ga_flow(m0, clock)))
            time = lost - mpmath.exp(mpmath.mpf(m0)) * mpmath.expm1(-lost)
            assert 0 < lost < 2 * m0 + 1e-2 * clock
            assert abs(time / mpmath.mpf(clock) - 1) < 3e-15
    with mpmath.workdps(30):
        for m0, clock, beta in [(0.0, 1e-300, 0.5), (2.0, 1e-12, 50.0), (0.0, 1e6, 1e3), (5.0, 1e12, 50.0)]:
            assert npo_error(m0, beta, clock, npo_flow(m0, clock, beta=beta)) < 1e-13


def test_subtraction_loses_every_digit_at_small_times():
    m0, tau = 20.0, 1e-3
    z = m0 + math.exp(m0) - tau
    assert m0 - (z - wrightomega(z)) == 0.0
    assert abs((m0 - math.log(wrightomega(z))) / ga_flow(m0, tau) - 1) > 1e-4
    with mpmath.workdps(60):
        assert ga_error(m0, tau, ga_flow(m0, tau)) < 1e-15


def test_small_beta_is_ga_and_margins_are_the_remainder():
    m0, tau = np.array([-3.0, 0.0, 4.0]), np.geomspace(1e-3, 1e3, 25)[:, None]
    np.testing.assert_allclose(npo_flow(m0, tau, beta=1e-12), ga_flow(m0, tau), rtol=1e-8)
    assert (npo_flow(m0, tau, beta=1e-3) < ga_flow(m0, tau)).all()
    for flow in (ga_flow, lambda *args, **kw: npo_flow(*args, beta=0.5, **kw)):
        np.testing.assert_allclose(flow(m0, tau, as_margin=True), m0 - flow(m0, tau), rtol=0, atol=1e-15)


@pytest.mark.parametrize("beta", [None, 0.3, 1, 2.5])
def test_flow_starts_with_q_grows_and_composes(beta):
    def flow(m0, tau, **kw):
        return ga_flow(m0, tau, **kw) if beta is None else npo_flow(m0, tau, beta=beta, **kw)

    m0 = np.array([-5.0, 0.0, 2.0, 12.0])
    assert (flow(m0, 0.0) == 0).all()
    np.testing.assert_allclose(flow(m0, 1e-9), expit(-m0) * 1e-9, rtol=1e-8)
    lost = flow(m0, np.geomspace(1e-6, 1e12, 4000)[:, None])
    assert (np.diff(lost, axis=0) > 0).all()
    # the length of a row only changes the clock
    np.testing.assert_array_equal(flow(m0, 3.0, a=[1.0, 2.0, 4.0, 8.0]), flow(m0, [3.0, 6.0, 12.0, 24.0]))
    # the speed is that of the differential equation
    tau, step = np.geomspace(0.01, 1e6, 30)[:, None], 1e-4
    slope = (flow(m0, tau * (1 + step)) - flow(m0, tau * (1 - step))) / (2 * step * tau)
    m = m0 - flow(m0, tau)
    speed = expit(-m)
    if beta is not None:
        speed = speed * 2 / (1 + (expit(m0) / expit(m)) ** beta)
    np.testing.assert_allclose(slope, speed, rtol=1e-5)


def test_late_times_forget_the_start():
    """u = −(1/β) log(2βaτ) + o(1), whatever the initial margin."""
    for beta in (0.5, 1.0, 2.0):
        m = npo_flow(np.array([-2.0, 0.0, 3.0]), 1e12, beta=beta, a=2.0, as_margin=True)
        u = -np.logaddexp(0, -m) + np.logaddexp(0, -np.array([-2.0, 0.0, 3.0]))
        np.testing.assert_allclose(u, -math.log(2 * beta * 2e12) / beta, atol=1e-4)


@pytest.mark.parametrize(("loss", "beta"), [("ga", None), ("npo", 0.5), ("npo", 1.0), ("npo", 2.0)])
def test_gradient_descent_tends_to_the_flow_at_first_order(loss, beta):
    X, y = forget_set(3, 20, norm=1.3, seed=4)
    m0, tau = np.array([-1.0, 0.5, 3.0]), 12.0
    flow = ga_flow(m0, tau, a=1.69) if loss == "ga" else npo_flow(m0, tau, beta=beta, a=1.69)
    errors = []
    for n_steps in (200, 400, 800, 1600):
        problem = {"loss": loss, "beta": beta, "step_size": 3 * tau / n_steps, "n_steps": n_steps}
        run = gradient_descent(X, y, theta_with_margins(X, y, m0), **problem, record=[n_steps])
        errors.append(m0 - run.margins[0] - flow)
    ratios = np.array(errors[:-1]) / errors[1:]
    np.testing.assert_allclose(ratios[-1], 2, atol=0.02)
    # the remainder after extrapolation is of second order
    assert np.abs(2 * errors[-1] - errors[-2]).max() < 0.02 * np.abs(errors[-1]).max()


def test_shapes_and_scalars():
    assert isinstance(ga_flow(0.0, 1.0), float) and isinstance(npo_flow(0.0, 1.0, beta=0.5), float)
    m0, tau = np.zeros((1, 3)), np.ones((5, 1))
    assert ga_flow(m0, tau).shape == npo_flow(m0, tau, beta=0.5).shape == (5, 3)
    # each entry is computed separately: neighbours change its digits by no more than rounding
    rng = np.random.default_rng(0)
    m0, tau = rng.uniform(-30, 30, 40), 10 ** rng.uniform(-6, 12, 40)
    alone = [npo_flow(m, t, beta=0.7) for m, t in zip(m0, tau, strict=True)]
    np.testing.assert_allclose(npo_flow(m0, tau, beta=0.7), alone, rtol=1e-14)


BAD = [
    (lambda: ga_flow(601, 1), ValueError, r"m0 must be between -600 and 600, got 601\.0"),
    (lambda: ga_flow([0, np.nan], 1), ValueError, "m0 must be between -600 and 600, got nan"),
    (lambda: ga_flow(0, -1), ValueError, r"tau must be at least 0 and finite, got -1\.0"),
    (lambda: ga_flow(0, np.inf), ValueError, "tau must be at least 0 and finite, got inf"),
    (lambda: ga_flow(0, 1, a=0), ValueError, r"a must be positive and finite, got 0\.0"),
    (lambda: ga_flow(0, 1e200, a=1e200), ValueError, r"a \* tau must be at most 1e\+300, got inf"),
    (lambda: ga_flow([], 1), ValueError, r"m0 must not be empty, got shape \(0,\)"),
    (lambda: ga_flow([0, 0], [1, 1, 1]), ValueError, r"m0, tau and a must broadcast, got shapes \(2,\), \(3,\), \(\)"),
    (lambda: ga_flow("x", 1), TypeError, "m0 must be an array of real numbers"),
    (lambda: npo_flow(0, 1, beta=0), ValueError, "beta must be positive"),
    (lambda: npo_flow(0, 1, beta=2e4), ValueError, r"beta must be at most 10000, got 20000\.0"),
    (lambda: npo_flow(0, None, beta=1), TypeError, "tau must be an array of real numbers"),
    (lambda: ga_flow(0, 1, as_margin="no"), TypeError, "as_margin must be True or False, got 'no'"),
    (lambda: npo_flow(0, 1, beta=1, as_margin=1), TypeError, "as_margin must be True or False, got 1"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[m for _, _, m in BAD])
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()

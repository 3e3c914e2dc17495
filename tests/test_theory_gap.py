"""theory/gap.py: Proposition 4.1 against 60-digit arithmetic, its bounds as properties."""

import itertools
import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from npo_tutorial import (
    log_ratio_at_weight,
    loss_gradient,
    npo_gap,
    npo_gap_bound,
    npo_gap_series,
    npo_loss,
    npo_weight,
)

mpmath.mp.dps = 60
log_ratios = arrays(float, st.integers(1, 6), elements=st.floats(-50, 50).filter(lambda u: u == 0 or abs(u) > 1e-6))
betas = st.floats(1e-6, 10)


def mp_gap(log_ratio, beta):
    """Reference values: the definition, (2/β)E[log(1 + e^{βu})] − (2/β) log 2 − E[u], with 60 digits."""
    beta = mpmath.mpf(beta)
    return mpmath.fsum(
        2 / beta * (mpmath.log(1 + mpmath.exp(beta * mpmath.mpf(float(u)))) - mpmath.log(2)) - mpmath.mpf(float(u))
        for u in log_ratio
    ) / len(log_ratio)


@pytest.mark.parametrize("beta", [1e-13, 1e-6, 1e-2, 1.0, 30.0, 1e3])
@pytest.mark.parametrize("u", [-1e4, -20.0, -1.5, 1e-3, 2.0, 1e4])
def test_gap_is_exact_to_rounding(u, beta):
    exact = mp_gap([u], beta)
    assert npo_gap([u], beta=beta) == pytest.approx(float(exact), rel=2e-15)


def test_obvious_forms_lose_the_gap():
    beta, log_ratios = 1e-13, np.linspace(-3, -0.1, 30)
    naive_forms = {
        "subtraction": lambda u: float(npo_loss(u, 0.0, beta=beta, centered=True)) - u,
        "log cosh": lambda u: 2 / beta * np.log(np.cosh(beta * u / 2)),
        "log1p expm1": lambda u: 2 / beta * np.log1p(np.expm1(beta * u) / 2) - u,
    }
    exact = [float(mp_gap([u], beta)) for u in log_ratios]
    for name, form in naive_forms.items():
        worst = max(abs(form(u) / e - 1) for u, e in zip(log_ratios, exact, strict=True))
        assert worst > 1e-2, name
    for u, e in zip(log_ratios, exact, strict=True):
        assert npo_gap([u], beta=beta) == pytest.approx(e, rel=5e-16)
    with np.errstate(over="ignore"):
        assert np.isinf(np.cosh(1e3 * 1e4 / 2))
    assert npo_gap([1e4], beta=1e3) == pytest.approx(1e4, rel=1e-6)


@given(log_ratios, betas)
def test_gap_lies_between_zero_and_its_bound(u, beta):
    gap = npo_gap(u, beta=beta)
    assert 0 <= gap <= npo_gap_bound(u, beta=beta) * (1 + 1e-12)
    assert npo_gap_bound(u, beta=beta) <= np.abs(u).mean() * (1 + 1e-12)


@given(log_ratios, st.floats(0.01, 10))
def test_gap_is_the_centred_loss_minus_its_limit(u, beta):
    logp, ref_logp = np.minimum(u, 0), np.minimum(-u, 0)
    centred = float(npo_loss(logp, ref_logp, beta=beta, centered=True))
    assert npo_gap(u, beta=beta) == pytest.approx(centred - u.mean(), rel=1e-9, abs=1e-11)


@given(log_ratios)
def test_gap_grows_with_beta_and_vanishes(u):
    gaps = [npo_gap(u, beta=beta) for beta in (1e-8, 1e-4, 1e-2, 1.0, 5.0)]
    assert all(a <= b * (1 + 1e-12) for a, b in itertools.pairwise(gaps))
    assert gaps[0] < 1e-5


def test_gradient_limit_of_proposition_1():
    logp, ref_logp = np.array([-3.0, -0.1, -7.0]), np.array([-1.0, -2.0, -7.0])
    errors = [
        np.abs(3 * loss_gradient(lambda x, r, b=b: npo_loss(x, r, beta=b), logp, ref_logp) - 1).max()
        for b in (1e-1, 1e-2, 1e-3)
    ]
    # w − 1 = tanh(βu/2): first order in β
    assert errors[0] / errors[1] == pytest.approx(10, rel=0.02)
    assert errors[1] / errors[2] == pytest.approx(10, rel=0.02)


def test_limit_is_not_uniform():
    for beta in (1e-1, 1e-3, 1e-5):
        assert npo_gap([-10 / beta], beta=beta) > 0.8 * 10 / beta


def test_series_has_the_printed_coefficients_and_order():
    u = np.array([-2.0, 1.0])
    beta = 1e-2
    assert npo_gap_series(u, beta=beta, n_terms=1) == pytest.approx(beta / 4 * np.mean(u**2), rel=1e-14)
    two = beta / 4 * np.mean(u**2) - beta**3 / 96 * np.mean(u**4)
    assert npo_gap_series(u, beta=beta) == pytest.approx(two, rel=1e-14)
    errors = [[abs(npo_gap_series(u, beta=b, n_terms=k) - npo_gap(u, beta=b)) for b in (0.4, 0.2)] for k in (1, 2, 3)]
    for order, (coarse, fine) in zip((3, 5, 7), errors, strict=True):
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.2)


def test_series_converges_inside_its_radius_and_not_outside():
    inside, outside = [0.9 * math.pi], [1.2 * math.pi]
    errors = [abs(npo_gap_series(inside, beta=1.0, n_terms=k) - npo_gap(inside, beta=1.0)) for k in (5, 20, 60)]
    assert errors[0] > errors[1] > errors[2]
    errors = [abs(npo_gap_series(outside, beta=1.0, n_terms=k) - npo_gap(outside, beta=1.0)) for k in (5, 20, 60)]
    assert errors[0] < errors[1] < errors[2]


def test_series_coefficients_are_exact_and_many_terms_do_not_overflow():
    exact = mpmath.taylor(lambda x: mpmath.log(mpmath.cosh(x)), 0, 12)
    for k in range(1, 7):
        last = npo_gap_series([2.0], beta=1.0, n_terms=k) - (
            npo_gap_series([2.0], beta=1.0, n_terms=k - 1) if k > 1 else 0
        )
        assert last == pytest.approx(2 * float(exact[2 * k]), rel=1e-13)
    assert npo_gap_series([2.8], beta=1.0, n_terms=200) == pytest.approx(npo_gap([2.8], beta=1.0), rel=1e-14)


def test_log_ratio_at_weight_keeps_its_digits_near_one():
    weight = 1 - 1e-9
    exact = mpmath.log(mpmath.mpf(weight) / (2 - mpmath.mpf(weight)))
    assert log_ratio_at_weight(weight, beta=1.0) == pytest.approx(float(exact), rel=1e-15)


@given(st.floats(1e-6, 1.999), betas)
def test_log_ratio_at_weight_inverts_the_weight(weight, beta):
    u = log_ratio_at_weight(weight, beta=beta)
    assert float(npo_weight(min(u, 0), min(-u, 0), beta=beta)) == pytest.approx(weight, rel=1e-9)


BAD = [
    (lambda: npo_gap([], beta=1), ValueError, r"log_ratio must not be empty, got shape \(0,\)"),
    (lambda: npo_gap([np.nan], beta=1), ValueError, "log_ratio must be finite, got nan at index 0"),
    (lambda: npo_gap([-np.inf], beta=1), ValueError, "log_ratio must be finite, got -inf"),
    (lambda: npo_gap([[1.0]], beta=1), ValueError, r"log_ratio must have 1 dimension, got shape \(1, 1\)"),
    (lambda: npo_gap(["x"], beta=1), TypeError, "log_ratio must be an array of real numbers"),
    (lambda: npo_gap([1.0], beta=0), ValueError, "beta must be positive"),
    (lambda: npo_gap_bound([1.0], beta=-1), ValueError, "beta must be positive"),
    (lambda: npo_gap_series([1.0], beta=1, n_terms=0), ValueError, "n_terms must be at least 1, got 0"),
    (lambda: npo_gap_series([1.0], beta=1, n_terms=True), TypeError, "n_terms must be an integer, got True"),
    (lambda: npo_gap([-2.0], beta=1e308), ValueError, r"overflowed: got \|log_ratio\| up to 2 with beta=1e\+308"),
    (lambda: npo_gap_bound([1e308, 1e308], beta=1), ValueError, r"overflowed: got \|log_ratio\| up to 1e\+308"),
    (lambda: npo_gap_series([1e200], beta=1), ValueError, "log_ratio or beta is too large, the result overflowed"),
    (lambda: log_ratio_at_weight(2, beta=1), ValueError, r"weight must be below 2, got 2\.0"),
    (lambda: log_ratio_at_weight(0, beta=1), ValueError, "weight must be positive"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[m for _, _, m in BAD])
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()

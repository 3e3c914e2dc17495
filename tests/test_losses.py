"""losses.py: values against mpmath, gradients against differences, the same answer in every library, clear errors."""

import math

import array_api_strict
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from npo_tutorial import (
    dpo_loss,
    dpo_weight,
    ga_loss,
    loss_gradient,
    npo_loss,
    npo_weight,
    simnpo_loss,
    simnpo_weight,
)
from tests.conftest import fourth_order_gradient

LOG_RATIOS = [-1e4, -300.0, -20.5, -1.5, -1e-3, 0.0, 1e-3, 1.5, 20.5, 300.0, 1e4]
BETAS = [1e-13, 1e-8, 1e-3, 0.1, 1.0, 7.0, 1e3]
log_probs = st.floats(-50, 0)
betas = st.floats(1e-4, 10)

# How every reference value is computed: the formula as printed in the paper, with 60 digits.
mpmath.mp.dps = 60


def mp_log_one_plus_exp(z):
    return mpmath.log(1 + mpmath.exp(z))


def mp_npo(u, beta):
    return 2 / mpmath.mpf(beta) * mp_log_one_plus_exp(mpmath.mpf(beta) * mpmath.mpf(u))


def mp_npo_centered(u, beta):
    return mp_npo(u, beta) - 2 / mpmath.mpf(beta) * mpmath.log(2)


def mp_weight(u, beta):
    return 2 / (1 + mpmath.exp(-mpmath.mpf(beta) * mpmath.mpf(u)))


def log_probs_with_ratio(u, dtype):
    """log π_θ and log π_ref ≤ 0 whose log-ratio is exactly u."""
    return np.asarray([min(u, 0.0)], dtype), np.asarray([min(-u, 0.0)], dtype)


def relative_error(value, exact):
    return float(abs(mpmath.mpf(float(value)) - exact) / abs(exact)) if exact else abs(float(value))


# Values --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("u", LOG_RATIOS)
def test_npo_equals_mpmath_over_the_whole_range(u, beta, dtype):
    logp, ref_logp = log_probs_with_ratio(u, dtype)
    exact_u = float(logp[0]) - float(ref_logp[0])
    eps, z = float(np.finfo(dtype).eps), abs(beta * exact_u)
    # e^z inherits the rounding of z, multiplied by |z|; below the smallest number of the type there is only 0
    if z < 80 or exact_u > 0:
        tolerance = eps * (4 + min(z, 80))
        assert relative_error(npo_loss(logp, ref_logp, beta=beta), mp_npo(exact_u, beta)) < tolerance
        assert relative_error(npo_weight(logp, ref_logp, beta=beta)[0], mp_weight(exact_u, beta)) < tolerance
    else:
        assert 0 <= float(npo_loss(logp, ref_logp, beta=beta)) < 1e-30
        assert 0 <= npo_weight(logp, ref_logp, beta=beta)[0] < 1e-30
    centered = npo_loss(logp, ref_logp, beta=beta, centered=True)
    assert relative_error(centered, mp_npo_centered(exact_u, beta)) < 8 * eps
    assert centered.dtype == dtype


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("u", LOG_RATIOS)
def test_dpo_equals_mpmath_over_the_whole_range(u, beta):
    rejected, ref_rejected = log_probs_with_ratio(u, np.float64)
    zero = np.zeros(1)
    exact = mp_log_one_plus_exp(mpmath.mpf(beta) * mpmath.mpf(u)) / mpmath.mpf(beta)
    loss = float(dpo_loss(zero, rejected, zero, ref_rejected, beta=beta))
    weight = dpo_weight(zero, rejected, zero, ref_rejected, beta=beta)
    assert weight.shape == (1,)
    if beta * u > -80:
        assert relative_error(loss, exact) < 100 * np.finfo(float).eps
        assert relative_error(weight[0], mp_weight(u, beta) / 2) < 100 * np.finfo(float).eps
    else:
        assert 0 <= loss < 1e-30
        assert 0 <= weight[0] < 1e-30


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("gamma", [-3.0, 0.0, 2.0, 300.0])
@pytest.mark.parametrize("beta", [1e-8, 1e-3, 2.5, 1e3])
@pytest.mark.parametrize(("logp", "n_tokens"), [(-1e4, 1), (-300.0, 7), (-20.5, 10), (-1e-3, 3), (0.0, 2)])
def test_simnpo_equals_mpmath_over_the_whole_range(logp, n_tokens, beta, gamma, dtype):
    logp = np.asarray([logp], dtype)
    z = mpmath.mpf(beta) * mpmath.mpf(float(logp[0])) / n_tokens + mpmath.mpf(gamma)
    exact = 2 / mpmath.mpf(beta) * mp_log_one_plus_exp(z)
    loss = simnpo_loss(logp, np.asarray([n_tokens]), beta=beta, gamma=gamma)
    weight = simnpo_weight(logp, np.asarray([n_tokens]), beta=beta, gamma=gamma)
    assert loss.dtype == weight.dtype == dtype and weight.shape == (1,)
    if z > -80:
        # z is a difference: its error is relative to its terms
        size = float(abs(gamma - z) + abs(gamma))
        assert relative_error(loss, exact) < float(np.finfo(dtype).eps) * (6 + 2 * size)
        assert relative_error(weight[0], mp_weight(z, 1)) < float(np.finfo(dtype).eps) * (6 + 2 * size)
    else:
        assert 0 <= float(loss) < 1e-30
        assert 0 <= weight[0] < 1e-30


def test_naive_npo_overflows_and_ours_does_not():
    u, beta = 800.0, 1.0
    with np.errstate(over="ignore"):
        assert np.isinf(2 / beta * np.log(1 + np.exp(beta * u)))
    assert float(npo_loss(0.0, -u, beta=beta)) == 2 * u


def test_naive_centred_loss_has_no_digits_left_at_small_beta():
    u, beta = -1.5, 1e-15
    naive = float(npo_loss(u, 0.0, beta=beta)) - 2 / beta * math.log(2)
    assert abs(naive / u - 1) > 1e-2
    assert float(npo_loss(u, 0.0, beta=beta, centered=True)) == pytest.approx(u, rel=3e-16)


def test_log1p_expm1_form_is_exact_but_overflows():
    def form(u, beta):
        return 2 / beta * np.log1p(np.expm1(beta * u) / 2)

    assert form(-1.5, 1e-13) == pytest.approx(float(npo_loss(-1.5, 0.0, beta=1e-13, centered=True)), rel=1e-15)
    with np.errstate(over="ignore"):
        assert np.isinf(form(800.0, 1.0))
    assert np.isfinite(npo_loss(0.0, -800.0, beta=1.0, centered=True))


def test_torch_softplus_jumps_and_logaddexp_does_not():
    z = torch.tensor([20.0, 20.0 + 1e-12], dtype=torch.float64)
    jump = torch.diff(torch.nn.functional.softplus(z)).item()
    assert jump == pytest.approx(-2.06e-9, rel=1e-2)
    ours = npo_loss(torch.zeros_like(z), -z, beta=1.0, reduction="none")
    assert abs(torch.diff(ours).item()) < 1e-11


# Identities of the theory --------------------------------------------------------------------------------------------


@given(log_probs, betas)
def test_at_the_reference_the_loss_is_log_two_and_the_weight_is_one(logp, beta):
    assert float(npo_loss(logp, logp, beta=beta)) == pytest.approx(2 / beta * math.log(2), rel=1e-15)
    assert float(npo_loss(logp, logp, beta=beta, centered=True)) == 0
    assert float(npo_weight(logp, logp, beta=beta)) == 1


@given(log_probs, log_probs, betas)
def test_npo_is_twice_dpo_whose_winner_stays_at_the_reference(logp, ref_logp, beta):
    dpo = dpo_loss(-1.0, logp, -1.0, ref_logp, beta=beta)
    assert float(npo_loss(logp, ref_logp, beta=beta)) == pytest.approx(2 * float(dpo), rel=1e-14)


@given(log_probs, log_probs, log_probs, log_probs, betas)
def test_swapping_chosen_and_rejected_changes_dpo_by_the_margin(chosen, rejected, ref_chosen, ref_rejected, beta):
    # −log σ(z) + log σ(−z) = −z
    one = float(dpo_loss(chosen, rejected, ref_chosen, ref_rejected, beta=beta))
    other = float(dpo_loss(rejected, chosen, ref_rejected, ref_chosen, beta=beta))
    margin = (chosen - ref_chosen) - (rejected - ref_rejected)
    assert one - other == pytest.approx(-margin, rel=1e-9, abs=1e-9)


@given(log_probs, log_probs, betas)
def test_npo_is_bounded_below_and_ga_is_not(logp, ref_logp, beta):
    assert float(npo_loss(logp, ref_logp, beta=beta)) > 0
    assert float(ga_loss(logp)) <= 0


def test_infimum_zero_is_approached_and_ga_diverges():
    assert float(npo_loss(-600.0, -1.0, beta=1.0)) < 1e-250
    assert float(ga_loss(-1e300)) == -1e300
    assert float(npo_loss(-np.inf, -1.0, beta=1.0)) == 0


@given(log_probs, log_probs, log_probs, log_probs, betas)
def test_dpo_weight_is_half_where_nothing_has_moved_and_swaps_to_its_complement(
    chosen, rejected, ref_chosen, ref_rejected, beta
):
    assert float(dpo_weight(chosen, rejected, chosen, rejected, beta=beta)) == 0.5
    one = float(dpo_weight(chosen, rejected, ref_chosen, ref_rejected, beta=beta))
    other = float(dpo_weight(rejected, chosen, ref_rejected, ref_chosen, beta=beta))
    assert 0 <= one <= 1
    assert one + other == pytest.approx(1, rel=1e-12)
    # leaving the chosen response at the reference, and doubling, gives NPO's weight
    npo = float(npo_weight(rejected, ref_rejected, beta=beta))
    assert 2 * float(dpo_weight(chosen, rejected, chosen, ref_rejected, beta=beta)) == pytest.approx(npo, rel=1e-14)


@given(log_probs, st.integers(1, 500), betas, st.floats(-5, 5))
def test_simnpo_weight_is_npo_s_of_the_mean_log_prob_against_a_constant_reference(logp, n_tokens, beta, gamma):
    weight = float(simnpo_weight(logp, n_tokens, beta=beta, gamma=gamma))
    down = abs(gamma) / beta
    npo = float(npo_weight(logp / n_tokens - down, -gamma / beta - down, beta=beta))
    assert weight == pytest.approx(npo, rel=1e-9)
    # and the paper's ratio of powers, without its factor 1/|y|
    power = math.exp(beta * logp / n_tokens + gamma)
    assert weight == pytest.approx(2 * power / (power + 1), rel=1e-12)


@given(log_probs, log_probs, betas)
def test_weight_is_the_paper_s_ratio_of_powers(logp, ref_logp, beta):
    power, ref_power = math.exp(beta * logp), math.exp(beta * ref_logp)
    expected = 2 * power / (power + ref_power) if power + ref_power > 0 else None
    weight = float(npo_weight(logp, ref_logp, beta=beta))
    assert 0 <= weight <= 2  # only rounding reaches 2 itself
    assert weight <= 2 / (1 + ref_power) * (1 + 1e-12)
    if expected and power > 1e-200:
        assert weight == pytest.approx(expected, rel=1e-11)


def test_weight_is_small_only_far_below_the_reference_when_beta_is_small():
    assert npo_weight([-30.4], [-1.0], beta=0.1)[0] == pytest.approx(0.1, abs=1e-3)
    assert npo_weight([-3.944], [-1.0], beta=1.0)[0] == pytest.approx(0.1, abs=1e-3)


@given(log_probs, st.integers(1, 500), betas, st.floats(-5, 5))
def test_simnpo_is_npo_of_the_mean_log_prob_against_a_constant_reference(logp, n_tokens, beta, gamma):
    loss = float(simnpo_loss(logp, n_tokens, beta=beta, gamma=gamma))
    # log-probabilities are at most 0: both are lowered by the same amount
    down = abs(gamma) / beta
    assert loss == pytest.approx(float(npo_loss(logp / n_tokens - down, -gamma / beta - down, beta=beta)), rel=1e-9)
    # and the paper's formula, with its own signs
    log_sigmoid = -np.logaddexp(0, (beta / n_tokens) * logp + gamma)
    assert loss == pytest.approx(-2 / beta * log_sigmoid, rel=1e-12)


def test_simnpo_treats_responses_of_one_mean_alike_and_npo_does_not():
    logp, n_tokens = np.array([-2.0, -20.0, -200.0]), np.array([1, 10, 100])
    assert np.ptp(simnpo_loss(logp, n_tokens, beta=2.5, reduction="none")) == 0
    assert np.ptp(npo_loss(logp, np.zeros(3), beta=2.5, reduction="none")) > 0.005


def test_a_larger_margin_raises_loss_and_weight(rng):
    logp, n_tokens = -rng.exponential(30, 5), rng.integers(1, 20, 5)
    losses = [simnpo_loss(logp, n_tokens, beta=2.5, gamma=g, reduction="none") for g in (-1.0, 0.0, 1.0)]
    slopes = [
        loss_gradient(lambda x, n, g=g: simnpo_loss(x, n, beta=2.5, gamma=g), logp, torch.tensor(n_tokens))
        for g in (-1.0, 0.0, 1.0)
    ]
    for small, large in ((0, 1), (1, 2)):
        assert (losses[small] < losses[large]).all() and (slopes[small] < slopes[large]).all()


def test_dropping_the_one_gives_twice_gradient_ascent(rng):
    logp, ref_logp = -rng.exponential(3, 20), -rng.exponential(3, 20)
    beta = 0.7
    without_one = 2 / beta * np.mean(np.log(np.exp(logp - ref_logp) ** beta))
    assert without_one == pytest.approx(2 * (float(ga_loss(logp)) - ref_logp.mean()), rel=1e-12)
    # ... which is NPO for u → +∞, and not for β → 0
    assert float(npo_loss(0.0, -200.0, beta=beta)) == pytest.approx(2 * 200, rel=1e-12)
    assert float(npo_loss(0.0, -2.0, beta=1e-6, centered=True)) == pytest.approx(2, rel=1e-5)


def test_in_code_npo_at_the_reference_is_mean_length_times_token_mean_ga():
    lengths = torch.tensor([2, 5, 11])
    token_logp = torch.full((3, 11), -0.5, dtype=torch.float64).requires_grad_()
    mask = torch.arange(11) < lengths[:, None]
    (ga,) = torch.autograd.grad(token_logp[mask].mean(), token_logp)
    logp = (token_logp * mask).sum(1)
    (npo,) = torch.autograd.grad(npo_loss(logp, logp.detach(), beta=0.3), token_logp)
    torch.testing.assert_close(npo, lengths.double().mean() * ga)
    # with a mean per sequence the two are not even proportional
    (per_sequence,) = torch.autograd.grad(((token_logp * mask).sum(1) / lengths).mean(), token_logp)
    ratio = per_sequence[mask] / npo[mask]
    assert ratio.max() / ratio.min() > 5


def test_logsigmoid_of_raw_logits_never_changes_a_probability():
    # the known bug: logits in place of log-probabilities
    features = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weights = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    start = torch.softmax(features @ weights, dim=1)
    ref_logits = features @ weights
    for _ in range(20):
        weights.requires_grad_()
        loss = -2 / 0.5 * torch.nn.functional.logsigmoid(-0.5 * (features @ weights - ref_logits)).mean()
        (gradient,) = torch.autograd.grad(loss, weights)
        weights = (weights - gradient).detach()
    assert (features @ weights - ref_logits).abs().max() > 1
    torch.testing.assert_close(torch.softmax(features @ weights, dim=1), start)


# Gradients -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("beta", [0.05, 0.5, 3.0])
def test_npo_gradient_is_the_weight_with_a_plus_sign(rng, beta, centered):
    logp, ref_logp = -1 - rng.exponential(3, 7), -1 - rng.exponential(3, 7)
    expected = npo_weight(logp, ref_logp, beta=beta) / 7
    differences = fourth_order_gradient(lambda x: float(npo_loss(x, ref_logp, beta=beta, centered=centered)), logp)
    np.testing.assert_allclose(differences, expected, rtol=1e-8, atol=1e-12)
    autograd = loss_gradient(lambda x, r: npo_loss(x, r, beta=beta, centered=centered), logp, ref_logp)
    np.testing.assert_allclose(autograd, expected, rtol=1e-13)
    assert (expected > 0).all()


@pytest.mark.parametrize("beta", [0.05, 0.5, 3.0])
def test_dpo_gradients_are_the_weight_with_opposite_signs(rng, beta):
    arguments = list(-1 - rng.exponential(2, (4, 5)))
    weight = dpo_weight(*arguments, beta=beta)
    for i, (name, sign) in enumerate([("chosen", -1), ("rejected", 1)]):

        def loss(x, i=i):
            return dpo_loss(*arguments[:i], x, *arguments[i + 1 :], beta=beta)

        differences = fourth_order_gradient(lambda x, loss=loss: float(loss(x)), arguments[i])
        tensors = [torch.tensor(a, requires_grad=True) for a in arguments]
        autograd = torch.autograd.grad(dpo_loss(*tensors, beta=beta), tensors[i])[0].numpy()
        np.testing.assert_allclose(differences, sign * weight / 5, rtol=1e-8, atol=1e-12, err_msg=name)
        np.testing.assert_allclose(autograd, sign * weight / 5, rtol=1e-13, err_msg=name)


@pytest.mark.parametrize("gamma", [-1.0, 0.0, 2.0])
@pytest.mark.parametrize("beta", [0.05, 0.5, 3.0])
def test_simnpo_gradient_is_the_weight_over_the_length(rng, beta, gamma):
    logp, n_tokens = -1 - rng.exponential(20, 7), rng.integers(1, 30, 7)
    expected = simnpo_weight(logp, n_tokens, beta=beta, gamma=gamma) / n_tokens / 7
    differences = fourth_order_gradient(lambda x: float(simnpo_loss(x, n_tokens, beta=beta, gamma=gamma)), logp)
    np.testing.assert_allclose(differences, expected, rtol=1e-8, atol=1e-12)
    autograd = loss_gradient(lambda x, n: simnpo_loss(x, n, beta=beta, gamma=gamma), logp, torch.tensor(n_tokens))
    np.testing.assert_allclose(autograd, expected, rtol=1e-13)
    with jax.enable_x64(True):
        n = jnp.asarray(n_tokens)
        slope = jax.grad(lambda x: simnpo_loss(x, n, beta=beta, gamma=gamma))(jnp.asarray(logp))
    np.testing.assert_allclose(np.asarray(slope), expected, rtol=1e-13)


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("u", [-1e4, -50.0, -1.0, -1e-9, 0.0, 1e-9, 1.0, 50.0, 1e4])
def test_autograd_has_no_kink_and_no_nan(u, centered):
    for beta in BETAS:
        logp, ref_logp = log_probs_with_ratio(u, np.float64)
        gradient = loss_gradient(lambda x, r, b=beta: npo_loss(x, r, beta=b, centered=centered), logp, ref_logp)
        np.testing.assert_allclose(gradient, npo_weight(logp, ref_logp, beta=beta), rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("u", [-1e4, -120.0, -1.0, 0.0, 1.0, 16.0, 120.0])
def test_second_derivatives_are_correct_in_torch_and_jax(u):
    # d²/du² (2/β) log(1 + e^{βu}) = 2β σ(βu) σ(−βu): double backward through logaddexp gives NaN or 0 here
    beta = 1.0
    z = mpmath.mpf(u)
    expected = float(2 * beta * mpmath.exp(z) / (1 + mpmath.exp(z)) ** 2)
    logp, ref_logp = log_probs_with_ratio(u, np.float64)
    for centered in (False, True):
        hessian = torch.autograd.functional.hessian(
            lambda x, c=centered: npo_loss(x, torch.tensor(ref_logp), beta=beta, centered=c), torch.tensor(logp)
        )
        assert float(hessian) == pytest.approx(expected, rel=1e-12, abs=1e-300)
    with jax.enable_x64(True):
        ref = jnp.asarray(ref_logp)
        slope = jax.grad(lambda x: npo_weight(x, ref, beta=beta).sum())(jnp.asarray(logp))
        curvature = jax.hessian(lambda x: npo_loss(x, ref, beta=beta))(jnp.asarray(logp))
    assert float(slope[0]) == pytest.approx(expected, rel=1e-12, abs=1e-300)
    assert float(curvature[0, 0]) == pytest.approx(expected, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_gradients_at_log_prob_minus_infinity(library):
    inf = math.inf
    cases = [
        (lambda x: ga_loss(x, reduction="sum"), [-inf, -1.0], [1, 1]),
        (lambda x: npo_loss(x, _like(x, [-1.0, -1.0]), beta=0.5, reduction="sum"), [-inf, -1.0], [0, 1]),
        (
            lambda x: npo_loss(x, _like(x, [-1.0, -1.0]), beta=0.5, reduction="sum", centered=True),
            [-inf, -1.0],
            [0, 1],
        ),
        (lambda x: simnpo_loss(x, _like(x, [4, 2]), beta=0.5, gamma=0.25, reduction="sum"), [-inf, -1.0], [0, 0.5]),
        # a rejected response of probability 0 has won already; a chosen one is pulled at full strength
        (lambda x: dpo_loss(_like(x, [-1.0]), x, *[_like(x, [-1.0])] * 2, beta=0.5, reduction="sum"), [-inf], [0]),
        (lambda x: dpo_loss(x, _like(x, [-1.0]), *[_like(x, [-1.0])] * 2, beta=0.5, reduction="sum"), [-inf], [-1]),
    ]
    for loss, at, expected in cases:
        if library == "torch":
            x = torch.tensor(at, requires_grad=True)
            gradient = torch.autograd.grad(loss(x), x)[0].tolist()
        else:
            gradient = jax.grad(loss)(jnp.asarray(at)).tolist()
        assert gradient == expected


def _like(x, values):
    return torch.tensor(values) if isinstance(x, torch.Tensor) else jnp.asarray(values)


# One body for every array library ------------------------------------------------------------------------------------


def all_losses(logp, ref_logp, n_tokens):
    return [
        ga_loss(logp),
        ga_loss(logp, reduction="sum"),
        npo_loss(logp, ref_logp, beta=0.3),
        npo_loss(logp, ref_logp, beta=0.3, reduction="none"),
        npo_loss(logp, ref_logp, beta=1e-9, centered=True),
        npo_weight(logp, ref_logp, beta=0.3),
        dpo_loss(logp, ref_logp, ref_logp, logp, beta=0.3),
        dpo_weight(logp, ref_logp, ref_logp, logp, beta=0.3),
        simnpo_loss(logp, n_tokens, beta=0.3, gamma=0.5),
        simnpo_loss(logp, n_tokens, beta=0.3, reduction="none"),
        simnpo_weight(logp, n_tokens, beta=0.3, gamma=0.5),
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("library", [torch, jnp, array_api_strict], ids=["torch", "jax", "array-api-strict"])
def test_every_library_gives_numpy_s_numbers_and_keeps_its_type(rng, library, dtype):
    logp, ref_logp = -rng.exponential(5, (3, 4)), -rng.exponential(5, (3, 4))
    n_tokens = rng.integers(1, 9, (3, 4))
    rtol = 1e-6 if dtype == "float32" else 1e-14
    with jax.enable_x64(dtype == "float64"):
        make = library.asarray
        foreign = all_losses(*(make(x, dtype=getattr(library, dtype)) for x in (logp, ref_logp)), make(n_tokens))
        ours = all_losses(logp.astype(dtype), ref_logp.astype(dtype), n_tokens)
        for a, b in zip(foreign, ours, strict=True):
            assert type(a).__module__.split(".")[0] == type(make(1.0)).__module__.split(".")[0]
            assert str(a.dtype).endswith(dtype)
            assert b.dtype == dtype
            np.testing.assert_allclose(np.asarray(a), b, rtol=rtol)


def test_lists_and_numbers_become_float64():
    assert npo_loss(-1, -2, beta=1).dtype == np.float64
    assert npo_weight([-1, -2], [-1, -1], beta=1).shape == (2,)
    assert simnpo_loss([-1, -2], [1, 2], beta=1).dtype == np.float64
    # lists of lengths become NumPy arrays, and work with NumPy's log-probabilities of any type
    assert simnpo_loss(np.asarray([-1, -2], np.float32), np.asarray([1, 2], np.uint8), beta=1).dtype == np.float32


@pytest.mark.parametrize("library", [np, torch, jnp, array_api_strict], ids=["numpy", "torch", "jax", "strict"])
def test_whole_numbers_are_taken_in_an_array_as_in_a_list(library):
    logp, ref_logp, lengths = ([-1, -4], [-2, -2], [3, 2])
    whole, floating = (
        all_losses(make(logp), make(ref_logp), library.asarray(lengths))
        for make in (library.asarray, lambda x: library.asarray([float(value) for value in x]))
    )
    for a, b in zip(whole, floating, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
    in_a_list = npo_loss(logp, ref_logp, beta=1)
    assert float(npo_loss(library.asarray(logp), library.asarray(ref_logp), beta=1)) == pytest.approx(in_a_list)


def test_jit_and_vmap_are_not_broken():
    logp, ref_logp = jnp.asarray([-1.0, -4.0]), jnp.asarray([-2.0, -2.0])
    jitted = jax.jit(lambda a, b: npo_loss(a, b, beta=0.5))(logp, ref_logp)
    assert float(jitted) == pytest.approx(float(npo_loss(logp, ref_logp, beta=0.5)))
    a, b = torch.tensor([-1.0, -4.0]), torch.tensor([-2.0, -2.0])
    per_sample = torch.func.vmap(torch.func.grad(lambda x, r: npo_loss(x, r, beta=0.5)))(a, b)
    torch.testing.assert_close(per_sample, npo_weight(a, b, beta=0.5))
    lengths = jnp.asarray([3, 2])
    jitted = jax.jit(lambda a, n: simnpo_loss(a, n, beta=0.5))(logp, lengths)
    assert float(jitted) == pytest.approx(float(simnpo_loss(logp, lengths, beta=0.5)))
    meta = npo_loss(a.to("meta"), b.to("meta"), beta=0.5)
    assert meta.device.type == "meta"


EACH_OF_BETA = {
    "npo_loss": lambda a, b, n, beta: npo_loss(a, b, beta=beta),
    "npo_loss centred": lambda a, b, n, beta: npo_loss(a, b, beta=beta, centered=True),
    "npo_weight": lambda a, b, n, beta: npo_weight(a, b, beta=beta),
    "dpo_loss": lambda a, b, n, beta: dpo_loss(a, b, b, b, beta=beta),
    "dpo_weight": lambda a, b, n, beta: dpo_weight(a, b, b, b, beta=beta),
    "simnpo_loss": lambda a, b, n, beta: simnpo_loss(a, n, beta=beta, gamma=beta),
    "simnpo_weight": lambda a, b, n, beta: simnpo_weight(a, n, beta=beta, gamma=beta),
}


@pytest.mark.parametrize("function", EACH_OF_BETA.values(), ids=EACH_OF_BETA)
def test_compiled_graphs_are_whole_without_a_warning_and_for_every_beta(function):
    arguments = torch.tensor([-1.0, -4.0]), torch.tensor([-2.0, -2.0]), torch.tensor([3, 2])
    torch.compiler.reset()
    compiled = torch.compile(function, fullgraph=True, backend="eager")
    for beta in (0.5, 0.7, 2):
        torch.testing.assert_close(compiled(*arguments, beta), function(*arguments, beta))


@pytest.mark.parametrize("function", EACH_OF_BETA.values(), ids=EACH_OF_BETA)
def test_beta_and_gamma_may_be_traced_by_jax(function):
    arguments = jnp.asarray([-1.0, -4.0]), jnp.asarray([-2.0, -2.0]), jnp.asarray([3, 2])
    for beta in (0.5, 2):
        traced = jax.jit(function)(*arguments, beta)
        assert traced.dtype == jnp.float32
        np.testing.assert_allclose(traced, function(*arguments, beta), rtol=1e-6)
        # arrays that the trace captures are constants, whose values are still checked
        captured = jax.jit(lambda beta: function(*arguments, beta))(beta)
        np.testing.assert_allclose(captured, traced, rtol=1e-6)
        np.testing.assert_allclose(function(*arguments, jnp.asarray(beta)), traced, rtol=1e-6)
    each = jax.vmap(function, in_axes=(None, None, None, 0))(*arguments, jnp.asarray([0.5, 2.0]))
    np.testing.assert_allclose(each[1], function(*arguments, 2.0), rtol=1e-6)
    # the type of the log-probabilities stays, whatever that of β is
    half = [x.astype(jnp.bfloat16) for x in arguments[:2]]
    assert jax.jit(function)(*half, arguments[2], jnp.float32(0.5)).dtype == jnp.bfloat16


def test_the_derivative_in_a_traced_beta_is_right():
    logp, ref_logp = jnp.asarray([-1.0, -4.0]), jnp.asarray([-2.0, -2.0])
    with jax.enable_x64(True):
        slope = jax.grad(lambda beta: npo_loss(logp, ref_logp, beta=beta))(0.7)
        high, low = (float(npo_loss(np.asarray([-1.0, -4.0]), [-2.0, -2.0], beta=0.7 + d)) for d in (1e-5, -1e-5))
    assert float(slope) == pytest.approx((high - low) / 2e-5, rel=1e-5)


@pytest.mark.parametrize("function", EACH_OF_BETA.values(), ids=EACH_OF_BETA)
def test_what_jax_traces_needs_log_probabilities_of_jax_below_0(function):
    numbers = [-1.0, -4.0], [-2.0, -2.0], [3, 2]
    with pytest.raises(TypeError, match="beta must come from the library of the log-probabilities where it is traced"):
        jax.jit(lambda beta: function(*numbers, beta))(0.5)
    above = jnp.asarray([-1.0, 4.0]), *map(jnp.asarray, numbers[1:])
    with pytest.raises(ValueError, match=r"logp must be log-probabilities, at most 0, got 4\.0 at index 1"):
        jax.jit(lambda beta: function(*above, beta))(0.5)


@pytest.mark.parametrize("beta", [jnp.asarray([0.5]), jnp.asarray(True), jnp.asarray(0.5j)])
def test_a_beta_of_jax_that_is_no_real_number_is_named(beta):
    with pytest.raises(TypeError, match=r"beta must be a real number, got jax.* array of dtype .* and shape"):
        npo_loss(jnp.zeros(2), jnp.zeros(2), beta=beta)
    with pytest.raises(TypeError, match=r"beta must be a real number, got jax.* array of dtype .* and shape"):
        jax.jit(lambda b: npo_loss(jnp.zeros(2), jnp.zeros(2), beta=b))(beta)
    with pytest.raises(ValueError, match=r"beta must be positive and finite, got -1\.0"):
        npo_loss(jnp.zeros(2), jnp.zeros(2), beta=jnp.asarray(-1.0))


def test_the_caller_s_array_is_not_the_result():
    logp = np.array([-1.0, -2.0])
    ga_loss(logp, reduction="none")[0] = 7
    assert logp[0] == -1


def test_loss_gradient_takes_awkward_arrays_and_rejects_those_without_a_gradient():
    logp = np.array([-1.0, -2.0])[::-1]
    logp.setflags(write=False)
    with torch.no_grad():
        np.testing.assert_allclose(loss_gradient(npo_loss, logp, ref_logp=[-2.0, -1.0], beta=1.0), [0.5, 0.5])
    with pytest.raises(TypeError, match="loss must be a function, got str 'npo'"):
        loss_gradient("npo", logp)
    with pytest.raises(TypeError, match=r"logp: torch array of dtype torch\.float64, ref_logp: float"):
        loss_gradient(npo_loss, logp, -1.0, beta=1.0)
    with pytest.raises(TypeError, match="loss must return a scalar tensor"):
        loss_gradient(npo_loss, logp, [-2.0, -1.0], beta=1.0, reduction="none")
    with pytest.raises(TypeError, match="logp must be an array of real numbers"):
        loss_gradient(ga_loss, None)
    with pytest.raises(TypeError, match=r"args\[0\] must be an array of real numbers"):
        loss_gradient(npo_loss, logp, ["a", "b"], beta=1.0)


def test_reductions(rng):
    logp, ref_logp = -rng.exponential(5, 6), -rng.exponential(5, 6)
    each = npo_loss(logp, ref_logp, beta=0.3, reduction="none")
    assert each.shape == (6,)
    assert npo_loss(logp, ref_logp, beta=0.3, reduction="sum") == pytest.approx(each.sum())
    assert npo_loss(logp, ref_logp, beta=0.3) == pytest.approx(each.mean())
    each = simnpo_loss(logp, [1, 2, 3, 4, 5, 6], beta=0.3, reduction="none")
    assert simnpo_loss(logp, [1, 2, 3, 4, 5, 6], beta=0.3, reduction="sum") == pytest.approx(each.sum())
    assert simnpo_loss(logp, [1, 2, 3, 4, 5, 6], beta=0.3) == pytest.approx(each.mean())


def test_a_log_prob_above_zero_by_rounding_is_accepted():
    assert ga_loss(np.asarray([1e-5], np.float32)) == pytest.approx(1e-5)
    with pytest.raises(ValueError, match="logp"):
        ga_loss(np.asarray([1e-5], np.float64))


# Bad input -----------------------------------------------------------------------------------------------------------

OK = [-1.0, -2.0]
BAD = [
    (lambda: npo_loss(OK, OK, beta=0), ValueError, "beta must be positive and finite, got 0"),
    (lambda: npo_loss(OK, OK, beta=-1.5), ValueError, r"beta .* got -1\.5"),
    (lambda: npo_loss(OK, OK, beta=math.nan), ValueError, "beta .* got nan"),
    (lambda: npo_loss(OK, OK, beta=math.inf), ValueError, "beta .* got inf"),
    (
        lambda: npo_loss(OK, OK, beta=1e-310),
        ValueError,
        "beta is too small or too large for 64-bit numbers, got 1e-310",
    ),
    (lambda: npo_loss(OK, OK, beta=10**400), ValueError, "beta must fit a floating-point number"),
    (lambda: npo_weight(torch.zeros(2), torch.zeros(2), beta=1e-39), ValueError, "beta is too small .* 32-bit"),
    (lambda: npo_loss(OK, OK, beta=1, centered="no"), TypeError, "centered must be True or False, got 'no'"),
    (lambda: ga_loss(np.ma.array([-1.0, 5.0], mask=[0, 1])), TypeError, "logp must not be a masked array"),
    (lambda: ga_loss([torch.tensor(-1.0, requires_grad=True)] * 2), TypeError, "logp must be an array of real numbers"),
    (lambda: npo_loss(OK, OK, beta="1"), TypeError, "beta must be a real number, got str '1'"),
    (lambda: npo_loss(OK, OK, beta=True), TypeError, "beta must be a real number, got bool True"),
    (lambda: npo_loss(OK, OK, beta=None), TypeError, "beta must be a real number, got NoneType None"),
    (lambda: npo_weight(OK, OK, beta=-1), ValueError, "beta"),
    (lambda: dpo_loss(OK, OK, OK, OK, beta=-1), ValueError, "beta"),
    (lambda: npo_loss([-1, math.nan], OK, beta=1), ValueError, "logp must not hold NaN, got nan at index 1"),
    (lambda: npo_loss(OK, [-1, math.nan], beta=1), ValueError, "ref_logp must not hold NaN"),
    (
        lambda: ga_loss([[-1.0, 0.25]]),
        ValueError,
        r"logp must be log-probabilities, at most 0, got 0\.25 at index \(0, 1\)",
    ),
    (lambda: ga_loss(torch.tensor([0.5])), ValueError, r"logp must be log-probabilities, at most 0, got 0\.5"),
    (lambda: ga_loss(jnp.asarray([0.5])), ValueError, "logp must be log-probabilities"),
    (lambda: ga_loss(torch.tensor([math.nan], dtype=torch.bfloat16)), ValueError, "logp must not hold NaN"),
    (lambda: ga_loss(math.inf), ValueError, "logp must be log-probabilities, at most 0, got inf"),
    (lambda: npo_loss(OK, [-1, -math.inf], beta=1), ValueError, "ref_logp must be finite.* got -inf at index 1"),
    (
        lambda: npo_loss(OK, [[-1.0], [-2.0]], beta=1),
        ValueError,
        r"ref_logp must have the shape of logp, \(2,\), got \(2, 1\)",
    ),
    (lambda: npo_loss(torch.zeros(2), torch.zeros(2, 1), beta=1), ValueError, r"ref_logp .* got \(2, 1\)"),
    (lambda: npo_loss(OK, -1.0, beta=1), ValueError, r"ref_logp must have the shape of logp, \(2,\), got \(\)"),
    (lambda: dpo_loss(OK, OK, OK, [-1.0], beta=1), ValueError, r"ref_rejected_logp .* got \(1,\)"),
    (lambda: dpo_loss([-math.inf], [-math.inf], [-1], [-1], beta=1), ValueError, "rejected_logp must be finite where"),
    (lambda: ga_loss([]), ValueError, r"logp must not be empty, got shape \(0,\)"),
    (lambda: ga_loss(torch.zeros(0)), ValueError, "logp must not be empty"),
    (lambda: ga_loss(np.asarray([True, False])), TypeError, "logp must hold real numbers, got dtype bool"),
    (lambda: ga_loss(torch.tensor([False])), TypeError, "logp must hold real numbers, got dtype torch.bool"),
    (lambda: ga_loss(np.asarray([-1, 3])), ValueError, "logp must be log-probabilities, at most 0, got 3.0 at index 1"),
    (lambda: ga_loss(np.asarray([-1j])), TypeError, "logp .* complex128"),
    (lambda: ga_loss("abc"), TypeError, "logp must be an array of real numbers or a number, got str 'abc'"),
    (lambda: ga_loss(None), TypeError, "logp must be an array of real numbers or a number, got NoneType"),
    (lambda: ga_loss([[1.0], [1.0, 2.0]]), TypeError, "logp must be an array of real numbers or a number, got list"),
    (
        lambda: npo_loss(torch.zeros(2), OK, beta=1),
        TypeError,
        "one array library, got logp: torch array of dtype torch.float32, ref_logp: list",
    ),
    (lambda: ga_loss(OK, reduction="avg"), ValueError, "reduction must be one of 'mean', 'sum', 'none', got 'avg'"),
    (lambda: npo_loss(OK, OK, beta=1, reduction=None), ValueError, "reduction .* got None"),
    (lambda: dpo_loss(OK, OK, OK, OK, beta=1, reduction=["mean"]), ValueError, "reduction"),
    (lambda: simnpo_loss(OK, [1, 0], beta=1), ValueError, "n_tokens must be at least 1, got 0"),
    (lambda: simnpo_loss(OK, [1, -3], beta=1), ValueError, "n_tokens must be at least 1, got -3"),
    (lambda: simnpo_loss(torch.zeros(2), torch.tensor([2, 0]), beta=1), ValueError, "n_tokens must be at least 1"),
    (lambda: simnpo_loss(OK, [1.0, 2.0], beta=1), TypeError, "n_tokens must hold integers, got dtype float64"),
    (lambda: simnpo_loss(OK, [True, True], beta=1), TypeError, "n_tokens must hold integers, got dtype bool"),
    (lambda: simnpo_loss(OK, 2.0, beta=1), TypeError, "n_tokens must hold integers, got dtype float64"),
    (lambda: simnpo_loss(OK, [[1], [1, 2]], beta=1), TypeError, "n_tokens must be an array of integers .* got list"),
    (lambda: simnpo_loss(OK, ["1", "2"], beta=1), TypeError, "n_tokens must be an array of integers .* got list"),
    (lambda: simnpo_weight(OK, [1.0, 2.0], beta=1), TypeError, "n_tokens must hold integers, got dtype float64"),
    (lambda: simnpo_weight(OK, [1, 2], beta=0), ValueError, "beta must be positive and finite, got 0"),
    (lambda: simnpo_weight(OK, [1, 2], beta=1, gamma=math.inf), ValueError, "gamma must be finite, got inf"),
    (lambda: dpo_weight(OK, OK, OK, OK, beta=-1), ValueError, "beta must be positive"),
    (lambda: dpo_weight(OK, OK, OK, [-1.0], beta=1), ValueError, r"ref_rejected_logp .* got \(1,\)"),
    (lambda: dpo_weight(OK, OK, [-1, -math.inf], OK, beta=1), ValueError, "ref_chosen_logp must be finite"),
    (lambda: dpo_weight([-math.inf], [-math.inf], [-1], [-1], beta=1), ValueError, "rejected_logp .* no margin"),
    (lambda: simnpo_loss(OK, np.ones(2), beta=1), TypeError, "n_tokens must hold integers, got dtype float64"),
    (
        lambda: simnpo_loss(torch.zeros(2), torch.ones(2), beta=1),
        TypeError,
        "n_tokens must hold integers, got dtype torch",
    ),
    (lambda: simnpo_loss(OK, np.ones(2, bool), beta=1), TypeError, "n_tokens must hold integers, got dtype bool"),
    (lambda: simnpo_loss(OK, None, beta=1), TypeError, "n_tokens .* got NoneType"),
    (lambda: simnpo_loss(OK, np.ma.array([1, 2]), beta=1), TypeError, "n_tokens must not be a masked array"),
    (lambda: simnpo_loss(OK, 3, beta=1), ValueError, r"n_tokens must have the shape of logp, \(2,\), got \(\)"),
    (lambda: simnpo_loss(OK, [[1], [2]], beta=1), ValueError, r"n_tokens .* \(2,\), got \(2, 1\)"),
    (
        lambda: simnpo_loss(torch.zeros(2), [1, 2], beta=1),
        TypeError,
        "n_tokens and logp .* library, got list",
    ),
    (
        lambda: simnpo_loss(torch.zeros(2), np.asarray([1, 2]), beta=1),
        TypeError,
        "n_tokens and logp must come from one array library, got numpy array of dtype int64 and torch array",
    ),
    (lambda: simnpo_loss(OK, torch.tensor([1, 2]), beta=1), TypeError, "n_tokens and logp .* torch array .* and numpy"),
    (lambda: simnpo_loss([-1, 0.5], [1, 1], beta=1), ValueError, r"logp must be log-probabilities.* got 0\.5"),
    (lambda: simnpo_loss([], [], beta=1), ValueError, "logp must not be empty"),
    (lambda: simnpo_loss(OK, [1, 2], beta=0), ValueError, "beta must be positive and finite, got 0"),
    (lambda: simnpo_loss(OK, [1, 2], beta=-2.5), ValueError, r"beta .* got -2\.5"),
    (lambda: simnpo_loss(OK, [1, 2], beta=1, gamma=math.inf), ValueError, "gamma must be finite, got inf"),
    (lambda: simnpo_loss(OK, [1, 2], beta=1, gamma=math.nan), ValueError, "gamma must be finite, got nan"),
    (lambda: simnpo_loss(OK, [1, 2], beta=1, gamma="0"), TypeError, "gamma must be a real number, got str '0'"),
    (lambda: simnpo_loss(OK, [1, 2], beta=1, reduction="avg"), ValueError, "reduction must be one of .* got 'avg'"),
]


@pytest.mark.parametrize(
    "call",
    [
        lambda: ga_loss(OK, "sum"),
        lambda: npo_loss(OK, OK, 1.0),
        lambda: dpo_loss(OK, OK, OK, OK, 1.0),
        lambda: simnpo_loss(OK, [1, 2], 2.5),
        lambda: npo_weight(OK, OK, 1.0),
        lambda: dpo_weight(OK, OK, OK, OK, 1.0),
        lambda: simnpo_weight(OK, [1, 2], 2.5),
    ],
)
def test_options_must_be_named(call):
    # β, γ and a log-probability are all numbers: by position they could be confused
    with pytest.raises(TypeError, match="positional argument"):
        call()


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[m for _, _, m in BAD])
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()

"""The proof on the page "divergence-proof", line by line: each lemma on random and extreme numbers.

Nothing here comes from the package: speeds and clocks are written out again, from the page.
"""

import numpy as np
import pytest
from scipy.special import exprel, lambertw, log_expit

from tests.conftest import nightly

KAPPA = 1 + lambertw(np.exp(-3)).real
CLOSE = 1e-9
NODES, WEIGHTS = np.polynomial.legendre.leggauss(12)
CASES = pytest.mark.parametrize("case", [*range(15), *nightly(*range(15, 60))])


def log_p(m0):
    return log_expit(m0)


def log_q(m0):
    return log_expit(-m0)


def log_rho(lost, m0):
    return np.logaddexp(log_p(m0), log_q(m0) + lost)


def log_f(lost, m0, beta):
    return np.logaddexp(0, beta * log_rho(lost, m0))


def log_g(lost, m0):
    return np.logaddexp(0, m0 - lost)


def log_h(lost, m0, beta):
    return np.log(2) - log_f(lost, m0, beta) - log_g(lost, m0)


def h(lost, m0, beta):
    return np.exp(log_h(lost, m0, beta))


def slope_of_log_h(lost, m0, beta):
    m = m0 - lost
    half_w = np.exp(log_expit(beta * (log_expit(m) - log_expit(m0))))
    return np.exp(log_expit(m)) - beta * (1 - half_w) * np.exp(log_expit(-m))


def integral(function, end, panels=80):
    """∫₀^end by Gauss–Legendre on equal panels, for an array of ends."""
    x = (np.arange(panels)[:, None] + (NODES + 1) / 2).ravel() / panels
    w = np.tile(WEIGHTS / 2, panels) / panels
    return np.tensordot(function(end[..., None] * x), w, axes=1) * end


def clock(lost, m0, beta):
    """F(Δ) = ∫₀^Δ ds / h(s)."""
    return integral(lambda s: np.exp(-log_h(s, m0[..., None], beta[..., None])), lost)


@pytest.fixture
def samples(rng):
    """Starts m⁰ from −30 to 30, β from 0.01 to 20, margins lost from 10⁻⁶ to 200."""
    m0 = np.concatenate([rng.uniform(-30, 30, 2000), rng.normal(0, 2, 2000)])
    beta = np.exp(rng.uniform(np.log(0.01), np.log(20), 4000))
    lost = np.exp(rng.uniform(np.log(1e-6), np.log(np.minimum(200, 200 / beta))))
    return lost, m0, beta


def at_most(small, large):
    """Both sides are positive and compared relatively."""
    return np.all(small <= large * (1 + CLOSE))


def test_lemma_speed(samples, rng):
    lost, m0, beta = samples
    m, p, q = m0 - lost, np.exp(log_p(m0)), np.exp(log_q(m0))
    w = 2 * np.exp(log_expit(beta * (log_expit(m) - log_expit(m0))))
    np.testing.assert_allclose(w * np.exp(log_expit(-m)), h(lost, m0, beta), rtol=1e-9)
    np.testing.assert_allclose(h(0, m0, beta), q, rtol=1e-12)
    assert at_most(h(lost, m0, beta), 1)
    # the slope decreases: a secant is steeper than the tangent at its end and flatter than the one at its start
    further = lost * (1 + rng.uniform(0.1, 2, lost.shape))
    secant = (log_h(further, m0, beta) - log_h(lost, m0, beta)) / (further - lost)
    rounding = 1e-14 * (1 + beta) * (1 + np.abs(m0) + further) / np.minimum(further - lost, 1)
    assert np.all(slope_of_log_h(further, m0, beta) <= secant + rounding)
    assert np.all(secant <= slope_of_log_h(lost, m0, beta) + rounding)
    assert np.all(slope_of_log_h(lost, m0, beta) >= -beta)
    np.testing.assert_allclose(slope_of_log_h(0, m0, beta), p - beta * q / 2, atol=1e-12, rtol=1e-12)


def test_lemma_exponential(samples, rng):
    lost, m0, beta = samples
    log_k = log_h(lost, m0, beta) + beta * lost
    further = lost * (1 + rng.uniform(0, 2, lost.shape))
    assert np.all(log_k <= log_h(further, m0, beta) + beta * further + 1e-10)
    assert np.all(log_q(m0) <= log_k + 1e-10)
    assert np.all(log_k <= np.log(2) - beta * log_q(m0) + 1e-10)
    s = clock(lost, m0, beta)
    grown = np.expm1(beta * lost)
    assert at_most(beta * s * np.exp(log_q(m0)), grown)
    assert at_most(grown, beta * s * np.exp(log_k))
    assert at_most(1 / (np.exp(-log_q(m0)) + beta * s), h(lost, m0, beta))


def test_lemma_chebyshev(rng):
    for _ in range(200):
        f, g = np.sort(rng.exponential(size=50)), np.sort(rng.exponential(size=50))[::-1]
        differences = np.subtract.outer(f, f) * np.subtract.outer(g, g)
        assert differences.max() <= 0
        np.testing.assert_allclose(differences.mean() / 2, np.mean(f * g) - np.mean(f) * np.mean(g), atol=1e-12)


def test_lemma_kappa():
    z = np.concatenate([np.geomspace(1, 1e12, 200_001), np.linspace(20, 22, 200_001)])
    ratio = (np.log(z) + z - 1) / (1 + z)
    best = 1 / lambertw(np.exp(-3)).real
    assert np.log(best) == pytest.approx(3 + 1 / best, abs=1e-14)
    assert 0 <= KAPPA - ratio.max() < 1e-10
    assert abs(z[ratio.argmax()] - best) < 1e-3
    assert pytest.approx(1.0475, abs=5e-5) == KAPPA


def test_lemma_late_speed(samples):
    lost, m0, beta = samples
    p, q = np.exp(log_p(m0)), np.exp(log_q(m0))
    # without the cancellation of log ρ near Δ = 0
    length = np.log1p(q * np.expm1(np.minimum(lost, 30)))
    length = np.where(lost < 30, length, log_rho(lost, m0))
    s, speed = clock(lost, m0, beta), h(lost, m0, beta)
    g = np.exp(log_g(lost, m0))

    def g_of_r(r):
        # on the curve r = log ρ: q e^Δ = e^r − p
        return 1 / (1 - p[:, None] * np.exp(-r))

    def f_of_r(r):
        return 1 + np.exp(beta[:, None] * r)

    # the substitution, as long as 1/(1 − p e^{−r}) is not too steep for equal panels
    mild = (q > 0.05) & (beta * length < 150)
    substituted = integral(lambda r: f_of_r(r) * g_of_r(r) ** 2, length, panels=400) / 2
    np.testing.assert_allclose(substituted[mild], s[mild], rtol=1e-8)
    grown = beta * length + np.expm1(beta * length)
    np.testing.assert_allclose(beta * integral(f_of_r, length), grown, rtol=1e-8)
    mean_g_square = (lost - p / q * np.expm1(-lost)) / length
    assert at_most(mean_g_square, g / q)
    assert at_most(beta * s * speed, grown / (1 + np.exp(beta * length)) * mean_g_square / g)
    assert at_most(beta * s * speed * q, KAPPA)


def test_lemma_late_speed_has_the_best_constant():
    lost = np.linspace(2, 4, 2001)
    m0, beta = np.full_like(lost, -30.0), np.ones_like(lost)
    assert np.max(clock(lost, m0, beta) * h(lost, m0, beta)) == pytest.approx(KAPPA, rel=1e-6)


def factors(m0, beta, a, alpha, epsilon):
    """q, H, λ⁻ and λ⁺ of each sample; H is where the slope of log h changes its sign, by bisection."""
    p, q = np.exp(log_p(m0)), np.exp(log_q(m0))
    low, high = np.zeros_like(m0), np.maximum(m0, 0) + 40 / np.minimum(beta, 1)
    for _ in range(80):
        middle = (low + high) / 2
        rising = slope_of_log_h(middle, m0, beta) > 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    top = np.maximum(h(low, m0, beta), q)
    longest = alpha * a * top * (1 + epsilon)
    slow = (1 - epsilon) * exprel(-np.maximum(p - beta * q / 2, 0) * longest)
    return q, top, slow, (1 + epsilon) * exprel(beta * longest)


def test_lemma_one_step(samples, rng):
    lost, m0, beta = samples
    a, epsilon = rng.uniform(0.1, 4, lost.shape), rng.uniform(0, 0.99, lost.shape)
    alpha = np.exp(rng.uniform(-6, 4, lost.shape)) / (1 + beta)
    _, top, slow, fast = factors(m0, beta, a, alpha, epsilon)
    assert at_most(h(lost, m0, beta), top)
    for side in (-1, 1):
        step = (1 + side * epsilon) * alpha * a * h(lost, m0, beta)
        inverse = integral(lambda s: np.exp(-log_h(lost[:, None] + s, m0[:, None], beta[:, None])), step)
        assert at_most(alpha * a * slow, inverse)
        assert at_most(inverse, alpha * a * fast)


def test_lemma_neighbours(samples):
    # the strongest case: both clocks of the lemma exactly at their ends
    lost, m0, beta = samples
    other, m0_other = lost[::-1] * beta[::-1] / beta, m0[::-1]
    q, top, *_ = factors(m0_other, beta, 1.0, 1.0, 0.0)
    own = np.exp(log_q(m0))
    early = top / own
    late = KAPPA * clock(lost, m0, beta) / (clock(other, m0_other, beta) * q)
    assert at_most(h(other, m0_other, beta) / h(lost, m0, beta), early + late)


def worst_case(rng, n, loss):
    """A problem exactly at the boundary of the condition: any symmetric G with that row will do."""
    m0, beta = rng.normal(0, 3, n), np.full(n, np.exp(rng.uniform(-3, 1.2)))
    a, epsilon = rng.uniform(0.3, 3, n), rng.uniform(0.01, 0.95)
    alpha = np.exp(rng.uniform(-4, 2.3))
    signs = np.where(rng.random() < 0.5, 1, rng.choice([-1, 1], (n, n)))
    size = np.abs(rng.normal(size=(n, n))) if rng.random() < 0.5 else np.ones((n, n))
    off = np.triu(signs * size, 1)
    off += off.T
    q, top, slow, fast = factors(m0, beta, a, alpha, epsilon)
    row = top[None, :] / q[:, None] + KAPPA * (fast * a)[:, None] / (slow * a * q)[None, :]
    cost = np.abs(off) * row if loss == "npo" else np.abs(off) / q[:, None]
    gram = np.diag(a) + off * (epsilon * a / cost.sum(axis=1)).min()
    return m0, beta, a, epsilon, alpha, gram, (q, slow, fast)


@CASES
def test_theorem_npo(case):
    rng = np.random.default_rng([case, 1])
    n = int(rng.integers(2, 7))
    m0, beta, a, epsilon, alpha, gram, (q, slow, fast) = worst_case(rng, n, "npo")
    lost = np.zeros(n)
    off = gram - np.diag(a)
    for t in range(1, 1001):
        speed = h(lost, m0, beta)
        assert at_most(np.abs(off @ speed), epsilon * a * speed)
        lost = lost + alpha * gram @ speed
        if t in (1, 2, 3, 10, 30, 100, 300, 1000):
            s = a * alpha * t
            assert at_most(slow * s, clock(lost, m0, beta))
            assert at_most(clock(lost, m0, beta), fast * s)
            assert at_most(np.log1p(beta * q * slow * s), beta * lost)
            assert at_most(beta * lost, np.log1p(2 * beta * q**-beta * fast * s))


@CASES
def test_theorem_ga(case):
    rng = np.random.default_rng([case, 2])
    n = int(rng.integers(2, 7))
    m0, _, a, epsilon, alpha, gram, (q, *_) = worst_case(rng, n, "ga")
    lost = np.zeros(n)
    for t in range(1, 1001):
        lost = lost + alpha * gram @ np.exp(log_expit(lost - m0))
        reading, s = lost - np.exp(m0) * np.expm1(-lost), a * alpha * t
        late = (1 + epsilon) * a * alpha * np.exp(m0)
        assert at_most(reading, (1 + epsilon) * s)
        assert at_most((1 - epsilon) * s, reading + late)
        assert at_most((1 - epsilon) * q * s, lost)


def test_corollary_uniform(rng):
    # unequal lengths and starts: the condition with the radii alone implies the condition of the theorem
    for _ in range(500):
        n, beta = int(rng.integers(2, 8)), np.exp(rng.uniform(-3, 1.2))
        r, bound, epsilon, alpha = rng.uniform(0.3, 1), rng.uniform(0, 3), rng.uniform(0.01, 0.95), rng.uniform(0.01, 4)
        big = r * rng.uniform(1, 3)
        a = rng.uniform(r**2, big**2, n)
        m0 = rng.uniform(-1, 1, n) * bound * np.sqrt(a)
        least = np.exp(log_expit(-big * bound))
        longest = alpha * big**2 * (1 + epsilon)
        spread = (1 + epsilon) * exprel(beta * longest) / ((1 - epsilon) * exprel(-longest))
        coherence = epsilon * r**2 * least / (1 + KAPPA * spread) / n
        q, top, slow, fast = factors(m0, np.full(n, beta), a, alpha, epsilon)
        row = top[None, :] / q[:, None] + KAPPA * (fast * a)[:, None] / (slow * a * q)[None, :]
        assert at_most(coherence * (row.sum(axis=1) - np.diag(row)), epsilon * a)


def test_the_page_s_condition_has_little_room():
    # one well-learned sample next to a forgotten one: at the first step the band breaks 8% above the condition
    m0, beta, a, epsilon, alpha = np.array([10.0, -10.0]), np.ones(2), np.ones(2), 0.01, 1e-4
    q, top, slow, fast = factors(m0, beta, a, alpha, epsilon)
    row = top[None, :] / q[:, None] + KAPPA * fast[:, None] / (slow * q)[None, :]
    allowed = epsilon / max(row[0, 1], row[1, 0])
    for times, inside in ((1.0, True), (1.08, False)):
        gram = np.array([[1, times * allowed], [times * allowed, 1]])
        reading = clock(alpha * gram @ h(np.zeros(2), m0, beta), m0, beta)
        assert (reading <= fast * alpha * (1 + CLOSE)).all() == inside

"""theory/bounds.py: bands that hold on problems made to break them, constants from their formulas, every rejection."""

import math
import pickle
from dataclasses import asdict

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from npo_tutorial import (
    divergence_bounds,
    forget_set,
    gradient_descent,
    npo_flow,
    theta_with_margins,
    uniform_constants,
)
from tests.conftest import nightly

KAPPA_STAR = 1.04747849102486547
ALMOST = 1 - 1e-6


def log_uniform(rng, low, high, size=None):
    return np.exp(rng.uniform(np.log(low), np.log(high), size))


def rows_with_gram(rng, gram):
    """Rows with this signed Gram matrix in slightly more dimensions than needed, and random labels."""
    values, vectors = np.linalg.eigh(gram)
    rotation = np.linalg.qr(rng.standard_normal((len(gram) + 2, len(gram))))[0]
    y = rng.integers(0, 2, len(gram))
    return (2 * y - 1)[:, None] * (vectors * np.sqrt(values)) @ vectors.T @ rotation.T, y


def worst_signs(rng, n):
    """All neighbours help, all hinder, two camps that do either, or random signs."""
    camps = rng.choice([-1, 1], n)
    mixed = np.triu(rng.choice([-1, 1], (n, n)), 1)
    return [np.ones((n, n)), -np.ones((n, n)), np.outer(camps, camps), -np.outer(camps, camps), mixed + mixed.T][
        rng.integers(5)
    ]


def pattern(rng, n):
    """Which inner products are large: all, those of one sample, or a few at random."""
    star = np.zeros((n, n))
    star[0, 1:] = star[1:, 0] = 1
    random = np.triu(rng.random((n, n)) ** 4, 1)
    return [np.ones((n, n)) - np.eye(n), star, random + random.T][rng.integers(3)]


def sharp_problem(rng, n, loss):
    """A problem of the sharp form at its condition; for GA at the condition of some ε."""
    while True:
        a, m0 = log_uniform(rng, 0.1, 4, n), rng.uniform(-4, 4) + rng.normal(0, 1.5, n)
        ratio = log_uniform(rng, 1e-3, 10)
        problem = {"loss": loss, "beta": log_uniform(rng, 0.02, 3) if loss == "npo" else None, "step_size": n * ratio}
        products = pattern(rng, n) * worst_signs(rng, n) * a.min() / (2 * n)
        X, y = rows_with_gram(rng, np.diag(a) + products)
        load = divergence_bounds(X, y, theta_with_margins(X, y, m0), **problem).load
        if load:
            products *= ALMOST / load * (1 if loss == "npo" else rng.choice([0.1, 0.5, 0.9]))
        if n == 1 or np.abs(products).max() > 1e-9:  # otherwise rounding decides whether the condition holds
            X, y = rows_with_gram(rng, np.diag(a) + products)
            return X, y, theta_with_margins(X, y, m0), problem


def uniform_problem(rng, n, loss):
    """A problem of the uniform form, with all inner products at C₀/n and the radii attained."""
    while True:
        r, R0, ratio = log_uniform(rng, 0.3, 2), rng.uniform(0, 2), log_uniform(rng, 1e-3, 1)
        R = r * rng.uniform(1, 1.5)
        beta = log_uniform(rng, 0.02, 3) if loss == "npo" else None
        C0 = uniform_constants(r, R, R0, loss=loss, beta=beta, step_ratio=ratio).C0
        if C0 > 1e-8:
            break
    norms = np.concatenate([[r, R], rng.uniform(r, R, max(n - 2, 0))])[-n:]
    gram = ALMOST * C0 / n * worst_signs(rng, n)
    np.fill_diagonal(gram, norms**2)
    X, y = rows_with_gram(rng, gram)
    # the best learned sample possible under R₀, or anything
    direction = (2 * y[-1] - 1) * X[-1] if rng.random() < 0.5 else rng.standard_normal(X.shape[1])
    return X, y, R0 * direction / np.linalg.norm(direction), {"loss": loss, "beta": beta, "step_size": n * ratio}


def run_all(problems, n_steps):
    """One run of all problems, which have the same size and loss, at some forty recorded steps."""
    X, y, theta, options = zip(*problems, strict=True)
    step_size, beta = [o["step_size"] for o in options], [o["beta"] for o in options]
    record = np.unique(np.geomspace(1, n_steps, 40).astype(int))
    batch = np.stack(X), np.stack(y), np.stack(theta)
    settings = {"loss": options[0]["loss"], "beta": None if beta[0] is None else beta, "step_size": step_size}
    run = gradient_descent(*batch, **settings, n_steps=n_steps, record=[0, *record.tolist()])
    return record, run.margins[:, :1] - run.margins[:, 1:], run.distance[:, 1:]


FORMS = {"sharp": (sharp_problem, True), "uniform": (uniform_problem, False)}


@pytest.mark.parametrize("n_steps", [2000, *nightly(100_000)])
@pytest.mark.parametrize("loss", ["npo", "ga"])
@pytest.mark.parametrize("form", FORMS)
def test_no_trajectory_leaves_its_band_at_the_condition(form, loss, n_steps):
    """1120 problems in all, coherence at the bound with adverse signs; each sample and the distance at every record."""
    make, sharp = FORMS[form]
    rng = np.random.default_rng([len(form), len(loss), n_steps])
    gaps = []
    for n in range(1, 9) if n_steps < 10_000 else (2, 8):
        number = (40 if loss == "npo" else 20) if n_steps < 10_000 else 20
        problems = [make(rng, n, loss) for _ in range(number)]
        steps, lost, distance = run_all(problems, n_steps)
        for k, (X, y, theta, options) in enumerate(problems):
            bounds = divergence_bounds(X, y, theta, **options, sharp=sharp)
            assert bounds.applies, bounds.reason
            if loss == "npo" and n > 1:
                assert bounds.load > 1 - 1e-4
            lower, upper = bounds.lower(steps, per_sample=True), bounds.upper(steps, per_sample=True)
            assert (lower <= lost[k]).all() and (lost[k] <= upper).all()
            assert (bounds.lower(steps) <= distance[k]).all() and (distance[k] <= bounds.upper(steps)).all()
            gaps.append([np.min(lost[k] / lower), np.min(upper / lost[k])])
    if sharp and n_steps < 10_000:
        # the bands are tight: they would not hold whatever the trajectory
        assert (np.min(gaps, axis=0) < 1.02).all()


def test_band_breaks_just_outside_the_condition():
    """One well learned, short row among three long ones: at 1.02 times the allowed coherence it leaves the band."""
    star = np.zeros((4, 4))
    star[0, 1:] = star[1:, 0] = -1
    a, m0 = np.diag([1.0, 10.0, 10.0, 10.0]), np.array([3.0, -3.0, -3.0, -3.0])
    options, rng = {"loss": "npo", "beta": 1.0, "step_size": 0.04}, np.random.default_rng(0)

    def problem(coherence):
        X, y = rows_with_gram(rng, a + coherence * star)
        return X, y, theta_with_margins(X, y, m0), options

    X, y, theta, _ = problem(0.01)
    allowed = 0.01 / divergence_bounds(X, y, theta, **options).load
    X, y, theta, _ = problem(allowed * ALMOST)
    bounds = divergence_bounds(X, y, theta, **options)
    assert bounds.applies
    broken = {}
    for factor in (ALMOST, 1.02, 1.5):
        outside = problem(factor * allowed)
        assert divergence_bounds(*outside[:3], **options).applies == (factor < 1)
        steps, lost, _ = run_all([outside], 10_000)
        inside = (bounds.lower(steps, per_sample=True) <= lost[0]) & (lost[0] <= bounds.upper(steps, per_sample=True))
        broken[factor] = not inside.all()
    assert broken == {ALMOST: False, 1.02: True, 1.5: True}


def test_example_with_orthonormal_rows():
    X, y = forget_set(4, 50, seed=0)
    theta = theta_with_margins(X, y, 1.0)
    options = {"loss": "npo", "beta": 1.0, "step_size": 0.4}
    distance = gradient_descent(X, y, theta, **options, n_steps=1000, record=[1000]).distance[0]
    sharp, uniform = (divergence_bounds(X, y, theta, **options, sharp=sharp) for sharp in (True, False))
    numbers = [distance, sharp.lower(1000), sharp.upper(1000), uniform.lower(1000), uniform.upper(1000)]
    np.testing.assert_allclose(numbers, [13.0110, 12.980, 13.054, 3.88, 14.97], atol=5e-3)
    np.testing.assert_allclose(numbers[:3], [13.0110, 12.980, 13.054], atol=5e-4)


# Constants --------------------------------------------------------------------------------------------------------


def speed(lost, m0, beta):
    q, p = expit(-m0), expit(m0)
    return 2 / (1 + (p + q * np.exp(lost)) ** beta) * q / (q + p * np.exp(-lost))


def phi(x):
    return np.expm1(x) / x


def test_sharp_constants_and_the_choice_of_epsilon():
    """The condition of the theorem, written out again, over a fine grid of ε."""
    rng = np.random.default_rng(1)
    for _ in range(40):
        n, beta, ratio = rng.integers(2, 6), log_uniform(rng, 0.05, 4), log_uniform(rng, 1e-2, 3)
        a, m0 = log_uniform(rng, 0.3, 3, n), rng.uniform(-3, 4, n)
        products = pattern(rng, n) * 10 ** rng.uniform(-5, -1.5)
        X, y = rows_with_gram(rng, np.diag(a) + products * worst_signs(rng, n))
        theta = theta_with_margins(X, y, m0)
        bounds = divergence_bounds(X, y, theta, loss="npo", beta=beta, step_size=ratio * n)
        q, p = expit(-m0), expit(m0)
        H = speed(np.linspace(0, 12, 4001)[:, None], m0, beta).max(axis=0)
        nu = np.maximum(p - beta * q / 2, 1e-12)

        def rates(epsilon, a=a, ratio=ratio, H=H, nu=nu, beta=beta):
            S = (1 + epsilon) * ratio * a * H
            return (1 - epsilon) * phi(-nu * S), (1 + epsilon) * phi(beta * S)

        def left_over_right(epsilon, products, a=a, q=q, H=H, rates=rates):
            low, high = rates(epsilon)
            factor = H / q[:, None] + KAPPA_STAR * (high * a)[:, None] / (low * a * q)
            return ((products * factor).sum(axis=1) / (epsilon * a)).max()

        grid = np.concatenate([np.geomspace(1e-7, 0.5, 2000), 1 - np.geomspace(1e-4, 0.5, 2000)])
        loads = np.array([left_over_right(epsilon, products) for epsilon in grid])
        assert bounds.load <= loads.min() * (1 + 1e-6)
        assert bounds.load == pytest.approx(loads.min(), rel=1e-3)
        even = min(left_over_right(epsilon, 1 - np.eye(n)) for epsilon in grid)
        assert pytest.approx(n / even, rel=1e-3) == bounds.C0
        assert bounds.applies == (bounds.load <= 1)
        assert bounds.coherence == pytest.approx(products.max(), rel=1e-9)
        np.testing.assert_allclose(bounds.constants.H, H, rtol=1e-5)
        np.testing.assert_allclose(bounds.constants.nu, nu, atol=1e-9)
        np.testing.assert_allclose(bounds.constants.q, q, rtol=1e-9)
        if bounds.applies:
            # the smallest ε that the condition allows; the search does not stop at another end of the interval
            assert left_over_right(bounds.epsilon * (1 + 1e-5), products) <= 1 + 1e-5
            assert left_over_right(bounds.epsilon * (1 - 1e-3), products) > 1
            assert bounds.epsilon <= grid[loads <= 1].min() * (1 + 1e-6)
            low, high = rates(bounds.epsilon)
            np.testing.assert_allclose(np.exp(bounds.constants.log_lambda_lo), low, rtol=1e-5)
            np.testing.assert_allclose(np.exp(bounds.constants.log_lambda_hi), high, rtol=1e-5)
            upper = npo_flow(m0, high * a * ratio * 50, beta=beta)
            np.testing.assert_allclose(bounds.upper(50, per_sample=True), upper, rtol=1e-5)


def test_kappa_star():
    z = np.linspace(1, 200, 100_001)
    assert np.max((np.log(z) + z - 1) / (1 + z)) == pytest.approx(KAPPA_STAR, abs=1e-9)


def test_ga_epsilon_and_floor():
    X, y = forget_set(3, 9, coherence=0.05, seed=3)
    m0 = np.array([2.0, 0.0, -1.0])
    bounds = divergence_bounds(X, y, theta_with_margins(X, y, m0), loss="ga", step_size=0.3)
    assert bounds.epsilon == bounds.load == pytest.approx(0.1 / expit(-2.0))
    assert pytest.approx(1.5 * expit(-2.0)) == bounds.C0
    # before the clock has caught up with the lag, the first speed counts
    floor = (1 - bounds.epsilon) * expit(-m0) * 0.1
    np.testing.assert_allclose(bounds.lower(1, per_sample=True)[0], floor[0], rtol=1e-9)
    assert (bounds.lower(1000, per_sample=True) > 2 * 1000 * floor)[0]


@given(st.floats(0.1, 2), st.floats(1, 3), st.floats(0, 60), st.floats(0.02, 5), st.floats(1e-6, 10))
def test_uniform_constants_against_mpmath(r, ratio, R0, beta, step_ratio):
    """The formulas with 50 digits; large βRR₀ leaves the range of floats but not that of the logarithms."""
    R = r * ratio
    found = uniform_constants(r, R, R0, loss="npo", beta=beta, step_ratio=step_ratio)
    with mpmath.workdps(50):
        r, R, beta, step = (mpmath.mpf(x) for x in (r, R, beta, step_ratio))
        q = 1 / (1 + mpmath.exp(R * mpmath.mpf(R0)))
        x = step * beta * (R**2 + r**2 * q / 2)
        low = beta * r**2 * q / 2
        high = beta * (2 * R**2 * q**-beta + r**2 * q / 2) * mpmath.expm1(x) / x
        exact = {"q": q, "kappa_lo": low, "kappa_hi": high, "C0": r**2 * q ** (1 + beta) * low / high / 4}
        for name, value in exact.items():
            assert getattr(found, f"log_{name}") == pytest.approx(float(mpmath.log(value)), rel=1e-12, abs=1e-12)
            assert getattr(found, name) == pytest.approx(float(value), rel=1e-9, abs=1e-300)
        ga = uniform_constants(float(r), float(R), R0, loss="ga")
        for name, value in {"C0": r**2 * q / 2, "C1": r**2 * q / 2, "C2": R**2 + r**2 * q / 2}.items():
            assert getattr(ga, name) == pytest.approx(float(value), rel=1e-9)


def test_record_of_the_uniform_form_is_its_constants_at_the_measured_radii():
    X, y = np.diag([1.0, 2.0, 1.5]), [0, 1, 1]
    theta = np.array([0.3, -0.4, 0.0])
    options = {"loss": "npo", "beta": 0.7}
    bounds = divergence_bounds(X, y, theta, **options, step_size=0.6, sharp=False)
    expected = uniform_constants(1, 2, 0.5, **options, step_ratio=0.2)
    for name, value in asdict(expected).items():
        assert getattr(bounds.constants, name) == (value if value is None else pytest.approx(value, rel=1e-12))
    assert (expected.r, expected.R, expected.R0) == (1, 2, 0.5)
    assert bounds.epsilon is None and bounds.load == 0 and bounds.constants.C0 == bounds.C0
    tau = 0.2 * np.array([1, 10, 1e6])
    for name, bound in {"kappa_lo": bounds.lower, "kappa_hi": bounds.upper}.items():
        exact = math.sqrt(3) / 0.7 * np.log1p(getattr(expected, name) * tau)
        np.testing.assert_allclose(bound([1, 10, 1e6]), exact, rtol=1e-10)
    ga = divergence_bounds(X, y, theta, loss="ga", step_size=0.6, sharp=False)
    expected = uniform_constants(1, 2, 0.5, loss="ga")
    np.testing.assert_allclose(ga.upper(5), expected.C2 / math.sqrt(3) * 0.6 * 5, rtol=1e-10)
    np.testing.assert_allclose(ga.lower(5), expected.C1 / math.sqrt(3) * 0.6 * 5, rtol=1e-10)


def test_constants_have_the_names_of_both_losses_and_none_where_a_loss_has_no_such_constant():
    X, y = forget_set(3, 9, seed=0)
    of_npo = {"kappa_lo", "kappa_hi", "log_kappa_lo", "log_kappa_hi", "H", "nu", "log_lambda_lo", "log_lambda_hi"}
    for options, absent in ((NPO, {"C1", "C2"}), (GA, of_npo)):
        for bounds in both(X, y, np.zeros(9), **options):
            constants = asdict(bounds.constants)
            assert {name for name, value in constants.items() if value is None} == absent & constants.keys()
    for options in (NPO, GA):
        for bounds in both(np.zeros((1, 2)), [1], np.zeros(2), **options):
            assert bounds.constants is None


# Records ----------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["npo", "ga"]), st.sampled_from(list(FORMS)))
def test_invariances_and_shapes(seed, loss, form):
    rng = np.random.default_rng(seed)
    make, sharp = FORMS[form]
    n = int(rng.integers(1, 6))
    X, y, theta, options = make(rng, n, loss)
    steps = np.array([0, 1, 7, 1000, 10**5])
    bounds = divergence_bounds(X, y, theta, **options, sharp=sharp)
    lower, upper = bounds.lower(steps, per_sample=True), bounds.upper(steps, per_sample=True)
    assert lower.shape == upper.shape == (5, n)
    assert (lower[0] == 0).all() and (upper[0] == 0).all() and (lower <= upper).all()
    assert (np.diff(upper, axis=0) > 0).all() and (np.diff(lower, axis=0) >= 0).all()
    np.testing.assert_allclose(bounds.upper(steps), np.linalg.norm(upper, axis=1), rtol=1e-12)
    np.testing.assert_allclose(bounds.upper(7, per_sample=True), upper[2], rtol=1e-12)
    assert np.shape(bounds.lower(7)) == ()
    assert pickle.loads(pickle.dumps(bounds)).upper(7) == bounds.upper(7)
    signed = divergence_bounds((2 * y - 1)[:, None] * X, np.ones(n), theta, **options, sharp=sharp)
    flip = np.where(rng.random(n) < 0.5, 1, -1)
    flipped = divergence_bounds(flip[:, None] * X, np.where(flip > 0, y, 1 - y), theta, **options, sharp=sharp)
    turn = np.linalg.qr(rng.standard_normal((X.shape[1], X.shape[1])))[0]
    turned = divergence_bounds(X @ turn, y, turn.T @ theta, **options, sharp=sharp)
    order = rng.permutation(n)
    permuted = divergence_bounds(X[order], y[order], theta, **options, sharp=sharp)
    for other, columns in ((signed, slice(None)), (flipped, slice(None)), (turned, slice(None)), (permuted, order)):
        for name in ("load", "coherence", "C0"):
            assert getattr(other, name) == pytest.approx(getattr(bounds, name), rel=1e-5, abs=1e-14)
        if bounds.applies and other.applies:
            np.testing.assert_allclose(other.lower(steps, per_sample=True), lower[:, columns], rtol=1e-3, atol=1e-12)
            np.testing.assert_allclose(other.upper(steps, per_sample=True), upper[:, columns], rtol=1e-3, atol=1e-12)


def both(X, y, theta, **options):
    return [divergence_bounds(X, y, theta, **options, sharp=sharp) for sharp in (True, False)]


NPO = {"loss": "npo", "beta": 1.0, "step_size": 0.4}
GA = {"loss": "ga", "step_size": 0.4}


@pytest.mark.parametrize("options", [NPO, GA], ids=["npo", "ga"])
def test_coherent_rows_are_rejected_with_the_factor(options):
    X, y = forget_set(4, 50, coherence=0.3, seed=2)
    for bounds in both(X, y, theta_with_margins(X, y, 1.0), **options):
        assert not bounds.applies and bounds.epsilon is None
        factor = float(bounds.reason.split("inner products are ")[1].split(" times too large")[0])
        assert factor == pytest.approx(bounds.load, rel=1e-2) and bounds.load > 1
        assert f"is 0.3; a coherence up to C0/n = {bounds.C0 / 4:.3g} is always small enough" in bounds.reason
        for bound in (bounds.lower, bounds.upper):
            with pytest.raises(ValueError, match=r"the bounds do not apply: the inner products are .* too large"):
                bound(10)
        # with inner products smaller by this factor the condition holds, up to rounding
        X_less, y_less = forget_set(4, 50, coherence=0.3 / bounds.load * ALMOST, seed=2)
        less = both(X_less, y_less, theta_with_margins(X_less, y_less, 1.0), **options)
        assert less[0].applies


def test_sharp_reason_says_what_the_uniform_form_finds():
    X, y = forget_set(4, 50, coherence=0.3, seed=2)
    sharp, uniform = both(X, y, np.zeros(50), **NPO)
    assert sharp.reason.endswith("the form with sharp=False does not apply either")
    assert "sharp" not in uniform.reason
    # long steps at a small β: the rare case in which only the uniform form holds
    X, y = forget_set(2, 9, coherence=2e-3, seed=0)
    sharp, uniform = both(X, y, np.zeros(9), loss="npo", beta=0.01, step_size=200)
    assert uniform.applies and not sharp.applies
    assert sharp.reason.endswith("the form with sharp=False applies")


def test_conflicting_labels_on_one_x_are_rejected_by_name():
    X = np.array([[1.0, 0, 0], [0, 1, 0], [0, 1, 0]])
    for options in (NPO, GA):
        for bounds in both(X, [1, 0, 1], np.zeros(3), **options):
            assert not bounds.applies
            assert "between samples 1 and 2, is 1;" in bounds.reason
            assert "samples 1 and 2 pull on one x in opposite directions" in bounds.reason
        twice = divergence_bounds(X, [1, 1, 1], np.zeros(3), **options)
        assert not twice.applies and "opposite" not in twice.reason


def test_a_zero_row_is_rejected():
    for options in (NPO, GA):
        for bounds in both([[1.0, 0.0], [0.0, 0.0]], [1, 0], [0.0, 0.0], **options):
            assert not bounds.applies
            assert bounds.reason.startswith("row 1 of X is zero")
            assert (bounds.load, bounds.C0, bounds.coherence) == (math.inf, 0, 0)


def test_more_samples_than_dimensions_are_rejected():
    rng = np.random.default_rng(0)
    for options in (NPO, GA):
        assert not any(
            bounds.applies for bounds in both(rng.standard_normal((6, 4)), np.ones(6), np.zeros(4), **options)
        )


def test_one_sample_needs_no_condition():
    for options in (NPO, GA):
        for sharp, bounds in zip((True, False), both([[2.0]], [1], [0.7], **options), strict=True):
            assert bounds.applies and bounds.load == bounds.coherence == 0
            assert (math.inf == bounds.C0) == sharp
            run = gradient_descent([[2.0]], [1], [0.7], **options, n_steps=300)
            assert (bounds.lower(run.steps) <= run.distance).all() and (run.distance <= bounds.upper(run.steps)).all()


@pytest.mark.parametrize("sharp", [True, False])
@pytest.mark.parametrize(
    ("norm", "margin", "beta", "step_size"),
    [
        (1, 1, 1, 1e5),  # λ⁺ overflows
        (1, 1, 1, 1e300),
        (1, 1, 50, 1e6),
        (30, 1, 3, 10),
        (1, 800, 0.5, 1),  # margins beyond those of the flow
        (1, -800, 0.5, 1),
        (1, 500, 3, 1),
        (1, 2, 3e4, 1),  # and β is large
        (1e-150, 1e-3, 1, 1),
        (50, 2500, 3, 1),  # the radii of a uniform C0 = 1e-9000
        (1, 1, None, 1e300),
        (1, 800, None, 1),
        (1, -800, None, 1),
        (50, 2500, None, 1e-3),
        (1, 1e5, None, 1e300),
        (1, 1, 1, 1.7e308),
        (1, 1, 1e307, 1e5),
        (1, 700, 1e307, 1),
        (1, 1e308, 1e5, 1),
        (1e150, 0.1, 1e-5, 1),
    ],
)
def test_overflow_leaves_true_bounds(norm, margin, beta, step_size, sharp):
    X, y = norm * np.diag([1.0, 1, 1]), np.array([1, 0, 1])
    theta = (2 * y - 1) * margin / norm
    options = {"loss": "ga" if beta is None else "npo", "beta": beta, "step_size": step_size}
    bounds = divergence_bounds(X, y, theta, **options, sharp=sharp)
    assert bounds.applies
    steps = [0, 1, 10, 100]
    lost = margin - gradient_descent(X, y, theta, **options, n_steps=100, record=steps).margins
    lower, upper = bounds.lower(steps, per_sample=True), bounds.upper(steps, per_sample=True)
    rounding = 1e-12 * abs(margin)
    assert (lower <= lost + rounding).all() and (lost <= upper + rounding).all()
    assert np.isfinite(lower).all() and (lower[0] == 0).all() and (upper[0] == 0).all()
    late = bounds.lower([1e12, 1e100], per_sample=True), bounds.upper([1e12, 1e100], per_sample=True)
    assert (late[0] >= 0).all() and (late[0] <= late[1]).all() and np.isfinite(late[0]).all()


@pytest.mark.parametrize("options", [{"loss": "npo", "beta": 1.0}, {"loss": "ga"}], ids=["npo", "ga"])
def test_rounding_stays_within_a_thin_band(options):
    """One sample and tiny steps: in exact arithmetic the band is as thin as 10⁻¹⁴ of the distance."""
    problem = [[2.0]], [1], [0.7]
    run = gradient_descent(*problem, **options, step_size=1e-14, n_steps=1000)
    bounds = divergence_bounds(*problem, **options, step_size=1e-14)
    assert (bounds.lower(run.steps) <= run.distance).all() and (run.distance <= bounds.upper(run.steps)).all()
    assert bounds.upper(1000) / bounds.lower(1000) < 1 + 1e-11


def test_tiny_coherence_and_huge_steps_give_no_nan():
    X, y = forget_set(3, 9, coherence=1e-3, seed=0)
    for step_size in (1e-12, 1e3, 1e6, 1e300, 1.7e308):
        bounds = divergence_bounds(X, y, np.zeros(9), loss="npo", beta=2.0, step_size=step_size)
        assert bounds.applies == (bounds.load <= 1)
        assert bounds.load > 0 and bounds.C0 >= 0


def test_bad_input_is_named():
    X, y, theta = np.eye(2), [1, 0], [0.0, 0.0]
    with pytest.raises(ValueError, match="beta must be given with loss='npo', got None"):
        divergence_bounds(X, y, theta, loss="npo", step_size=1)
    with pytest.raises(ValueError, match="beta must be left out with loss='ga'"):
        divergence_bounds(X, y, theta, loss="ga", beta=1, step_size=1)
    with pytest.raises(ValueError, match="loss must be one of 'ga', 'npo', got 'dpo'"):
        divergence_bounds(X, y, theta, loss="dpo", step_size=1)
    with pytest.raises(ValueError, match="step_size must be positive and finite, got 0"):
        divergence_bounds(X, y, theta, loss="ga", step_size=0)
    with pytest.raises(ValueError, match="theta_init must have one entry for each column of X"):
        divergence_bounds(X, y, [0.0], loss="ga", step_size=1)
    with pytest.raises(ValueError, match="X or theta_init is too large, the inner products overflow"):
        divergence_bounds(1e200 * X, y, theta, loss="ga", step_size=1)
    bounds = divergence_bounds(X, y, theta, loss="ga", step_size=1)
    for t in (-1, np.nan, np.inf, [[1]], []):
        with pytest.raises(ValueError, match="t must be a number of steps ≥ 0"):
            bounds.lower(t)
    with pytest.raises(TypeError, match="t must be an array of real numbers"):
        bounds.upper("late")
    with pytest.raises(TypeError, match="per_sample must be True or False, got 'no'"):
        bounds.upper(1, per_sample="no")
    with pytest.raises(TypeError, match="sharp must be True or False, got 'uniform'"):
        divergence_bounds(X, y, theta, loss="ga", step_size=1, sharp="uniform")
    for sharp in (True, False):
        with pytest.raises(ValueError, match=r"step_size / n must be positive and finite, got 0\.0"):
            divergence_bounds(X, y, theta, loss="ga", step_size=5e-324, sharp=sharp)
        with pytest.raises(ValueError, match="X or theta_init is too large"):
            divergence_bounds(X, y, [1.5e308, 1.5e308], loss="ga", step_size=1, sharp=sharp)
    with pytest.raises(ValueError, match=r"r must be at most R=1\.0, got 2\.0"):
        uniform_constants(2, 1, 0, loss="ga")
    with pytest.raises(ValueError, match=r"R0 must be at least 0 and finite, got -1\.0"):
        uniform_constants(1, 1, -1, loss="ga")
    with pytest.raises(ValueError, match="step_ratio must be positive"):
        uniform_constants(1, 1, 1, loss="npo", beta=1, step_ratio=0)

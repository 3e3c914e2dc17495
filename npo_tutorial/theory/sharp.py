"""Theorem 7.1: gradient descent runs between two clocks of the exact flow (chapters "beyond", "divergence-proof")."""

import math
from functools import partial

import numpy as np

from npo_tutorial._special import expit, log_expit
from npo_tutorial._types import FloatArray
from npo_tutorial.theory.flow import BETA_LIMIT, CLOCK_LIMIT, MARGIN_LIMIT, ga_flow, npo_flow
from npo_tutorial.theory.form import Form, SharpConstants
from npo_tutorial.theory.uniform import log_phi, logarithmic

# κ*, the maximum over z of (log z + z − 1)/(1 + z), which is 1 + 1/z at log z = 3 + 1/z; rounded upwards
KAPPA_STAR = 1.0474784910248656
# ε = 1/(1 + e^{−x}) is sought over |x| up to this
X_LIMIT = 700.0


def sharp_ga(products: FloatArray, a: FloatArray, m0: FloatArray, step_ratio: float) -> Form:
    """The form for GA: the absolute inner products of the rows, 0 on the diagonal, and their squared lengths `a`."""
    n, log_q = len(a), log_expit(-m0)
    with np.errstate(divide="ignore", over="ignore"):
        log_load = np.max(np.log(products.sum(axis=1)) - np.log(a) - log_q)
        epsilon = float(np.exp(log_load))
    C0 = n / (n - 1) * float(np.min(a * np.exp(log_q))) if n > 1 else math.inf
    lower = partial(_ga_lower, m0, a, epsilon, step_ratio)
    upper = partial(_ga_upper, m0, a, epsilon)
    constants = SharpConstants(a=a, m0=m0, q=np.exp(log_q))
    return Form(log_load, C0, epsilon=epsilon, constants=constants, lower=lower, upper=upper)


def sharp_npo(products: FloatArray, a: FloatArray, m0: FloatArray, beta: float, step_ratio: float) -> Form:
    """The form for NPO; arguments as of `sharp_ga`."""
    from scipy.optimize import minimize_scalar  # imported where used: it is slow to load

    n, log_a, log_q = len(a), np.log(a), log_expit(-m0)
    with np.errstate(over="ignore"):
        log_H, log_kappa = _log_peak_speed(m0, beta), math.log(2 * beta) - beta * log_q
    nu = np.maximum(expit(m0) - beta / 2 * expit(-m0), 0)

    def log_rates(x):
        """log λ⁻ and log λ⁺ at ε = σ(x), which keeps the digits of ε and of 1 − ε."""
        S = (1 + expit(x)) * step_ratio * a * np.exp(log_H)
        nu_S = np.multiply(nu, S, out=np.zeros(n), where=nu > 0)  # S may overflow, and 0·∞ is NaN
        return log_expit(-x) + log_phi(-nu_S), np.log1p(expit(x)) + log_phi(beta * S)

    def log_load(x, log_products):
        """The logarithm of the condition's left side over its right side, for the worst i."""
        log_lo, log_hi = log_rates(x)
        ratio = (log_hi + log_a)[:, None] - log_lo - log_a - log_q
        factors = np.logaddexp(log_H - log_q[:, None], math.log(KAPPA_STAR) + ratio)
        pairs = np.add(log_products, factors, out=np.full((n, n), -np.inf), where=log_products > -np.inf)
        # finite, because the search subtracts one value from another
        return min(np.max(np.logaddexp.reduce(pairs, axis=1) - log_a) - log_expit(x), 1e300)

    def lightest(log_products):
        return minimize_scalar(log_load, bounds=(-X_LIMIT, X_LIMIT), args=(log_products,), options={"xatol": 1e-9})

    C0, load, x = math.inf, -math.inf, -math.inf
    with np.errstate(divide="ignore", over="ignore", under="ignore"):
        if n > 1:
            C0 = n * float(np.exp(-lightest(np.log(1 - np.eye(n))).fun))
        if products.any():
            log_products = np.log(products)
            best = lightest(log_products)
            load, x, low = best.fun, best.x, -X_LIMIT
            while x - low > 1e-13 * X_LIMIT:
                middle = (low + x) / 2
                low, x = (low, middle) if log_load(middle, log_products) <= 0 else (middle, x)
        log_lo, log_hi = log_rates(x)
    constants = SharpConstants(
        a=a, m0=m0, q=np.exp(log_q), H=np.exp(log_H), nu=nu, log_lambda_lo=log_lo, log_lambda_hi=log_hi
    )
    lower = partial(_npo_clock, m0, log_a + log_lo, math.log(beta) + log_q, beta)
    upper = partial(_npo_clock, m0, log_a + log_hi, log_kappa, beta)
    return Form(load, C0, epsilon=float(expit(x)), constants=constants, lower=lower, upper=upper)


def _log_peak_speed(m0, beta):
    """log max h over Δ ≥ 0: h has its only peak where e^m = β(1 − w/2), and 1 − w/2 is between ½ and 1."""
    low, high = np.minimum(math.log(beta / 2), m0), np.minimum(math.log(beta), m0)
    for _ in range(60):
        m = low / 2 + high / 2  # their sum may overflow
        falls = m > math.log(beta) + log_expit(beta * (log_expit(m0) - log_expit(m)))
        low, high = np.where(falls, low, m), np.where(falls, m, high)
    return math.log(2) + log_expit(beta * (log_expit(high) - log_expit(m0))) + log_expit(-high)


def _ga_upper(m0, a, epsilon, tau):
    return _ga_clock(m0, (1 + epsilon) * a * tau, otherwise=(1 + epsilon) * a * tau)


def _ga_lower(m0, a, epsilon, step_ratio, tau):
    # not `maximum`: where both overflow their difference is NaN, and 0 is a bound
    clock = np.fmax((1 - epsilon) * a * tau - (1 + epsilon) * a * step_ratio * np.exp(m0), 0)
    slowest = (1 - epsilon) * a * expit(-m0) * tau
    return np.maximum(_ga_clock(m0, clock, otherwise=slowest), slowest)


def _ga_clock(m0, clock, otherwise):
    usable = (clock <= CLOCK_LIMIT) & (np.abs(m0) <= MARGIN_LIMIT)
    margin = np.clip(m0, -MARGIN_LIMIT, MARGIN_LIMIT)
    return np.where(usable, ga_flow(margin, np.where(usable, clock, 0)), otherwise)


def _npo_clock(m0, log_rate, log_kappa, beta, tau):
    """The flow at the clock e^{log_rate}·τ; where that is out of range the wider (1/β)log(1 + e^{log_kappa}·clock)."""
    wide = logarithmic(log_kappa + log_rate, beta, tau)
    if beta > BETA_LIMIT:
        return wide
    clock = np.where(tau > 0, np.exp(log_rate) * tau, 0)
    in_range = np.abs(m0) <= MARGIN_LIMIT
    usable = (clock <= CLOCK_LIMIT) & in_range
    exact = npo_flow(np.where(in_range, m0, 0), np.where(usable, clock, 0), beta=beta)
    return np.where(usable, exact, wide)

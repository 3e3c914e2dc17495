"""Theorem 1, sharper: gradient descent runs between two clocks of the exact flow (chapter "divergence-proof").

The two forms here return what `divergence_bounds` asks for, as in `uniform`.
"""

import math
from functools import partial

import numpy as np
from scipy.special import expit, log_expit

from npo_tutorial.theory.flow import BETA_LIMIT, CLOCK_LIMIT, MARGIN_LIMIT, ga_flow, npo_flow
from npo_tutorial.theory.uniform import log_phi, logarithmic

# κ*, the maximum over z of (log z + z − 1)/(1 + z), which is 1 + 1/z at log z = 3 + 1/z; rounded upwards
KAPPA_STAR = 1.0474784910248656
# ε = 1/(1 + e^{−x}) is sought over |x| up to this
X_LIMIT = 700.0


def sharp_ga(products, a, m0, step_ratio):
    n, log_q = len(a), log_expit(-m0)
    with np.errstate(divide="ignore", over="ignore"):
        log_load = np.max(np.log(products.sum(axis=1)) - np.log(a) - log_q)
        epsilon = float(np.exp(log_load))
    C0 = n / (n - 1) * float(np.min(a * np.exp(log_q))) if n > 1 else math.inf
    lower = partial(_ga_lower, m0, a, epsilon, step_ratio)
    upper = partial(_ga_upper, m0, a, epsilon)
    return log_load, C0, epsilon, {"a": a, "m0": m0, "q": np.exp(log_q)}, lower, upper


def sharp_npo(products, a, m0, beta, step_ratio):
    from scipy.optimize import minimize_scalar  # loading it would double the time of `import npo_tutorial`

    n, log_a, log_q = len(a), np.log(a), log_expit(-m0)
    log_H = _log_peak_speed(m0, beta)
    nu = np.maximum(expit(m0) - beta / 2 * expit(-m0), 0)

    def log_rates(x):
        """log λ⁻ and log λ⁺ at ε = σ(x), which keeps the digits of ε and of 1 − ε."""
        S = (1 + expit(x)) * step_ratio * a * np.exp(log_H)
        return log_expit(-x) + log_phi(-nu * S), np.log1p(expit(x)) + log_phi(beta * S)

    def log_load(x, log_products):
        """The logarithm of the condition's left side over its right side, for the worst i."""
        log_lo, log_hi = log_rates(x)
        ratio = (log_hi + log_a)[:, None] - log_lo - log_a - log_q
        pairs = log_products + np.logaddexp(log_H - log_q[:, None], math.log(KAPPA_STAR) + ratio)
        return np.max(np.logaddexp.reduce(pairs, axis=1) - log_a) - log_expit(x)

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
    constants = {"a": a, "m0": m0, "q": np.exp(log_q), "H": np.exp(log_H), "nu": nu}
    constants |= {"log_lambda_lo": log_lo, "log_lambda_hi": log_hi}
    lower = partial(_npo_clock, m0, log_a + log_lo, math.log(beta) + log_q, beta)
    upper = partial(_npo_clock, m0, log_a + log_hi, math.log(2 * beta) - beta * log_q, beta)
    return load, C0, float(expit(x)), constants, lower, upper


def _log_peak_speed(m0, beta):
    """log max h over Δ ≥ 0: h has its only peak where e^m = β(1 − w/2), and 1 − w/2 is between ½ and 1."""
    low, high = np.minimum(math.log(beta / 2), m0), np.minimum(math.log(beta), m0)
    for _ in range(60):
        m = (low + high) / 2
        falls = m > math.log(beta) + log_expit(beta * (log_expit(m0) - log_expit(m)))
        low, high = np.where(falls, low, m), np.where(falls, m, high)
    return math.log(2) + log_expit(beta * (log_expit(high) - log_expit(m0))) + log_expit(-high)


def _ga_upper(m0, a, epsilon, tau):
    return _ga_clock(m0, (1 + epsilon) * a * tau, otherwise=(1 + epsilon) * a * tau)


def _ga_lower(m0, a, epsilon, step_ratio, tau):
    clock = np.maximum((1 - epsilon) * a * tau - (1 + epsilon) * a * step_ratio * np.exp(m0), 0)
    slowest = (1 - epsilon) * a * expit(-m0) * tau
    return np.maximum(_ga_clock(m0, clock, otherwise=slowest), slowest)


def _ga_clock(m0, clock, otherwise):
    usable = (clock <= CLOCK_LIMIT) & (np.abs(m0) <= MARGIN_LIMIT)
    margin = np.clip(m0, -MARGIN_LIMIT, MARGIN_LIMIT)
    return np.where(usable, ga_flow(margin, np.where(usable, clock, 0)), otherwise)


def _npo_clock(m0, log_rate, log_kappa, beta, tau):
    """The flow at the clock e^{log_rate}·τ; where that is out of range the wider (1/β)log(1 + e^{log_kappa}·clock)."""
    clock = np.where(tau > 0, np.exp(log_rate) * tau, 0)
    usable = (clock <= CLOCK_LIMIT) & (np.abs(m0) <= MARGIN_LIMIT) & (beta <= BETA_LIMIT)
    margin = np.clip(m0, -MARGIN_LIMIT, MARGIN_LIMIT)
    exact = npo_flow(margin, np.where(usable, clock, 0), beta=min(beta, BETA_LIMIT))
    wide = logarithmic(log_kappa + log_rate, beta, tau)
    return np.where(tau > 0, np.where(usable, exact, wide), 0)

"""Exact solutions of the gradient flow for orthogonal rows (chapter "divergence").

If the rows are orthogonal, the samples do not interact: in the limit of small steps the margin m of a sample with
‖x‖² = a obeys dm/dτ = −a h(m), τ = ηt/n. The margin lost, Δ = m⁰ − m, then solves aτ = F(Δ) = ∫₀^Δ ds/h.
With q = σ(−m⁰) and p = 1 − q,

    GA:   1/h = 1 + (p/q)e^{−s}                                     F = Δ + e^{m⁰}(1 − e^{−Δ})
    NPO:  1/h = ½ [1 + (p + q e^s)^β] [1 + (p/q)e^{−s}]             F = F_GA + J,

where J(Δ) = ½ ∫₀^Δ [(p + q e^s)^β − 1][1 + (p/q)e^{−s}] ds.

F grows to about e^{m⁰} while Δ is still small, and its other terms matter only from then on: with m⁰ = 27 the rounding
of aτ is an error of 10⁻⁴ in their sum. So F_GA is kept apart from J, and e^{m⁰} in aτ − e^{m⁰} is a sum of two floats.
"""

from decimal import Context, Decimal

import numpy as np
from scipy.special import expit, wrightomega

from npo_tutorial._checks import as_float64, check_beta, check_flag
from npo_tutorial._types import ArrayLike, FloatArray, Real

MARGIN_LIMIT = 600.0
CLOCK_LIMIT = 1e300
BETA_LIMIT = 1e4


def ga_flow(m0: ArrayLike, tau: ArrayLike, *, a: ArrayLike = 1.0, as_margin: bool = False) -> FloatArray:
    """The margin that one sample has lost at time τ under the flow of gradient ascent, all rows orthogonal.

    Δ solves Δ + e^{m⁰}(1 − e^{−Δ}) = aτ: m = z − ω(z) = log ω(z), with z = m⁰ + e^{m⁰} − aτ and Wright's ω.

    Parameters
    ----------
    m0 : float or array
        Initial margin s⟨x, θ_init⟩, between −600 and 600.
    tau : float or array
        Time τ = ηt/n ≥ 0.
    a : float or array
        ‖x‖² > 0. `m0`, `tau` and `a` are broadcast; aτ, rounded once, must be at most 10³⁰⁰.
    as_margin : bool
        Return m(τ) = m⁰ − Δ instead of Δ.

    Returns
    -------
    float or array
        Δ(τ) ≥ 0, or the margin, in the shape of the broadcast.

    Notes
    -----
    The relative error of Δ is below 10⁻¹² for |m⁰| ≤ 30 and aτ from 10⁻⁶ to 10¹². It is so outside this range as well,
    with one exception: from m⁰ ≈ 45 on, near aτ = e^{m⁰}, where Δ jumps from a small value to almost m⁰. There Δ is
    exact for a time that differs from τ by less than 10⁻³⁰ of itself.

    Source: the model of Theorem 2 in arXiv:2404.05868; the solution is ours.

    Why not m⁰ − z + ω(z)? For small times all its digits cancel:

    >>> z = 20.0 + np.exp(20.0) - 1e-3
    >>> f"{20.0 - z + wrightomega(z).real:.1e}, {ga_flow(20.0, 1e-3):.6e}"
    '0.0e+00, 2.061154e-12'
    """
    m0, clock, _ = _check_flow(m0, tau, a)
    check_flag("as_margin", as_margin)
    high, low = _exp_exact(m0)
    z = m0 - ((clock - high) - low)
    with np.errstate(divide="ignore", under="ignore"):
        omega = wrightomega(z)
        lost = m0 - np.where(z > 0, np.log(omega), z - omega)
    # Newton's method on q times the equation of Δ, from the left of a concave function
    p, q = expit(m0), expit(-m0)
    newton = np.minimum(q * clock, 2)
    for _ in range(8):
        newton = newton + (q * (clock - newton) + p * np.expm1(-newton)) / (q + p * np.exp(-newton))
    lost = np.where(lost < 2, newton, lost)
    return (m0 - lost if as_margin else lost)[()]


def npo_flow(m0: ArrayLike, tau: ArrayLike, *, beta: Real, a: ArrayLike = 1.0, as_margin: bool = False) -> FloatArray:
    """The margin that one sample has lost at time τ under the flow of NPO, all rows orthogonal and π_ref = π_init.

    Δ solves ½ ∫₀^Δ [1 + (p + q e^s)^β] [1 + (p/q)e^{−s}] ds = aτ, with q = σ(−m⁰) and p = 1 − q.

    Parameters
    ----------
    m0 : float or array
        Initial margin s⟨x, θ_init⟩, between −600 and 600.
    tau : float or array
        Time τ = ηt/n ≥ 0.
    beta : float
        Inverse temperature, > 0 and at most 10⁴.
    a : float or array
        ‖x‖² > 0. `m0`, `tau` and `a` are broadcast; aτ, rounded once, must be at most 10³⁰⁰.
    as_margin : bool
        Return m(τ) = m⁰ − Δ instead of Δ.

    Returns
    -------
    float or array
        Δ(τ) ≥ 0, or the margin, in the shape of the broadcast.

    Notes
    -----
    The integral is elementary for β = 1. Otherwise Gauss's rule with 12 nodes computes it on panels up to
    Δ = max(m⁰, 0) + 40. From there on 1/h is ½[1 + (q e^s)^β] to all digits, and Wright's ω takes over. Within a panel
    Newton's method inverts the integral. The accuracy is that of `ga_flow`, for every β. A panel is at most 6/β wide:
    with β = 10⁴ and a margin of 600 each margin has a million panels, and a call takes seconds.

    Source: the model of Theorem 2 in arXiv:2404.05868; the solution is ours.

    Examples
    --------
    With m⁰ = 0 and β = 1, aτ is Δ + (e^Δ − 1)/4 + 3(1 − e^{−Δ})/4:

    >>> tau = 2 + np.expm1(2.0) / 4 - 3 * np.expm1(-2.0) / 4
    >>> round(float(npo_flow(0.0, tau, beta=1.0)), 12)
    2.0

    In the end each decade of time costs log(10)/β = 1.151… nats:

    >>> np.diff(npo_flow(0.0, [1e4, 1e5, 1e6], beta=2.0)).round(3).tolist()
    [1.157, 1.153]
    """
    m0, clock, shape = _check_flow(m0, tau, a)
    check_flag("as_margin", as_margin)
    beta = check_beta(beta)
    if beta > BETA_LIMIT:
        raise ValueError(f"beta must be at most {BETA_LIMIT:g}, got {beta!r}")
    high, low = (np.broadcast_to(part, shape).ravel() for part in _exp_exact(m0))
    sample = np.broadcast_to(np.arange(m0.size).reshape(m0.shape), shape).ravel()
    clock, m = np.broadcast_to(clock, shape).ravel(), m0.ravel()[sample]
    width = min(2.0, 6 / beta)
    edges = width * np.arange(np.ceil((max(m0.max(), 0.0) + 40) / width) + 1)
    with np.errstate(over="ignore", under="ignore"):
        gains = _gain(edges[:-1], width, m0.reshape(-1, 1), beta)
        J = np.concatenate([np.zeros((m0.size, 1)), np.cumsum(gains, axis=1)], axis=1)

        def time_left(k):
            """aτ − F at an edge, summed so that the cancellation of e^{m⁰} − e^{m⁰−Δ} against aτ costs no digits."""
            left = ((clock - high) - low) + np.exp(m - edges[k]) - edges[k] - J[sample, k]
            return np.where(k == 0, clock, left)

        panel, last = np.zeros(clock.size, int), np.full(clock.size, len(edges) - 1)
        while (panel < last).any():
            middle = (panel + last + 1) // 2
            passed = time_left(middle) >= 0
            panel, last = np.where(passed, middle, panel), np.where(passed, last, middle - 1)
        left, start, lost = time_left(panel), edges[panel], np.empty(clock.size)
        tail = panel == len(edges) - 1
        lost[tail] = _invert_tail(left[tail], start[tail], m[tail], beta)
        lost[~tail] = _invert_panel(left[~tail], start[~tail], m[~tail], beta, width)
    lost = (start + lost).reshape(shape)
    return (m0 - lost if as_margin else lost)[()]


NODES, WEIGHTS = np.polynomial.legendre.leggauss(12)


def _excess(s, m0, beta):
    """½[(p + q e^s)^β − 1][1 + (p/q)e^{−s}]: 1/h without the part of GA, free of cancellation."""
    return np.expm1(beta * np.log1p(expit(-m0) * np.expm1(s))) * (1 + np.exp(m0 - s)) / 2


def _gain(start, delta, m0, beta):
    """The integral of `_excess` from `start` over a length `delta`."""
    if beta == 1:
        p, q = expit(m0), expit(-m0)
        return (q * np.exp(start) * np.expm1(delta) + (p - q) * delta + p * np.exp(-start) * np.expm1(-delta)) / 2
    half = np.asarray(delta / 2)
    s = start[..., None] + half[..., None] * (1 + NODES)
    return half * (_excess(s, m0[..., None], beta) @ WEIGHTS)


def _invert_panel(time, start, m0, beta, width):
    """Solve F(start + δ) − F(start) = time for δ in a panel."""

    def slope(delta):
        return 1 + np.exp(m0 - start - delta) + _excess(start + delta, m0, beta)

    # exact if 1/h were an exponential
    first = slope(0.0)
    rate = np.log(slope(width) / first) / width
    rate = np.where(np.abs(rate) < 1e-8, 1e-8, rate)
    delta = np.clip(np.log1p(np.maximum(rate * time / first, -0.9)) / rate, 0, width)
    for _ in range(20):
        passed = delta - np.exp(m0 - start) * np.expm1(-delta) + _gain(start, delta, m0, beta)
        step = (time - passed) / slope(delta)
        delta = np.clip(delta + step, 0, width)
        if (np.abs(step) <= 1e-8 * delta).all():  # the next step is below rounding
            break
    return delta


def _invert_tail(time, start, m0, beta):
    """As `_invert_panel`, where e^{m⁰−s} has vanished: y + e^y grows by 2β·time, y = β log(p + q e^s)."""
    y = beta * np.log1p(expit(-m0) * np.expm1(start))
    delta = (np.log(wrightomega(y + np.exp(y) + 2 * beta * time)) - y) / beta
    # that difference loses digits for a small β; Newton's method restores them
    for _ in range(2):
        passed = (delta + np.exp(y) * np.expm1(beta * delta) / beta) / 2
        delta = delta + (time - passed) * 2 / (1 + np.exp(y + beta * delta))
    return delta


def _exp_exact(m0):
    """e^{m⁰} as an unevaluated sum of two floats, about 32 digits."""
    context = Context(prec=40)
    exact = [Decimal(float(m)).exp(context) for m in m0.ravel()]
    high = [float(x) for x in exact]
    low = [float(context.subtract(x, Decimal(h))) for x, h in zip(exact, high, strict=True)]
    return np.reshape(high, m0.shape), np.reshape(low, m0.shape)


def _check_flow(m0, tau, a):
    """The initial margins, the clocks aτ, and the shape that they broadcast to."""
    m0, tau, a = as_float64("m0", m0, "iuf"), as_float64("tau", tau, "iuf"), as_float64("a", a, "iuf")
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            clock = a * tau
            shape = np.broadcast_shapes(m0.shape, clock.shape)
        except ValueError:
            raise ValueError(f"m0, tau and a must broadcast, got shapes {m0.shape}, {tau.shape}, {a.shape}") from None
    for name, array, good, rule in (
        ("m0", m0, np.abs(m0) <= MARGIN_LIMIT, f"between -{MARGIN_LIMIT:g} and {MARGIN_LIMIT:g}"),
        ("tau", tau, (tau >= 0) & (tau < np.inf), "at least 0 and finite"),
        ("a", a, (a > 0) & (a < np.inf), "positive and finite"),
        ("a * tau", clock, clock <= CLOCK_LIMIT, f"at most {CLOCK_LIMIT:g}"),
    ):
        if array.size == 0:
            raise ValueError(f"{name} must not be empty, got shape {array.shape}")
        if not good.all():
            raise ValueError(f"{name} must be {rule}, got {array[~good][0]}")
    return m0, clock, shape

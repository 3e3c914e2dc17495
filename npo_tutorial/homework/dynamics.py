"""Questions on the dynamics of the logistic model: gradients, steps, the Gram matrix, Theorem 6.1, a loss of one's own.

Labels are 0 or 1, s = 2y − 1; the margin of a sample is m = s⟨x, θ⟩, its log-probability log σ(m).
"""

import numpy as np
from scipy.special import expit, log_expit

from npo_tutorial.homework.examination import Mistake, compare, question, scalar, shaped

BETA = 0.7


def _problem(rng):
    """Three samples of both labels in four dimensions, with two decimals, and a reference that is not the model."""
    X = np.round(rng.normal(size=(3, 4)), 2)
    y = np.array([0.0, 1.0, 1.0])
    theta, theta_ref = np.round(rng.normal(size=(2, 4)), 2)
    ref_logp = np.round(log_expit((2 * y - 1) * (X @ theta_ref)), 3)
    return {"theta": theta, "X": X, "y": y, "ref_logp": ref_logp, "beta": BETA}


def _gradients(theta, X, y, ref_logp, beta):
    """The gradient of the NPO loss, and what it becomes by each mistake."""
    s = 2 * y - 1
    m = s * (X @ theta)

    def gradient(m=m, s=s, weight=None, speed=None):
        weight = 2 * expit(beta * (log_expit(m) - ref_logp)) if weight is None else weight
        return (weight * (expit(-m) if speed is None else speed) * s) @ X / len(y)

    right = gradient()
    return right, {
        "sign": -right,
        "weight-missing": gradient(weight=1),
        "half-weight": right / 2,
        "ratio-inverted": gradient(weight=2 * expit(-beta * (log_expit(m) - ref_logp))),
        "reference-not-used": gradient(weight=2 * expit(beta * log_expit(m))),
        "sigmoid-inverted": gradient(speed=expit(m)),
        "labels-as-signs": [gradient(s=y), gradient(m=y * (X @ theta), s=y), gradient(m=X @ theta, s=y)],
        "sum": len(y) * right,
    }


@question
def check_npo_gradient(answer, rng):
    """``npo_gradient(theta, X, y, ref_logp, beta)``: ∇_θ L_NPO of the logistic model, (d,), without autograd.

    E[w σ(−m) s x] with w = 2σ(β(log σ(m) − log π_ref)). Looks for: the sign, no weights, half of them, the log-ratio
    inverted, no reference, σ(m) for σ(−m), labels for signs, a sum, overflow where margins are large.

    Source: arXiv:2404.05868, Section 3.2, and the chapter on stability.
    """
    problem = _problem(rng)
    right, mistakes = _gradients(**problem)
    compare(shaped(answer(**problem), right.shape), right, mistakes)
    far = problem["theta"] * 3000 / np.abs(problem["X"] @ problem["theta"]).min()
    for theta in (far, -far):
        problem["theta"] = theta
        compare(answer(**problem), _gradients(**problem)[0], {}, otherwise="overflow")


@question
def check_gd_step(answer, rng):
    """``gd_step(theta, X, y, ref_logp, beta, step_size)``: θ after one step of gradient descent on the NPO loss, (d,).

    θ − η∇L_NPO. Looks for: a step uphill, the step or the gradient in place of θ, no step size, θ changed in place, and
    the mistakes of `check_npo_gradient`.

    Source: arXiv:2404.05868, Section 3.3; the setting of Theorem 6.1.
    """
    problem, step_size = _problem(rng), 0.3
    theta = problem["theta"]
    gradient, mistakes = _gradients(**problem)
    del mistakes["sign"]
    compare(
        shaped(answer(**problem, step_size=step_size), theta.shape),
        theta - step_size * gradient,
        {
            "ascends": theta + step_size * gradient,
            "returns-step": [-step_size * gradient, step_size * gradient, gradient],
            "step-size-missing": theta - gradient,
            "n-missing": theta - step_size * mistakes.pop("sum"),
        }
        | {hint: [theta - step_size * g for g in np.reshape(wrong, (-1, 4))] for hint, wrong in mistakes.items()},
    )


@question
def check_gram_descent(answer, rng):
    """``gram_descent(gram, margins, beta, step_size, n_steps)``: margins of NPO before and after each step.

    m ← m − (η/n) G h with h_i = w_i σ(−m_i), from π_θ = π_ref; shape (n_steps + 1, n). Looks for: a missing row for the
    start, the last row only, rows that are one array, a reference that moves with the model, the diagonal only, samples
    moved one after the other, a missing 1/n, a step uphill, σ(m) for σ(−m), half weights, margins changed in place.

    Source: arXiv:2404.05868, Appendix on Theorem 2; the chapter on divergence.
    """
    Z = np.round(rng.normal(size=(3, 5)), 1)
    arguments = {"gram": Z @ Z.T, "margins": np.round(rng.normal(size=3), 2), "beta": BETA, "step_size": 0.3}
    n_steps = 4
    got = answer(**arguments, n_steps=n_steps)
    right = _descent(**arguments, n_steps=n_steps)
    if got.shape == right[1:].shape:
        raise Mistake("start-missing")
    if got.shape == right[-1].shape:
        raise Mistake("last-only")
    shaped(got, right.shape)
    if (got == got[0]).all():
        raise Mistake("aliased")
    compare(
        got,
        right,
        {
            hint: _descent(**arguments, n_steps=n_steps, mistake=hint)
            for hint in (
                "reference-follows",
                "diagonal-only",
                "sequential",
                "n-missing",
                "ascends",
                "sigmoid-inverted",
                "half-weight",
            )
        },
    )


def _descent(gram, margins, beta, step_size, n_steps, mistake=None):
    gram = np.diag(np.diag(gram)) if mistake == "diagonal-only" else gram
    rate = step_size / (1 if mistake == "n-missing" else len(margins))
    rate = -rate if mistake == "ascends" else rate / 2 if mistake == "half-weight" else rate

    def push(m):
        weight = 1 if mistake == "reference-follows" else 2 * expit(beta * (log_expit(m) - log_expit(margins)))
        return weight * expit(m if mistake == "sigmoid-inverted" else -m)

    path = [margins]
    for _ in range(n_steps):
        m = path[-1].copy()
        if mistake == "sequential":
            for i in range(len(m)):
                m[i] -= rate * gram[i] @ push(m)
        else:
            m -= rate * gram @ push(m)
        path.append(m)
    return np.array(path)


@question
def check_ga_constants(answer, rng):
    """``ga_constants(r, R, R0)``: the constants (C0, C1, C2) of the half of Theorem 6.1 that is about gradient ascent.

    With q = σ(−RR₀): C₀ = C₁ = r²q/2 and C₂ = R² + r²q/2. Looks for: q inverted, R₀ not used, R for r, the missing
    half, C₂ without what other samples add, C₁ and C₂ swapped, overflow.

    Source: the chapter on divergence; arXiv:2404.05868, Theorem 2, has the constants without values.
    """
    r, R, R0 = (float(x) for x in np.round(np.cumsum(rng.uniform(0.3, 0.9, 3)), 2))
    R0 = R0 / 2
    for extreme in (False, True):
        R0 = 900.0 / R if extreme else R0
        got = answer(r=r, R=R, R0=R0)
        if got.shape != (3,):
            raise Mistake("three-numbers", got=f"shape {got.shape}")
        q = expit(-R * R0)
        right = _constants(r, R, q)
        if extreme:
            if not np.allclose(got, right, rtol=1e-4, atol=1e-12):
                raise Mistake("overflow")
            return
        c0, c1, c2 = right
        compare(
            got,
            right,
            {
                "bounds-swapped": (c0, c2, c1),
                "q-inverted": [_constants(r, R, expit(R * R0))],
                "start-ignored": [_constants(r, R, 0.5)],
                "wrong-radius": [
                    _constants(R, R, q),
                    _constants(r, r, q),
                    _constants(r, R, expit(-r * R0)),
                    (c0, R**2 * q / 2, c2),
                ],
                "half-missing": [(2 * c0, 2 * c1, R**2 + 2 * c0), (2 * c0, c1, c2), (c0, 2 * c1, c2)],
                "others-missing": (c0, c1, R**2),
            },
        )


def _constants(r, R, q):
    return r**2 * q / 2, r**2 * q / 2, R**2 + r**2 * q / 2


@question
def check_slower_loss(answer, rng):
    """``slower_loss(logp, ref_logp)``: a loss of one's own that forgets, but diverges more slowly than NPO with β = 1.

    Open-ended: only properties are checked, by the derivative w(u) in log π_θ of a single sample, u nats from the
    reference. At the reference w > 0; w ≥ 0 for every u between −30 and 2; u = −2 is reached in at most a hundred times
    NPO's time; and from u = −10 to −20 it takes at least twice NPO's time, both with equal speed at the start. (Time is
    that of the exact flow of one sample with σ(−m) ≈ 1: ∫ du/w.)

    Source: the question that Theorem 2 of arXiv:2404.05868 leaves open.
    """
    ref_logp = -float(np.round(rng.uniform(2.5, 4), 2))
    scalar(answer(logp=np.array([ref_logp - 1, ref_logp]), ref_logp=np.full(2, ref_logp)), 2)

    def weight(u, step=1e-3):
        low, high = (
            scalar(answer(logp=np.array([ref_logp + u + h]), ref_logp=np.array([ref_logp])), 1) for h in (-step, step)
        )
        if not np.isfinite(low) or not np.isfinite(high):
            raise Mistake("nan")
        # what is below the rounding of the loss is nothing
        slope = (high - low) / (2 * step)
        return slope if abs(high - low) > 1e-13 * max(abs(low), abs(high), 1) else 0.0

    at_start = weight(0.0)
    if at_start <= 0:
        raise Mistake("does-not-forget")
    for u in np.linspace(-30, 2, 65):
        if weight(u) < -1e-6 * at_start:
            raise Mistake("teaches", u=u)
    answer.call = None  # the complaints from here on are not about one call

    def slower(start, end):
        """Time from one depth to another, over that of NPO."""
        depths = np.linspace(start, end, 101)
        npo = 2 * expit(depths)
        own = np.array([max(weight(u), 0.0) for u in depths]) / at_start
        with np.errstate(divide="ignore"):
            return np.sum(1 / own) / np.sum(1 / npo)

    early, late = slower(0, -2), slower(-10, -20)
    answer.call = None
    if early > 100:
        raise Mistake("stops-early")
    if late < 2:
        raise Mistake("not-slower", ratio=late)

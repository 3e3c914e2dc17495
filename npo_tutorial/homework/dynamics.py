"""Questions on the dynamics of the logistic model: gradients, steps, the Gram matrix, the constants of Theorem 6.1.

Labels are 0 or 1, s = 2y − 1; the margin of a sample is m = s⟨x, θ⟩, its log-probability log σ(m).
"""

import numpy as np

from npo_tutorial.homework.compare import close, compare, shaped
from npo_tutorial.homework.runner import Answer, question

BETA = 0.7


def _log_sigmoid(z):
    return -np.logaddexp(0, -z)


def _sigmoid(z):
    return np.exp(_log_sigmoid(z))


def _problem(rng):
    """Three samples of both labels in four dimensions, with two decimals, and a reference that is not the model."""
    X = np.round(rng.normal(size=(3, 4)), 2)
    y = np.array([0.0, 1.0, 1.0])
    theta, theta_ref = np.round(rng.normal(size=(2, 4)), 2)
    ref_logp = np.round(_log_sigmoid((2 * y - 1) * (X @ theta_ref)), 3)
    return {"theta": theta, "X": X, "y": y, "ref_logp": ref_logp, "beta": BETA}


def _gradients(theta, X, y, ref_logp, beta):
    """The gradient of the NPO loss, and what it becomes by each mistake: a list if there are several forms of it."""
    s = 2 * y - 1
    m = s * (X @ theta)

    def gradient(m=m, s=s, weight=None, speed=None):
        weight = 2 * _sigmoid(beta * (_log_sigmoid(m) - ref_logp)) if weight is None else weight
        return (weight * (_sigmoid(-m) if speed is None else speed) * s) @ X / len(y)

    right = gradient()
    return right, {
        "negated": [-right],
        "weight-missing": [gradient(weight=1)],
        "half-weight": [right / 2],
        "beta-missing": [gradient(weight=2 * _sigmoid(_log_sigmoid(m) - ref_logp))],
        "ratio-inverted": [gradient(weight=2 * _sigmoid(-beta * (_log_sigmoid(m) - ref_logp)))],
        "reference-not-used": [gradient(weight=2 * _sigmoid(beta * _log_sigmoid(m)))],
        "margin-as-logp": [gradient(weight=2 * _sigmoid(beta * (m - ref_logp)))],
        "sigmoid-inverted": [gradient(speed=_sigmoid(m))],
        "sigmoid-missing": [gradient(speed=1)],
        "sign-missing": [gradient(s=1), gradient(m=X @ theta), gradient(m=X @ theta, s=1)],
        "labels-as-signs": [gradient(s=y), gradient(m=y * (X @ theta), s=y), gradient(m=X @ theta, s=y)],
        "sum": [len(y) * right],
    }


@question
def check_npo_gradient(answer: Answer, rng: np.random.Generator) -> None:
    """``npo_gradient(theta, X, y, ref_logp, beta)``: ∇_θ L_NPO of the logistic model, (d,), without autograd.

    E[w σ(−m) s x] with w = 2σ(β(log σ(m) − log π_ref)). Looks for: the sign, no weights, half of them, no β in them,
    the log-ratio inverted, no reference, m instead of log σ(m), σ(m) instead of σ(−m) or neither, no s, labels instead
    of signs, a sum, overflow where margins are large.

    Source: arXiv:2404.05868, Section 3.2, and the chapter on stability.
    """
    problem = _problem(rng)
    right, mistakes = _gradients(**problem)
    compare(shaped(answer(**problem), right.shape), right, mistakes)
    far = problem["theta"] * 3000 / np.abs(problem["X"] @ problem["theta"]).min()
    for theta in (far, -far):
        problem["theta"] = theta
        compare(answer(**problem), _gradients(**problem)[0], {}, otherwise="overflow", large="|m|")


@question
def check_gd_step(answer: Answer, rng: np.random.Generator) -> None:
    """``gd_step(theta, X, y, ref_logp, beta, step_size)``: θ after one step of gradient descent on the NPO loss, (d,).

    θ − η∇L_NPO. Looks for: a step uphill, the step or the gradient instead of θ, no step size, θ changed in place, and
    the mistakes of `check_npo_gradient`.

    Source: arXiv:2404.05868, Section 3.3; the setting of Theorem 6.1.
    """
    problem, step_size = _problem(rng), 0.3
    theta = problem["theta"]
    gradient, mistakes = _gradients(**problem)
    mistakes["ascends"] = mistakes.pop("negated")
    mistakes["n-missing"] = mistakes.pop("sum")
    mistakes["half-step"] = mistakes.pop("half-weight")
    compare(
        shaped(answer(**problem, step_size=step_size), theta.shape),
        theta - step_size * gradient,
        {
            "returns-step": [-step_size * gradient, step_size * gradient, gradient],
            "step-size-missing": theta - gradient,
        }
        | {hint: [theta - step_size * g for g in wrong] for hint, wrong in mistakes.items()},
    )


DESCENT_MISTAKES = (
    "reference-follows",
    "diagonal-only",
    "sequential",
    "n-missing",
    "ascends",
    "beta-missing",
    "margin-as-logp",
    "sigmoid-inverted",
    "sigmoid-missing",
    "half-step",
)


@question
def check_gram_descent(answer: Answer, rng: np.random.Generator) -> None:
    """``gram_descent(gram, margins, beta, step_size, n_steps)``: margins of NPO before and after each step.

    m ← m − (η/n) G h with h_i = w_i σ(−m_i), from π_θ = π_ref; shape (n_steps + 1, n). Looks for: a missing row for the
    start, a missing step, a single row, rows that are one array, margins that do not move or start anew at each step, a
    reference that moves with the model, the diagonal only, samples moved one after the other, a missing 1/n, a step
    uphill, no β, m instead of log σ(m), σ(m) instead of σ(−m) or neither, half weights, margins changed in place.

    Source: arXiv:2404.05868, Appendix on Theorem 2; the chapter on divergence.
    """
    Z = np.round(rng.normal(size=(3, 5)), 1)
    arguments = {"gram": Z @ Z.T, "margins": np.round(rng.normal(size=3), 2), "beta": BETA, "step_size": 0.3}
    n_steps = 4
    result = answer(**arguments, n_steps=n_steps)
    right = _descent(**arguments, n_steps=n_steps)
    rows = result.value
    if rows.shape == right[1:].shape:
        raise result.mistake("step-missing" if close(rows[0], right[0]) else "start-missing")
    if rows.shape == right[-1].shape:
        raise result.mistake("single-row")
    shaped(result, right.shape)
    if (rows[1:] == rows[1]).all():
        unmoved, restarted = (close(rows[1], row) for row in right[:2])
        raise result.mistake("unmoved" if unmoved else "restarts" if restarted else "aliased")
    compare(result, right, {hint: _descent(**arguments, n_steps=n_steps, mistake=hint) for hint in DESCENT_MISTAKES})


def _descent(gram, margins, beta, step_size, n_steps, mistake=None):
    gram = np.diag(np.diag(gram)) if mistake == "diagonal-only" else gram
    rate = step_size / (1 if mistake == "n-missing" else len(margins))
    rate = -rate if mistake == "ascends" else rate / 2 if mistake == "half-step" else rate
    beta = 1 if mistake == "beta-missing" else beta

    def logp(m):
        return m if mistake == "margin-as-logp" else _log_sigmoid(m)

    def push(m):
        weight = 1 if mistake == "reference-follows" else 2 * _sigmoid(beta * (logp(m) - logp(margins)))
        speed = {"sigmoid-inverted": m, "sigmoid-missing": np.inf}.get(mistake, -m)
        return weight * _sigmoid(speed)

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
def check_ga_constants(answer: Answer, rng: np.random.Generator) -> None:
    """``ga_constants(r, R, R0)``: the constants (C0, C1, C2) of the half of Theorem 6.1 that is about gradient ascent.

    With q = σ(−RR₀): C₀ = C₁ = r²q/2 and C₂ = R² + r²q/2. Looks for: q inverted, R₀ not used, r and R confused, no
    square, the missing half, C₂ without what other samples add, C₁ and C₂ swapped, overflow.

    Source: the chapter on divergence; arXiv:2404.05868, Theorem 2, has the constants without values.
    """
    r, R, R0 = (float(x) for x in np.round(np.cumsum(rng.uniform(0.3, 0.9, 3)), 2))
    R0 = R0 / 2
    for extreme in (False, True):
        R0 = 900.0 / R if extreme else R0
        result = answer(r=r, R=R, R0=R0)
        if result.value.shape != (3,):
            raise result.mistake("three-numbers", got=f"shape {result.value.shape}")
        q = _sigmoid(-R * R0)
        right = c0, c1, c2 = _constants(r, R, q)
        if extreme:
            if not np.allclose(result.value, right, rtol=1e-4, atol=1e-12):
                raise result.mistake("overflow", large="R·R0")
            return
        compare(
            result,
            right,
            {
                "bounds-swapped": (c0, c2, c1),
                "q-inverted": [_constants(r, R, _sigmoid(R * R0))],
                "start-ignored": [_constants(r, R, 0.5)],
                "long-radius": [_constants(R, R, q), (c0, R**2 * q / 2, c2), (R**2 * q / 2, c1, c2)],
                "short-radius": [_constants(r, r, q)],
                "radius-in-q": [_constants(r, R, _sigmoid(-r * R0))],
                "not-squared": [(r * q / 2, r * q / 2, x + r * q / 2) for x in (R**2, R)] + [(c0, c1, R + c0)],
                "half-missing": [
                    (2 * c0, 2 * c1, c2 + c0),
                    (2 * c0, c1, c2),
                    (c0, 2 * c1, c2),
                    (c0, c1, c2 + c0),
                ],
                "others-missing": (c0, c1, R**2),
            },
        )


def _constants(r, R, q):
    return r**2 * q / 2, r**2 * q / 2, R**2 + r**2 * q / 2

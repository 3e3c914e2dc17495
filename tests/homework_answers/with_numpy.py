"""Answers that need NumPy only."""

import math
import time
from concurrent.futures import Executor
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from itertools import count

import numpy as np

import npo_tutorial
from tests.homework_answers import right, wrong


def signs(y):
    return 2 * y - 1


def softplus(z):
    return np.logaddexp(0, z)


def log_expit(z):
    return -softplus(-z)


def expit(z):
    return np.exp(log_expit(z))


# ga_loss ----------------------------------------------------------------------------------------------------------

right("ga_loss")(npo_tutorial.ga_loss)
right("ga_loss")(lambda logp: float(np.float32(logp).mean()))


@right("ga_loss")
def ga_in_a_loop(logp):
    total = 0
    for value in logp:
        total += value
    return total / len(logp)


right("ga_loss")(lambda logp: sum(map(Fraction, logp)) / len(logp))
right("ga_loss")(lambda logp: sum(map(Decimal, logp.tolist())) / len(logp))

wrong("ga_loss", "sign")(lambda logp: -np.mean(logp))
wrong("ga_loss", "n-written-in")(lambda logp: np.sum(logp) / 5)
wrong("ga_loss", "sum")(lambda logp: np.sum(logp))
wrong("ga_loss", "not-averaged")(lambda logp: logp)
wrong("ga_loss", "probabilities")(lambda logp: np.exp(logp).mean())
wrong("ga_loss", "logged-twice")(lambda logp: np.log(logp).mean())
wrong("ga_loss", "returns-nothing")(lambda logp: print(end=""))
wrong("ga_loss", "not-numbers")(lambda logp: str(np.mean(logp)))
wrong("ga_loss", "not-numbers")(lambda logp: np.mean(logp) + 0j)
wrong("ga_loss", "value")(lambda logp: np.median(logp) - 1)
wrong("ga_loss", "signature")(lambda: 0)
wrong("ga_loss", "shape")(lambda logp: np.ones((2, 2)))


@wrong("ga_loss", "not-attempted")
def ga_stub(logp):
    raise NotImplementedError


@wrong("ga_loss", "raised")
def ga_with_a_typing_error(logp):
    return np.maen(logp)


class Hostile(Exception):
    """What a student's own class may do."""

    def __repr__(self):
        raise RuntimeError

    __str__ = __array__ = __float__ = __len__ = __repr__


class Leaving:
    def __array__(self, dtype=None, copy=None):
        raise SystemExit


wrong("ga_loss", "not-numbers")(lambda logp: np.broadcast_to(np.float32(0), (10**6, 10**6)))
wrong("ga_loss", "not-numbers")(lambda logp: Hostile())
wrong("ga_loss", "not-numbers")(lambda logp: Leaving())


@wrong("ga_loss", "raised")
def ga_with_an_exception_that_cannot_be_shown(logp):
    raise Hostile


@wrong("ga_loss", "raised")
def ga_with_a_library_that_lacks_something(logp):
    return Executor().submit(np.mean, logp)


@wrong("ga_loss", "signature")
def ga_with_a_default_that_cannot_be_shown(a, b, c=Hostile()):  # noqa: B008
    return 0


@wrong("ga_loss", "raised")
def ga_that_leaves(logp):
    raise SystemExit


@wrong("ga_loss", "time")
def ga_without_end(logp):
    for _ in count():
        pass


@wrong("ga_loss", "time")
def ga_that_will_not_be_stopped(logp):
    end = time.monotonic() + 3  # or it would disturb what runs after it
    while time.monotonic() < end:
        with suppress(BaseException):
            math.sqrt(2)


@wrong("ga_loss", "modified")
def ga_in_place(logp):
    logp *= 1 / len(logp)
    return logp.sum()


# dpo_loss ---------------------------------------------------------------------------------------------------------

right("dpo_loss")(npo_tutorial.dpo_loss)


@right("dpo_loss")
def dpo_by_logaddexp(chosen_logp, rejected_logp, ref_chosen_logp, ref_rejected_logp, beta):
    z = beta * (chosen_logp - rejected_logp - (ref_chosen_logp - ref_rejected_logp))
    return sum(np.logaddexp(0, -value) for value in z.tolist()) / len(z) / beta


def dpo(c, r, rc, rr, beta):
    return np.mean(np.logaddexp(0, -beta * ((c - rc) - (r - rr)))) / beta


wrong("dpo_loss", "sign")(lambda c, r, rc, rr, beta: -dpo(c, r, rc, rr, beta))
wrong("dpo_loss", "swapped")(lambda c, r, rc, rr, beta: dpo(r, c, rr, rc, beta))
wrong("dpo_loss", "factor-missing")(lambda c, r, rc, rr, beta: beta * dpo(c, r, rc, rr, beta))
wrong("dpo_loss", "double-factor")(lambda c, r, rc, rr, beta: 2 * dpo(c, r, rc, rr, beta))
wrong("dpo_loss", "reference-not-used")(lambda c, r, rc, rr, beta: dpo(c, r, 0, 0, beta))
wrong("dpo_loss", "one-response")(lambda c, r, rc, rr, beta: dpo(c, 0, rc, 0, beta))
wrong("dpo_loss", "sum")(lambda c, r, rc, rr, beta: len(c) * dpo(c, r, rc, rr, beta))
wrong("dpo_loss", "mean-before-log")(
    lambda c, r, rc, rr, beta: np.logaddexp(0, -beta * np.mean(c - rc - r + rr)) / beta
)
wrong("dpo_loss", "beta-missing")(lambda c, r, rc, rr, beta: dpo(c, r, rc, rr, 1) / beta)
wrong("dpo_loss", "beta-missing")(lambda c, r, rc, rr, beta: dpo(c, r, rc, rr, 1))
wrong("dpo_loss", "factor-inverted")(lambda c, r, rc, rr, beta: beta**2 * dpo(c, r, rc, rr, beta))
wrong("dpo_loss", "logp-divided")(lambda c, r, rc, rr, beta: dpo(c / rc, r / rr, 0, 0, beta))
wrong("dpo_loss", "mean-in-denominator")(lambda c, r, rc, rr, beta: 1 / (beta**2 * dpo(c, r, rc, rr, beta)))
wrong("dpo_loss", "log-base")(lambda c, r, rc, rr, beta: dpo(c, r, rc, rr, beta) / math.log(10))
wrong("dpo_loss", "overflow")(
    lambda c, r, rc, rr, beta: np.mean(np.logaddexp(0, np.clip(-beta * ((c - rc) - (r - rr)), -50, 50))) / beta
)
wrong("dpo_loss", "overflow")(
    lambda c, r, rc, rr, beta: -np.mean(np.log(1 / (1 + np.exp(-beta * (c - rc - r + rr))))) / beta
)
wrong("dpo_loss", "logged-twice")(lambda c, r, rc, rr, beta: dpo(np.log(c), np.log(r), np.log(rc), np.log(rr), beta))


# npo_loss ---------------------------------------------------------------------------------------------------------

right("npo_loss")(npo_tutorial.npo_loss)
right("npo_loss")(lambda logp, ref_logp, beta: 2 / beta * np.mean(np.logaddexp(0, beta * (logp - ref_logp))))
right("npo_loss")(lambda logp, ref, beta: -(2 / beta) * log_expit(np.float32(beta) * np.float32(ref - logp)).mean())


@right("npo_loss")
def npo_in_a_loop(logp, ref_logp, beta):
    losses = []
    for lp, ref in zip(logp, ref_logp, strict=True):
        z = beta * (float(lp) - float(ref))
        losses.append(z + math.log1p(math.exp(-z)) if z > 0 else math.log1p(math.exp(z)))
    return 2 / beta * math.fsum(losses) / len(losses)


wrong("npo_loss", "sign")(lambda logp, ref, beta: -2 / beta * softplus(beta * (logp - ref)).mean())
wrong("npo_loss", "factor-missing")(lambda logp, ref, beta: softplus(beta * (logp - ref)).mean())
wrong("npo_loss", "half-factor")(lambda logp, ref, beta: softplus(beta * (logp - ref)).mean() / beta)
wrong("npo_loss", "factor-missing")(lambda logp, ref, beta: 2 * softplus(beta * (logp - ref)).mean())
wrong("npo_loss", "factor-inverted")(lambda logp, ref, beta: beta / 2 * softplus(beta * (logp - ref)).mean())
wrong("npo_loss", "factor-inverted")(lambda logp, ref, beta: 2 * beta * softplus(beta * (logp - ref)).mean())
wrong("npo_loss", "beta-missing")(lambda logp, ref, beta: 2 / beta * softplus(logp - ref).mean())
wrong("npo_loss", "beta-missing")(lambda logp, ref, beta: 2 * softplus(logp - ref).mean())
wrong("npo_loss", "mean-in-denominator")(lambda logp, ref, beta: 2 / (beta * softplus(beta * (logp - ref)).mean()))
wrong("npo_loss", "log-base")(lambda logp, ref, beta: 2 / beta * np.log10(1 + np.exp(beta * (logp - ref))).mean())
wrong("npo_loss", "centred")(lambda logp, ref, beta: 2 / beta * (softplus(beta * (logp - ref)).mean() - np.log(2)))
wrong("npo_loss", "n-written-in")(lambda logp, ref, beta: 2 / beta * softplus(beta * (logp - ref)).sum() / 5)
wrong("npo_loss", "logp-divided")(lambda logp, ref, beta: 2 / beta * softplus(beta * logp / ref).mean())
wrong("npo_loss", "ratio-inverted")(lambda logp, ref, beta: -2 / beta * log_expit(beta * (logp - ref)).mean())
wrong("npo_loss", "reference-not-used")(lambda logp, ref, beta: 2 / beta * softplus(beta * logp).mean())
wrong("npo_loss", "mean-before-log")(lambda logp, ref, beta: 2 / beta * softplus(beta * (logp - ref).mean()))
wrong("npo_loss", "mean-before-log")(lambda logp, ref, beta: 2 / beta * np.log1p(np.exp(beta * (logp - ref)).mean()))
wrong("npo_loss", "broadcast")(lambda logp, ref, beta: 2 / beta * softplus(beta * (logp.reshape(-1, 1) - ref)).mean())
wrong("npo_loss", "one-dropped")(lambda logp, ref, beta: 2 / beta * np.log(np.exp(beta * (logp - ref))).mean())
wrong("npo_loss", "sum")(lambda logp, ref, beta: 2 / beta * softplus(beta * (logp - ref)).sum())
wrong("npo_loss", "not-averaged")(lambda logp, ref, beta: 2 / beta * softplus(beta * (logp - ref)))
wrong("npo_loss", "logged-twice")(
    lambda logp, ref, beta: 2 / beta * softplus(beta * (np.log(logp) - np.log(ref))).mean()
)
wrong("npo_loss", "logged-twice")(lambda logp, ref, beta: 2 / beta * np.log(1 + logp**beta / ref**beta).mean())
wrong("npo_loss", "logp-as-probability")(lambda logp, ref, beta: 2 / beta * np.log(1 + (logp / ref) ** beta).mean())
wrong("npo_loss", "probabilities")(
    lambda logp, ref, beta: 2 / beta * softplus(beta * (np.exp(logp) - np.exp(ref))).mean()
)
wrong("npo_loss", "overflow")(lambda logp, ref, beta: 2 / beta * np.log(1 + np.exp(beta * (logp - ref))).mean())
wrong("npo_loss", "overflow")(lambda logp, ref, beta: 2 / beta * np.log1p((np.exp(logp) / np.exp(ref)) ** beta).mean())


@wrong("npo_loss", "modified")
def npo_in_place(logp, ref_logp, beta):
    logp -= ref_logp
    return 2 / beta * softplus(beta * logp).mean()


# npo_weight -------------------------------------------------------------------------------------------------------

right("npo_weight")(npo_tutorial.npo_weight)
right("npo_weight")(lambda logp, ref, beta: 2 * expit(beta * (logp - ref)))
right("npo_weight")(lambda logp, ref, beta: [2 * float(expit(beta * (p - r))) for p, r in zip(logp, ref, strict=True)])
right("npo_weight")(
    lambda logp, ref, beta: (
        1 + np.tanh(beta * (logp - ref) / 2) if (logp - ref > -9).all() else 2 * np.exp(log_expit(beta * (logp - ref)))
    )
)

wrong("npo_weight", "two-missing")(lambda logp, ref, beta: expit(beta * (logp - ref)))
wrong("npo_weight", "ratio-inverted")(lambda logp, ref, beta: 2 * expit(beta * (ref - logp)))
wrong("npo_weight", "reference-not-used")(lambda logp, ref, beta: 2 * expit(beta * logp))
wrong("npo_weight", "averaged")(lambda logp, ref, beta: np.mean(2 * expit(beta * (logp - ref))))
wrong("npo_weight", "beta-missing")(lambda logp, ref, beta: 2 * expit(logp - ref))
wrong("npo_weight", "negated")(lambda logp, ref, beta: -2 * expit(beta * (logp - ref)))
wrong("npo_weight", "probabilities")(lambda logp, ref, beta: 2 * expit(beta * (np.exp(logp) - np.exp(ref))))
wrong("npo_weight", "logp-as-probability")(lambda logp, ref, beta: 2 * logp / (logp + ref))
wrong("npo_weight", "logged-twice")(lambda logp, ref, beta: 2 * logp**beta / (logp**beta + ref**beta))
wrong("npo_weight", "overflow")(
    lambda logp, ref, beta: 2 * np.exp(logp) ** beta / (np.exp(logp) ** beta + np.exp(ref) ** beta)
)
wrong("npo_weight", "digits")(lambda logp, ref, beta: 2 * expit(np.maximum(beta * (logp - ref), -50)))
wrong("npo_weight", "digits")(lambda logp, ref, beta: 2 - 2 * expit(beta * (ref - logp)))
wrong("npo_weight", "minus-in-denominator")(
    lambda logp, ref, beta: 2 * np.exp(beta * logp) / (np.exp(beta * logp) - np.exp(beta * ref))
)
wrong("npo_weight", "shape")(lambda logp, ref, beta: 2 * expit(beta * (logp - ref))[:, None])


# npo_gap ----------------------------------------------------------------------------------------------------------

right("npo_gap")(lambda logp, ref_logp, beta: npo_tutorial.npo_gap(logp - ref_logp, beta=beta))
right("npo_gap")(
    lambda logp, ref, beta: np.mean(
        [
            2 / beta * math.log1p(2 * math.sinh(beta * u / 4) ** 2)
            if abs(beta * u) < 700
            else abs(u) - 2 / beta * math.log(2)
            for u in logp - ref
        ]
    )
)


@right("npo_gap")
def gap_by_series(logp, ref_logp, beta):
    u = np.abs(np.float32(logp - ref_logp))
    x = beta * u
    far = u + 2 / beta * np.log1p(np.exp(-x)) - 2 / beta * math.log(2)
    return np.where(x < 1e-2, beta * u**2 / 4 * (1 - x**2 / 24), far).mean()


def centered(logp, ref, beta):
    return 2 / beta * (softplus(beta * (logp - ref)).mean() - math.log(2))


wrong("npo_gap", "offset-kept")(
    lambda logp, ref, beta: 2 / beta * softplus(beta * (logp - ref)).mean() - (logp - ref).mean()
)
wrong("npo_gap", "limit-kept")(centered)
wrong("npo_gap", "wrong-limit")(lambda logp, ref, beta: centered(logp, ref, beta) - logp.mean())
wrong("npo_gap", "negated")(lambda logp, ref, beta: (logp - ref).mean() - centered(logp, ref, beta))
wrong("npo_gap", "approximation")(lambda logp, ref, beta: beta / 4 * np.mean((logp - ref) ** 2))
wrong("npo_gap", "beta-missing")(lambda logp, ref, beta: 2 / beta * np.mean(np.log(np.cosh((logp - ref) / 2))))
wrong("npo_gap", "digits")(lambda logp, ref, beta: 2 / beta * np.mean(np.log(np.cosh(beta * (logp - ref) / 2))))
wrong("npo_gap", "half-factor")(lambda logp, ref, beta: npo_tutorial.npo_gap(logp - ref, beta=beta) / 2)
wrong("npo_gap", "factor-missing")(lambda logp, ref, beta: npo_tutorial.npo_gap(logp - ref, beta=beta) * beta / 2)
wrong("npo_gap", "log-base")(lambda logp, ref, beta: npo_tutorial.npo_gap(logp - ref, beta=beta) / math.log(10))
wrong("npo_gap", "digits")(lambda logp, ref, beta: centered(logp, ref, beta) - (logp - ref).mean())
wrong("npo_gap", "overflow")(
    lambda logp, ref, beta: np.mean(2 / beta * np.log1p(2 * np.sinh(beta * (logp - ref) / 4) ** 2))
)
wrong("npo_gap", "sum")(lambda logp, ref, beta: len(logp) * npo_tutorial.npo_gap(logp - ref, beta=beta))


# npo_gradient and gd_step -----------------------------------------------------------------------------------------


def gradient(theta, X, y, ref_logp, beta):
    s = signs(y)
    m = s * (X @ theta)
    return X.T @ (2 * expit(beta * (log_expit(m) - ref_logp)) * expit(-m) * s) / len(y)


right("npo_gradient")(gradient)


@right("npo_gradient")
def gradient_in_a_loop(theta, X, y, ref_logp, beta):
    total = np.zeros_like(theta)
    for x, label, ref in zip(X, y, ref_logp, strict=True):
        s = 1 if label == 1 else -1
        m = s * sum(a * b for a, b in zip(x, theta, strict=True))
        total += 2 * expit(beta * (log_expit(m) - ref)) * expit(-m) * s * x
    return total / len(X)


@wrong("npo_gradient", "labels-as-signs")
def gradient_with_labels(theta, X, y, ref_logp, beta):
    m = y * (X @ theta)
    return X.T @ (2 * expit(beta * (log_expit(m) - ref_logp)) * expit(-m) * y) / len(y)


@wrong("npo_gradient", "sigmoid-inverted")
def gradient_with_the_wrong_sigmoid(theta, X, y, ref_logp, beta):
    m = signs(y) * (X @ theta)
    return X.T @ (2 * expit(beta * (log_expit(m) - ref_logp)) * expit(m) * signs(y)) / len(y)


@wrong("npo_gradient", "weight-missing")
def gradient_of_ga(theta, X, y, ref_logp, beta):
    s = signs(y)
    return X.T @ (expit(-s * (X @ theta)) * s) / len(y)


@wrong("npo_gradient", "overflow")
def gradient_that_overflows(theta, X, y, ref_logp, beta):
    s = signs(y)
    m = s * (X @ theta)
    power = (1 / (1 + np.exp(-m))) ** beta
    return (
        X.T @ (2 * power / (power + np.exp(ref_logp) ** beta) * (1 / (1 + np.exp(m))) * s) / len(y)
        + 0 * np.exp(m).sum()
    )


@wrong("npo_gradient", "sigmoid-missing")
def gradient_without_the_sigmoid(theta, X, y, ref_logp, beta):
    s = signs(y)
    return X.T @ (2 * expit(beta * (log_expit(s * (X @ theta)) - ref_logp)) * s) / len(y)


@wrong("npo_gradient", "sign-missing")
def gradient_without_the_last_sign(theta, X, y, ref_logp, beta):
    m = signs(y) * (X @ theta)
    return X.T @ (2 * expit(beta * (log_expit(m) - ref_logp)) * expit(-m)) / len(y)


@wrong("npo_gradient", "margin-as-logp")
def gradient_with_margins_as_log_probabilities(theta, X, y, ref_logp, beta):
    s = signs(y)
    m = s * (X @ theta)
    return X.T @ (2 * expit(beta * (m - ref_logp)) * expit(-m) * s) / len(y)


@wrong("npo_gradient", "beta-missing")
def gradient_without_beta(theta, X, y, ref_logp, beta):
    return gradient(theta, X, y, ref_logp, 1.0)


wrong("npo_gradient", "negated")(lambda theta, X, y, ref, beta: -gradient(theta, X, y, ref, beta))
wrong("npo_gradient", "half-weight")(lambda theta, X, y, ref, beta: gradient(theta, X, y, ref, beta) / 2)
wrong("npo_gradient", "reference-not-used")(lambda theta, X, y, ref, beta: gradient(theta, X, y, 0 * ref, beta))
wrong("npo_gradient", "sum")(lambda theta, X, y, ref, beta: gradient(theta, X, y, ref, beta) * len(y))
wrong("npo_gradient", "shape")(lambda theta, X, y, ref, beta: gradient(theta, X, y, ref, beta)[:, None])

right("gd_step")(lambda theta, X, y, ref, beta, step_size: theta - step_size * gradient(theta, X, y, ref, beta))


@wrong("gd_step", "modified")
def step_in_place(theta, X, y, ref_logp, beta, step_size):
    theta -= step_size * gradient(theta, X, y, ref_logp, beta)
    return theta


wrong("gd_step", "ascends")(lambda theta, X, y, ref, beta, step: theta + step * gradient(theta, X, y, ref, beta))
wrong("gd_step", "returns-step")(lambda theta, X, y, ref, beta, step: -step * gradient(theta, X, y, ref, beta))
wrong("gd_step", "step-size-missing")(lambda theta, X, y, ref, beta, step: theta - gradient(theta, X, y, ref, beta))
wrong("gd_step", "n-missing")(lambda theta, X, y, ref, beta, step: theta - step * 3 * gradient(theta, X, y, ref, beta))
wrong("gd_step", "weight-missing")(
    lambda theta, X, y, ref, beta, step: theta - step * gradient_of_ga(theta, X, y, ref, beta)
)
wrong("gd_step", "half-step")(lambda theta, X, y, ref, beta, step: theta - step / 2 * gradient(theta, X, y, ref, beta))
wrong("gd_step", "sigmoid-missing")(
    lambda theta, X, y, ref, beta, step: theta - step * gradient_without_the_sigmoid(theta, X, y, ref, beta)
)
wrong("gd_step", "beta-missing")(lambda theta, X, y, ref, beta, step: theta - step * gradient(theta, X, y, ref, 1.0))
wrong("gd_step", "labels-as-signs")(
    lambda theta, X, y, ref, beta, step: theta - step * gradient_with_labels(theta, X, y, ref, beta)
)


# gram_descent -----------------------------------------------------------------------------------------------------


def push(m, margins, beta):
    return 2 * expit(beta * (log_expit(m) - log_expit(margins))) * expit(-m)


@right("gram_descent")
def gram_descent(gram, margins, beta, step_size, n_steps):
    path = [margins]
    for _ in range(n_steps):
        path.append(path[-1] - step_size / len(margins) * gram @ push(path[-1], margins, beta))
    return path


@right("gram_descent")
def gram_descent_in_loops(gram, margins, beta, step_size, n_steps):
    n = len(margins)
    path = np.empty((n_steps + 1, n))
    path[0] = margins
    for t in range(n_steps):
        h = push(path[t], margins, beta)
        for i in range(n):
            path[t + 1, i] = path[t, i] - step_size / n * sum(gram[i, j] * h[j] for j in range(n))
    return path


@wrong("gram_descent", "aliased")
def gram_aliased(gram, margins, beta, step_size, n_steps):
    m = margins.copy()
    path = [m]
    for _ in range(n_steps):
        m -= step_size / len(m) * gram @ push(m, margins, beta)
        path.append(m)
    return path


@wrong("gram_descent", "aliased")
def gram_aliased_after_the_first_row(gram, margins, beta, step_size, n_steps):
    m, path = margins.copy(), [margins.copy()]
    for _ in range(n_steps):
        m -= step_size / len(m) * gram @ push(m, margins, beta)
        path.append(m)
    return path


@wrong("gram_descent", "step-missing")
def gram_with_a_step_too_few(gram, margins, beta, step_size, n_steps):
    return gram_descent(gram, margins, beta, step_size, n_steps - 1)


@wrong("gram_descent", "restarts")
def gram_that_starts_anew(gram, margins, beta, step_size, n_steps):
    return [margins] + [margins - step_size / len(margins) * gram @ push(margins, margins, beta)] * n_steps


@wrong("gram_descent", "unmoved")
def gram_that_stays(gram, margins, beta, step_size, n_steps):
    return [margins] * (n_steps + 1)


def descending(push):
    """Descent with another push."""

    def gram_descent(gram, margins, beta, step_size, n_steps):
        path = [margins]
        for _ in range(n_steps):
            path.append(path[-1] - step_size / len(margins) * gram @ push(path[-1], margins, beta))
        return path

    return gram_descent


wrong("gram_descent", "reference-follows")(descending(lambda m, start, beta: expit(-m)))
wrong("gram_descent", "beta-missing")(descending(lambda m, start, beta: push(m, start, 1.0)))
wrong("gram_descent", "margin-as-logp")(descending(lambda m, start, beta: 2 * expit(beta * (m - start)) * expit(-m)))
wrong("gram_descent", "sigmoid-missing")(
    descending(lambda m, start, beta: 2 * expit(beta * (log_expit(m) - log_expit(start))))
)
wrong("gram_descent", "sigmoid-inverted")(descending(lambda m, start, beta: push(m, start, beta) * np.exp(m)))
wrong("gram_descent", "start-missing")(lambda gram, m, beta, step, n: gram_descent(gram, m, beta, 3 * step, n)[1:])


@wrong("gram_descent", "sequential")
def gram_sequential(gram, margins, beta, step_size, n_steps):
    path = [margins]
    for _ in range(n_steps):
        m = path[-1].copy()
        for i in range(len(m)):
            m[i] -= step_size / len(m) * gram[i] @ push(m, margins, beta)
        path.append(m)
    return path


@wrong("gram_descent", "reference-follows")
def gram_with_a_moving_reference(gram, margins, beta, step_size, n_steps):
    path = [margins]
    for _ in range(n_steps):
        path.append(path[-1] - step_size / len(margins) * gram @ push(path[-1], path[-1], beta))
    return path


@wrong("gram_descent", "modified")
def gram_in_place(gram, margins, beta, step_size, n_steps):
    start, path = margins.copy(), [margins.copy()]
    for _ in range(n_steps):
        margins -= step_size / len(margins) * gram @ push(margins, start, beta)
        path.append(margins.copy())
    return path


wrong("gram_descent", "start-missing")(lambda gram, m, beta, step, n: gram_descent(gram, m, beta, step, n)[1:])
wrong("gram_descent", "single-row")(lambda gram, m, beta, step, n: m)
wrong("gram_descent", "single-row")(lambda gram, m, beta, step, n: gram_descent(gram, m, beta, step, n)[-1])
wrong("gram_descent", "n-missing")(lambda gram, m, beta, step, n: gram_descent(gram, m, beta, 3 * step, n))
wrong("gram_descent", "ascends")(lambda gram, m, beta, step, n: gram_descent(gram, m, beta, -step, n))
wrong("gram_descent", "half-step")(lambda gram, m, beta, step, n: gram_descent(gram, m, beta, step / 2, n))
wrong("gram_descent", "diagonal-only")(
    lambda gram, m, beta, step, n: gram_descent(np.diag(np.diag(gram)), m, beta, step, n)
)
wrong("gram_descent", "shape")(lambda gram, m, beta, step, n: np.array(gram_descent(gram, m, beta, step, n)).T)


# ga_constants -----------------------------------------------------------------------------------------------------


@right("ga_constants")
def ga_constants(r, R, R0):
    c = r**2 * expit(-R * R0) / 2
    return c, c, R**2 + c


wrong("ga_constants", "q-inverted")(lambda r, R, R0: (c := r**2 * expit(R * R0) / 2, c, R**2 + c))
wrong("ga_constants", "start-ignored")(lambda r, R, R0: (r**2 / 4, r**2 / 4, R**2 + r**2 / 4))
wrong("ga_constants", "short-radius")(lambda r, R, R0: (c := r**2 * expit(-R * R0) / 2, c, r**2 + c))
wrong("ga_constants", "radius-in-q")(lambda r, R, R0: (c := r**2 * expit(-r * R0) / 2, c, R**2 + c))
wrong("ga_constants", "not-squared")(lambda r, R, R0: (c := r * expit(-R * R0) / 2, c, R**2 + c))
wrong("ga_constants", "not-squared")(lambda r, R, R0: (c := r * expit(-R * R0) / 2, c, R + c))
wrong("ga_constants", "half-missing")(lambda r, R, R0: (c := r**2 * expit(-R * R0) / 2, c, R**2 + 2 * c))
wrong("ga_constants", "long-radius")(lambda r, R, R0: ga_constants(R, R, R0))
wrong("ga_constants", "half-missing")(lambda r, R, R0: (c := r**2 * expit(-R * R0), c, R**2 + c))
wrong("ga_constants", "others-missing")(lambda r, R, R0: (*ga_constants(r, R, R0)[:2], R**2))
wrong("ga_constants", "bounds-swapped")(lambda r, R, R0: tuple(np.take(ga_constants(r, R, R0), [0, 2, 1])))
wrong("ga_constants", "three-numbers")(lambda r, R, R0: ga_constants(r, R, R0)[1:])
wrong("ga_constants", "raised")(lambda r, R, R0: (c := r**2 / (1 + math.exp(R * R0)) / 2, c, R**2 + c))
wrong("ga_constants", "overflow")(
    lambda r, R, R0: (c := r**2 * (1 - np.exp(R * R0) / (1 + np.exp(R * R0))) / 2, c, R**2 + c)
)


# slower_loss ------------------------------------------------------------------------------------------------------


def bumps(u, period):
    """Ripples whose slope is positive wherever u is a multiple of the period."""
    return period / 7 * np.sin(2 * np.pi * u / period) / (2 * np.pi)


right("slower_loss")(lambda logp, ref_logp: npo_tutorial.npo_loss(logp, ref_logp, beta=3.0))
right("slower_loss")(lambda logp, ref_logp: np.mean(np.maximum(logp - ref_logp, -5)))  # stops altogether
right("slower_loss")(lambda logp, ref_logp: np.mean([math.erfc(r - p) for p, r in zip(logp, ref_logp, strict=True)]))
right("slower_loss")(lambda logp, ref_logp: np.mean(np.exp(logp - ref_logp)))  # twice as slow, less 4·10⁻⁸
right("slower_loss")(lambda logp, ref_logp: np.mean(np.maximum(np.float32(logp - ref_logp), np.float32(-5.3))))

wrong("slower_loss", "not-slower")(lambda logp, ref_logp: np.mean(logp))
wrong("slower_loss", "not-slower")(lambda logp, ref_logp: npo_tutorial.npo_loss(logp, ref_logp, beta=1.0))
wrong("slower_loss", "does-not-forget")(lambda logp, ref_logp: -np.mean(logp))
wrong("slower_loss", "does-not-forget")(lambda logp, ref_logp: 0.0)
wrong("slower_loss", "sum")(lambda logp, ref_logp: np.sum(np.maximum(logp - ref_logp + 5, 0) ** 2))
wrong("slower_loss", "not-the-mean")(lambda logp, ref_logp: np.exp(np.mean(logp - ref_logp)))
wrong("slower_loss", "not-the-mean")(lambda logp, ref_logp: np.max(logp - ref_logp))
wrong("slower_loss", "teaches")(lambda logp, ref_logp: np.mean(np.exp(u := logp - ref_logp) + bumps(u, 0.5)))
wrong("slower_loss", "teaches")(lambda logp, ref_logp: np.mean(np.exp(u := logp - ref_logp) + bumps(u, 0.05)))
wrong("slower_loss", "teaches")(lambda logp, ref_logp: np.mean((logp - ref_logp + 3) ** 2))
wrong("slower_loss", "stops-early")(lambda logp, ref_logp: np.mean(np.maximum(logp - ref_logp, -0.5)))
wrong("slower_loss", "not-averaged")(lambda logp, ref_logp: np.exp(logp - ref_logp))
wrong("slower_loss", "nan")(lambda logp, ref_logp: np.mean(np.log(logp - ref_logp + 1)))

"""Answers to the homework as students write them: wrong ones with the hint meant for them, and right ones that differ.

``python -m tests.homework_answers`` checks them all and prints which hints each question gave (the confusion table),
and how long the checks took.
"""

import math
import time
from collections import Counter
from contextlib import suppress
from itertools import count

import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import expit, log_expit, logsumexp

import npo_tutorial
from npo_tutorial import homework
from npo_tutorial.language import sequence_logp as package_sequence_logp
from tests.benchmarks import make_parser

WRONG = []  # (question, the hint that is meant for it, the answer)
RIGHT = []  # (question, the answer)


def wrong(question, hint):
    return lambda fn: WRONG.append((question, hint, fn)) or fn


def right(question):
    return lambda fn: RIGHT.append((question, fn)) or fn


def signs(y):
    return 2 * y - 1


# ga_loss ----------------------------------------------------------------------------------------------------------

right("ga_loss")(npo_tutorial.ga_loss)
right("ga_loss")(lambda logp: float(np.float32(logp).mean()))
right("ga_loss")(lambda log_probabilities: torch.mean(log_probabilities))


@right("ga_loss")
def ga_in_a_loop(logp):
    total = 0
    for value in logp:
        total += value
    return total / len(logp)


wrong("ga_loss", "sign")(lambda logp: -np.mean(logp))
wrong("ga_loss", "sum")(lambda logp: np.sum(logp))
wrong("ga_loss", "not-averaged")(lambda logp: logp)
wrong("ga_loss", "probabilities")(lambda logp: np.exp(logp).mean())
wrong("ga_loss", "logged-twice")(lambda logp: np.log(logp).mean())
wrong("ga_loss", "returns-nothing")(lambda logp: print(end=""))
wrong("ga_loss", "not-numbers")(lambda logp: str(np.mean(logp)))
wrong("ga_loss", "value")(lambda logp: np.median(logp) - 1)
wrong("ga_loss", "signature")(lambda: 0)
wrong("ga_loss", "shape")(lambda logp: np.ones((2, 2)))


@wrong("ga_loss", "not-attempted")
def ga_stub(logp):
    raise NotImplementedError


@wrong("ga_loss", "raised")
def ga_with_a_typing_error(logp):
    return np.maen(logp)


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
right("dpo_loss")(lambda c, r, rc, rr, beta: -F.logsigmoid(beta * ((c - rc) - (r - rr))).mean() / beta)


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
wrong("dpo_loss", "overflow")(
    lambda c, r, rc, rr, beta: -np.mean(np.log(1 / (1 + np.exp(-beta * (c - rc - r + rr))))) / beta
)
wrong("dpo_loss", "logged-twice")(lambda c, r, rc, rr, beta: dpo(np.log(c), np.log(r), np.log(rc), np.log(rr), beta))


# npo_loss ---------------------------------------------------------------------------------------------------------

right("npo_loss")(npo_tutorial.npo_loss)
right("npo_loss")(lambda logp, ref_logp, beta: 2 / beta * np.mean(np.logaddexp(0, beta * (logp - ref_logp))))
right("npo_loss")(lambda logp, ref_logp, beta: -2 / beta * F.logsigmoid(-beta * (logp - ref_logp)).mean())
right("npo_loss")(lambda logp, ref_logp, beta: 2 / beta * F.softplus(beta * (logp - ref_logp)).mean())
right("npo_loss")(lambda logp, ref, beta: -(2 / beta) * log_expit(np.float32(beta) * np.float32(ref - logp)).mean())


@right("npo_loss")
def npo_in_a_loop(logp, ref_logp, beta):
    losses = []
    for lp, ref in zip(logp, ref_logp, strict=True):
        z = beta * (float(lp) - float(ref))
        losses.append(z + math.log1p(math.exp(-z)) if z > 0 else math.log1p(math.exp(z)))
    return 2 / beta * math.fsum(losses) / len(losses)


@right("npo_loss")
def npo_by_logsumexp(logp, ref_logp, beta):
    powers = np.stack([beta * logp, beta * ref_logp])
    return np.mean((logsumexp(powers, axis=0) - beta * ref_logp) * 2 / beta, keepdims=True)


def softplus(z):
    return np.logaddexp(0, z)


wrong("npo_loss", "sign")(lambda logp, ref, beta: -2 / beta * softplus(beta * (logp - ref)).mean())
wrong("npo_loss", "factor-missing")(lambda logp, ref, beta: softplus(beta * (logp - ref)).mean())
wrong("npo_loss", "half-factor")(lambda logp, ref, beta: softplus(beta * (logp - ref)).mean() / beta)
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
wrong("npo_loss", "logged-twice")(lambda logp, ref, beta: 2 / beta * np.log(1 + (logp / ref) ** beta).mean())
wrong("npo_loss", "probabilities")(
    lambda logp, ref, beta: 2 / beta * softplus(beta * (np.exp(logp) - np.exp(ref))).mean()
)
wrong("npo_loss", "overflow")(lambda logp, ref, beta: 2 / beta * np.log(1 + np.exp(beta * (logp - ref))).mean())
wrong("npo_loss", "overflow")(lambda logp, ref, beta: 2 / beta * np.log1p((np.exp(logp) / np.exp(ref)) ** beta).mean())
wrong("npo_loss", "overflow")(lambda logp, ref, beta: 2 / beta * torch.log(1 + torch.exp(beta * (logp - ref))).mean())


@wrong("npo_loss", "modified")
def npo_in_place(logp, ref_logp, beta):
    logp -= ref_logp
    return 2 / beta * softplus(beta * logp).mean()


# npo_weight -------------------------------------------------------------------------------------------------------

right("npo_weight")(npo_tutorial.npo_weight)
right("npo_weight")(lambda logp, ref, beta: 2 * expit(beta * (logp - ref)))
right("npo_weight")(lambda logp, ref, beta: 2 * torch.sigmoid(beta * (logp - ref)))
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
wrong("npo_weight", "factor-missing")(lambda logp, ref, beta: 2 * expit(logp - ref))
wrong("npo_weight", "overflow")(
    lambda logp, ref, beta: 2 * np.exp(logp) ** beta / (np.exp(logp) ** beta + np.exp(ref) ** beta)
)
wrong("npo_weight", "digits")(lambda logp, ref, beta: 2 - 2 * expit(beta * (ref - logp)))
wrong("npo_weight", "sign")(
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
wrong("npo_gap", "sign")(lambda logp, ref, beta: (logp - ref).mean() - centered(logp, ref, beta))
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
def gradient_by_autograd(theta, X, y, ref_logp, beta):
    theta = torch.tensor(theta, requires_grad=True)
    s, X = torch.tensor(signs(y)), torch.tensor(X)
    loss = 2 / beta * F.softplus(beta * (F.logsigmoid(s * (X @ theta)) - torch.tensor(ref_logp))).mean()
    loss.backward()
    return theta.grad


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


wrong("npo_gradient", "sign")(lambda theta, X, y, ref, beta: -gradient(theta, X, y, ref, beta))
wrong("npo_gradient", "half-weight")(lambda theta, X, y, ref, beta: gradient(theta, X, y, ref, beta) / 2)
wrong("npo_gradient", "reference-not-used")(lambda theta, X, y, ref, beta: gradient(theta, X, y, 0 * ref, beta))
wrong("npo_gradient", "sum")(lambda theta, X, y, ref, beta: gradient(theta, X, y, ref, beta) * len(y))
wrong("npo_gradient", "shape")(lambda theta, X, y, ref, beta: gradient(theta, X, y, ref, beta)[:, None])

right("gd_step")(lambda theta, X, y, ref, beta, step_size: theta - step_size * gradient(theta, X, y, ref, beta))
right("gd_step")(
    lambda theta, X, y, ref_logp, beta, step_size: (
        theta - step_size * gradient_by_autograd(theta, X, y, ref_logp, beta).float().numpy()
    )
)


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


@right("gram_descent")
def gram_descent_in_torch(gram, margins, beta, step_size, n_steps):
    m, path = margins.clone(), [margins]
    for _ in range(n_steps):
        weight = 2 * torch.sigmoid(beta * (F.logsigmoid(m) - F.logsigmoid(margins)))
        m = m - step_size / len(m) * gram @ (weight * torch.sigmoid(-m))
        path.append(m)
    return torch.stack(path)


@wrong("gram_descent", "aliased")
def gram_aliased(gram, margins, beta, step_size, n_steps):
    m = margins.copy()
    path = [m]
    for _ in range(n_steps):
        m -= step_size / len(m) * gram @ push(m, margins, beta)
        path.append(m)
    return path


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
wrong("gram_descent", "last-only")(lambda gram, m, beta, step, n: gram_descent(gram, m, beta, step, n)[-1])
wrong("gram_descent", "n-missing")(lambda gram, m, beta, step, n: gram_descent(gram, m, beta, 3 * step, n))
wrong("gram_descent", "ascends")(lambda gram, m, beta, step, n: gram_descent(gram, m, beta, -step, n))
wrong("gram_descent", "half-weight")(lambda gram, m, beta, step, n: gram_descent(gram, m, beta, step / 2, n))
wrong("gram_descent", "diagonal-only")(
    lambda gram, m, beta, step, n: gram_descent(np.diag(np.diag(gram)), m, beta, step, n)
)
wrong("gram_descent", "shape")(lambda gram, m, beta, step, n: np.array(gram_descent(gram, m, beta, step, n)).T)


# ga_constants -----------------------------------------------------------------------------------------------------


@right("ga_constants")
def ga_constants(r, R, R0):
    c = r**2 * expit(-R * R0) / 2
    return c, c, R**2 + c


right("ga_constants")(
    lambda r, R, R0: [getattr(npo_tutorial.uniform_constants(r, R, R0, loss="ga"), name) for name in ("C0", "C1", "C2")]
)
right("ga_constants")(
    lambda r, R, R0: torch.tensor([0, 0, R**2]) + r**2 / 2 * torch.sigmoid(torch.tensor(-R * R0)).expand(3)
)

wrong("ga_constants", "q-inverted")(lambda r, R, R0: (c := r**2 * expit(R * R0) / 2, c, R**2 + c))
wrong("ga_constants", "start-ignored")(lambda r, R, R0: (r**2 / 4, r**2 / 4, R**2 + r**2 / 4))
wrong("ga_constants", "wrong-radius")(lambda r, R, R0: ga_constants(R, R, R0))
wrong("ga_constants", "half-missing")(lambda r, R, R0: (c := r**2 * expit(-R * R0), c, R**2 + c))
wrong("ga_constants", "others-missing")(lambda r, R, R0: (*ga_constants(r, R, R0)[:2], R**2))
wrong("ga_constants", "bounds-swapped")(lambda r, R, R0: tuple(np.take(ga_constants(r, R, R0), [0, 2, 1])))
wrong("ga_constants", "three-numbers")(lambda r, R, R0: ga_constants(r, R, R0)[1:])
wrong("ga_constants", "raised")(lambda r, R, R0: (c := r**2 / (1 + math.exp(R * R0)) / 2, c, R**2 + c))
wrong("ga_constants", "overflow")(
    lambda r, R, R0: (c := r**2 * (1 - np.exp(R * R0) / (1 + np.exp(R * R0))) / 2, c, R**2 + c)
)


# sequence_logp ----------------------------------------------------------------------------------------------------

right("sequence_logp")(package_sequence_logp)
right("sequence_logp")(
    lambda logits, labels: -F.cross_entropy(logits[:, :-1].transpose(1, 2), labels[:, 1:], reduction="none").sum(1)
)


@right("sequence_logp")
def sequence_logp(logits, labels):
    logp, targets = logits[:, :-1].log_softmax(-1), labels[:, 1:]
    mask = targets != -100
    return (logp.gather(-1, targets.clamp(min=0)[..., None])[..., 0] * mask).sum(-1)


@right("sequence_logp")
def sequence_logp_in_loops(logits, labels):
    sums = []
    for row, tokens in zip(logits.float(), labels.tolist(), strict=True):
        terms = [row[t - 1, token] - row[t - 1].logsumexp(0) for t, token in enumerate(tokens) if token != -100]
        sums.append(sum(terms).item())
    return sums


def gathered(logp, targets):
    return logp.gather(-1, targets.clamp(min=0)[..., None])[..., 0] * (targets != -100)


wrong("sequence_logp", "unshifted")(lambda logits, labels: gathered(logits.log_softmax(-1), labels).sum(-1))
wrong("sequence_logp", "shifted-back")(
    lambda logits, labels: gathered(logits[:, 1:].log_softmax(-1), labels[:, :-1]).sum(-1)
)
wrong("sequence_logp", "padding-counted")(
    lambda logits, labels: (
        logits[:, :-1].log_softmax(-1).gather(-1, labels[:, 1:].clamp(min=0)[..., None])[..., 0].sum(-1)
    )
)
wrong("sequence_logp", "padding-raised")(
    lambda logits, labels: logits[:, :-1].log_softmax(-1).gather(-1, labels[:, 1:, None])[..., 0].sum(-1)
)
wrong("sequence_logp", "mean-over-tokens")(
    lambda logits, labels: sequence_logp(logits, labels) / (labels[:, 1:] != -100).sum(-1)
)
wrong("sequence_logp", "mean-over-tokens")(
    lambda logits, labels: gathered(logits[:, :-1].log_softmax(-1), labels[:, 1:]).mean(-1)
)
wrong("sequence_logp", "logits-as-logp")(lambda logits, labels: gathered(logits[:, :-1], labels[:, 1:]).sum(-1))
wrong("sequence_logp", "wrong-axis")(
    lambda logits, labels: gathered(logits.log_softmax(1)[:, :-1], labels[:, 1:]).sum(-1)
)
wrong("sequence_logp", "probabilities")(
    lambda logits, labels: gathered(logits[:, :-1].softmax(-1), labels[:, 1:]).sum(-1)
)
wrong("sequence_logp", "sign")(lambda logits, labels: -sequence_logp(logits, labels))
wrong("sequence_logp", "whole-batch")(lambda logits, labels: sequence_logp(logits, labels).sum())
wrong("sequence_logp", "overflow")(
    lambda logits, labels: gathered(logits[:, :-1].softmax(-1).log(), labels[:, 1:]).sum(-1)
)


# npo_step ---------------------------------------------------------------------------------------------------------


def stepping(loss_of, *, frozen=True, zero=True, step=True, returned=lambda loss: loss.item()):
    """An answer to npo_step with a part that is not what it should be."""

    def npo_step(model, ref_model, input_ids, labels, optimizer, beta):
        with torch.set_grad_enabled(not frozen):
            ref_logits = ref_model(input_ids)
        loss = loss_of(model(input_ids), ref_logits, labels, beta)
        if zero:
            optimizer.zero_grad()
        loss.backward()
        if step:
            optimizer.step()
        return returned(loss)

    return npo_step


def npo_of(logp, ref_logp, beta):
    return 2 / beta * F.softplus(beta * (logp - ref_logp)).mean()


def loss_by(sums):
    return lambda logits, ref_logits, labels, beta: npo_of(sums(logits, labels), sums(ref_logits, labels), beta)


npo_by_logp = loss_by(sequence_logp)
right("npo_step")(stepping(npo_by_logp))
right("npo_step")(stepping(npo_by_logp, returned=lambda loss: loss.detach()))


@right("npo_step")
def npo_step_by_the_package(model, ref_model, input_ids, labels, optimizer, beta):
    ref_logp = package_sequence_logp(ref_model(input_ids).detach(), labels)
    loss = npo_tutorial.npo_loss(package_sequence_logp(model(input_ids), labels), ref_logp, beta=beta)
    model.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.item()


wrong("npo_step", "reference-gradient")(stepping(npo_by_logp, frozen=False))
wrong("npo_step", "gradients-kept")(stepping(npo_by_logp, zero=False))
wrong("npo_step", "model-unchanged")(stepping(npo_by_logp, step=False))
wrong("npo_step", "returns-nothing")(stepping(npo_by_logp, returned=lambda loss: None))
wrong("npo_step", "loss-returned")(stepping(npo_by_logp, returned=lambda loss: -loss.item()))
wrong("npo_step", "ascends")(stepping(lambda *a: -npo_by_logp(*a)))
wrong("npo_step", "half-factor")(stepping(lambda *a: npo_by_logp(*a) / 2))
wrong("npo_step", "factor-missing")(stepping(lambda *a: npo_by_logp(*a) * a[-1] / 2))
wrong("npo_step", "sum")(stepping(lambda *a: npo_by_logp(*a) * 2))
wrong("npo_step", "weight-missing")(stepping(lambda logits, ref, labels, beta: sequence_logp(logits, labels).mean()))
wrong("npo_step", "reference-not-used")(
    stepping(lambda logits, ref, labels, beta: npo_of(sequence_logp(logits, labels), 0, beta))
)
wrong("npo_step", "mean-before-log")(
    stepping(
        lambda logits, ref, labels, beta: npo_of(
            sequence_logp(logits, labels).mean(), sequence_logp(ref, labels).mean(), beta
        )
    )
)
for token_mistake in ("unshifted", "padding-counted", "mean-over-tokens", "logits-as-logp", "wrong-axis"):
    sums = next(fn for question, hint, fn in WRONG if (question, hint) == ("sequence_logp", token_mistake))
    wrong("npo_step", token_mistake)(stepping(loss_by(sums)))


@wrong("npo_step", "loss-after")
def npo_step_with_a_late_loss(model, ref_model, input_ids, labels, optimizer, beta):
    stepping(npo_by_logp)(model, ref_model, input_ids, labels, optimizer, beta)
    with torch.no_grad():
        return npo_by_logp(model(input_ids), ref_model(input_ids), labels, beta).item()


@wrong("npo_step", "model-unchanged")
def npo_step_with_itself_as_reference(model, ref_model, input_ids, labels, optimizer, beta):
    return stepping(npo_by_logp, frozen=False)(model, model, input_ids, labels, optimizer, beta)


@wrong("npo_step", "reference-changed")
def npo_step_that_moves_the_reference(model, ref_model, input_ids, labels, optimizer, beta):
    loss = stepping(npo_by_logp)(model, ref_model, input_ids, labels, optimizer, beta)
    ref_model.load_state_dict(model.state_dict())
    return loss


# slower_loss ------------------------------------------------------------------------------------------------------

right("slower_loss")(lambda logp, ref_logp: npo_tutorial.npo_loss(logp, ref_logp, beta=3.0))
right("slower_loss")(lambda logp, ref_logp: F.softplus(2 * (logp - ref_logp)).mean())
right("slower_loss")(lambda logp, ref_logp: np.mean(np.maximum(logp - ref_logp, -5)))  # stops altogether
right("slower_loss")(lambda logp, ref_logp: sum(math.erfc(r - p) for p, r in zip(logp, ref_logp, strict=True)))

wrong("slower_loss", "not-slower")(lambda logp, ref_logp: np.mean(logp))
wrong("slower_loss", "not-slower")(lambda logp, ref_logp: npo_tutorial.npo_loss(logp, ref_logp, beta=1.0))
wrong("slower_loss", "does-not-forget")(lambda logp, ref_logp: -np.mean(logp))
wrong("slower_loss", "does-not-forget")(lambda logp, ref_logp: 0.0)
wrong("slower_loss", "teaches")(lambda logp, ref_logp: np.mean((logp - ref_logp + 3) ** 2))
wrong("slower_loss", "stops-early")(lambda logp, ref_logp: np.mean(np.maximum(logp - ref_logp, -0.5)))
wrong("slower_loss", "not-averaged")(lambda logp, ref_logp: np.exp(logp - ref_logp))
wrong("slower_loss", "nan")(lambda logp, ref_logp: np.mean(np.log(logp - ref_logp + 1)))


def hint_for(question, fn, *, seed=0, time_limit=10.0):
    """What the check finds, "" if nothing."""
    try:
        getattr(homework, f"check_{question}")(fn, seed=seed, lang="en", time_limit=time_limit)
    except homework.Wrong as error:
        return error.hint
    return ""


def main():
    make_parser("tests.homework_answers", __doc__).parse_args()
    confusion, slowest = Counter(), {}
    for question, hint, fn in [*WRONG, *((question, "", fn) for question, fn in RIGHT)]:
        start = time.perf_counter()
        found = hint_for(question, fn, time_limit=0.5 if hint == "time" else 10.0)
        slowest[question] = max(slowest.get(question, 0), time.perf_counter() - start)
        confusion[question, hint, found] += 1
    print(f"{'question':16}{'meant':20}{'said':20}{'answers':>8}")
    for (question, hint, found), n in confusion.items():
        print(
            f"{question:16}{hint or 'right':20}{found or 'right':20}{n:8}{'' if hint == found else '   <-- not meant'}"
        )
    agree = sum(n for (_, hint, found), n in confusion.items() if hint == found)
    print(f"\n{len(WRONG)} wrong answers, {len(RIGHT)} right ones: {agree} of {len(WRONG) + len(RIGHT)} as meant")
    print("slowest check, s: " + ", ".join(f"{question} {seconds:.2f}" for question, seconds in slowest.items()))


if __name__ == "__main__":
    main()

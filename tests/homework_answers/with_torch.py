"""Answers that need PyTorch, SciPy or the whole package."""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import logsumexp

import npo_tutorial
from npo_tutorial.language import sequence_logp as package_sequence_logp
from tests.homework_answers import WRONG, right, wrong
from tests.homework_answers.with_numpy import signs

right("ga_loss")(lambda log_probabilities: torch.mean(log_probabilities))

right("dpo_loss")(lambda c, r, rc, rr, beta: -F.logsigmoid(beta * ((c - rc) - (r - rr))).mean() / beta)

right("npo_loss")(lambda logp, ref_logp, beta: -2 / beta * F.logsigmoid(-beta * (logp - ref_logp)).mean())

right("npo_loss")(lambda logp, ref_logp, beta: 2 / beta * F.softplus(beta * (logp - ref_logp)).mean())

wrong("npo_loss", "overflow")(lambda logp, ref, beta: 2 / beta * torch.log(1 + torch.exp(beta * (logp - ref))).mean())

right("npo_weight")(lambda logp, ref, beta: 2 * torch.sigmoid(beta * (logp - ref)))

right("slower_loss")(lambda logp, ref_logp: F.softplus(2 * (logp - ref_logp)).mean())

right("ga_constants")(
    lambda r, R, R0: [getattr(npo_tutorial.uniform_constants(r, R, R0, loss="ga"), name) for name in ("C0", "C1", "C2")]
)

right("ga_constants")(
    lambda r, R, R0: torch.tensor([0, 0, R**2]) + r**2 / 2 * torch.sigmoid(torch.tensor(-R * R0)).expand(3)
)


@right("npo_loss")
def npo_by_logsumexp(logp, ref_logp, beta):
    powers = np.stack([beta * logp, beta * ref_logp])
    return np.mean((logsumexp(powers, axis=0) - beta * ref_logp) * 2 / beta, keepdims=True)


@right("npo_gradient")
def gradient_by_autograd(theta, X, y, ref_logp, beta):
    theta = torch.tensor(theta, requires_grad=True)
    s, X = torch.tensor(signs(y)), torch.tensor(X)
    loss = 2 / beta * F.softplus(beta * (F.logsigmoid(s * (X @ theta)) - torch.tensor(ref_logp))).mean()
    loss.backward()
    return theta.grad


right("gd_step")(
    lambda theta, X, y, ref_logp, beta, step_size: (
        theta - step_size * gradient_by_autograd(theta, X, y, ref_logp, beta).float().numpy()
    )
)


@right("gram_descent")
def gram_descent_in_torch(gram, margins, beta, step_size, n_steps):
    m, path = margins.clone(), [margins]
    for _ in range(n_steps):
        weight = 2 * torch.sigmoid(beta * (F.logsigmoid(m) - F.logsigmoid(margins)))
        m = m - step_size / len(m) * gram @ (weight * torch.sigmoid(-m))
        path.append(m)
    return torch.stack(path)


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
        sums.append(sum(terms))
    return torch.stack(sums)


def shifted(labels):
    """The labels of the tokens that the logits at each position predict."""
    return F.pad(labels[:, 1:], (0, 1), value=-100)


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
wrong("sequence_logp", "wrong-axis")(
    lambda logits, labels: gathered(logits.log_softmax(0)[:, :-1], labels[:, 1:]).sum(-1)
)
wrong("sequence_logp", "token-0-dropped")(
    lambda logits, labels: (
        logits[:, :-1].log_softmax(-1).gather(-1, labels[:, 1:].clamp(min=0)[..., None])[..., 0] * (labels[:, 1:] > 0)
    ).sum(-1)
)
wrong("sequence_logp", "detached")(lambda logits, labels: sequence_logp(logits, labels).detach())
wrong("sequence_logp", "detached")(lambda logits, labels: sequence_logp(logits, labels).tolist())
wrong("sequence_logp", "detached")(lambda logits, labels: sequence_logp(torch.tensor(logits.numpy()), labels))
wrong("sequence_logp", "detached")(
    lambda logits, labels: gathered(logits - logits.logsumexp(-1, keepdim=True).detach(), shifted(labels)).sum(-1)
)
wrong("sequence_logp", "negated")(lambda logits, labels: -sequence_logp(logits, labels))
wrong("sequence_logp", "whole-batch")(lambda logits, labels: sequence_logp(logits, labels).sum())
wrong("sequence_logp", "whole-batch")(
    lambda logits, labels: -F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
)
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
wrong("npo_step", "sum")(stepping(lambda *a: npo_by_logp(*a) * 3))
wrong("npo_step", "value")(stepping(lambda *a: npo_by_logp(*a) * 2))
wrong("npo_step", "beta-missing")(
    stepping(
        lambda logits, ref, labels, beta: npo_of(sequence_logp(logits, labels), sequence_logp(ref, labels), 1.0) / beta
    )
)
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
for token_mistake in (
    "token-0-dropped",
    "unshifted",
    "padding-counted",
    "mean-over-tokens",
    "logits-as-logp",
    "wrong-axis",
):
    sums = next(fn for question, hint, fn in WRONG if (question, hint) == ("sequence_logp", token_mistake))
    wrong("npo_step", token_mistake)(stepping(loss_by(sums)))


@wrong("npo_step", "ascends")
def npo_step_uphill_on_the_right_loss(model, ref_model, input_ids, labels, optimizer, beta):
    return -stepping(lambda *a: -npo_by_logp(*a))(model, ref_model, input_ids, labels, optimizer, beta)


@wrong("npo_step", "not-the-optimizer")
def npo_step_with_an_optimizer_of_its_own(model, ref_model, input_ids, labels, optimizer, beta):
    own = torch.optim.SGD(model.parameters(), lr=0.1)
    return stepping(npo_by_logp)(model, ref_model, input_ids, labels, own, beta)


@wrong("npo_step", "not-the-optimizer")
def npo_step_twice(model, ref_model, input_ids, labels, optimizer, beta):
    def returned(loss):
        optimizer.step()
        return loss.item()

    return stepping(npo_by_logp, returned=returned)(model, ref_model, input_ids, labels, optimizer, beta)


@wrong("npo_step", "second-step")
def npo_step_that_shrinks(model, ref_model, input_ids, labels, optimizer, beta):
    model.calls = getattr(model, "calls", 0) + 1
    return stepping(lambda *a: npo_by_logp(*a) / model.calls)(model, ref_model, input_ids, labels, optimizer, beta)


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

"""Questions on language models: the log-probability of a response, and a step of NPO.

PyTorch is imported by the checks: without it the other questions work.
"""

import copy

import numpy as np

from npo_tutorial._extras import require
from npo_tutorial.homework.examination import Mistake, close, compare, question, shaped

VOCABULARY = 9


def _responses(rng):
    """Two sequences of six tokens: a prompt of two or three of them, a response, padding behind the shorter one."""
    torch = require("torch")
    input_ids = torch.tensor(rng.integers(1, VOCABULARY, (2, 6)))
    labels = input_ids.clone()
    labels[0, :2] = labels[1, :3] = labels[1, 5:] = -100
    return input_ids, labels


def _sums(logits, labels, mistake=None):
    """`sequence_logp`, and what it becomes by a mistake."""
    torch = require("torch")
    logp = logits if mistake == "logits-as-logp" else logits.log_softmax(1 if mistake == "wrong-axis" else -1)
    if mistake == "unshifted":
        targets = labels
    elif mistake == "shifted-back":
        logp, targets = logp[:, 1:], labels[:, :-1]
    else:
        logp, targets = logp[:, :-1], labels[:, 1:]
    counted = targets != -100
    token_logp = logp.gather(-1, targets.where(counted, 0)[..., None])[..., 0]
    if mistake == "probabilities":
        token_logp = token_logp.exp()
    if mistake != "padding-counted":
        token_logp = token_logp * counted
    sums = token_logp.sum(-1)
    if mistake == "mean-over-tokens":
        sums = sums / counted.sum(-1)
    return -sums if mistake == "sign" else torch.stack([sums.sum()]) if mistake == "whole-batch" else sums


TOKEN_MISTAKES = ("unshifted", "shifted-back", "padding-counted", "mean-over-tokens", "logits-as-logp", "wrong-axis")


@question
def check_sequence_logp(answer, rng):
    """``sequence_logp(logits, labels)``: the log-probability of each response, (batch,).

    Σ_t log softmax(logits[t − 1])[labels[t]] over the positions whose label is not −100. Looks for: no shift or the
    wrong one, padding counted, an error at −100, the mean over tokens, logits for log-probabilities, a softmax over the
    wrong axis, probabilities, the sign, the whole batch in one number, overflow where logits are large.

    Source: arXiv:2404.05868, Section 2; the chapter on language models.
    """
    torch = require("torch")
    _, labels = _responses(rng)
    logits = torch.tensor(rng.normal(size=(*labels.shape, VOCABULARY)))
    try:
        got = answer(logits=logits, labels=labels)
    except Mistake as mistake:
        # is it the −100? The question asks for what to do about it, so that is what the student should hear
        if mistake.hint == "raised":
            try:
                answer(logits=logits, labels=labels.clamp(min=0))
            except Mistake:
                raise mistake from None
            raise Mistake("padding-raised", error=mistake.details["error"]) from None
        raise
    if got.size == 1:
        raise Mistake("whole-batch")
    shaped(got, (2,))
    hints = (*TOKEN_MISTAKES, "probabilities", "sign")
    right = _sums(logits, labels).numpy()
    wrong = {hint: _sums(logits, labels, hint).numpy() for hint in hints}
    wrong["mean-over-tokens"] = [wrong["mean-over-tokens"], right / (labels.shape[1] - 1), right / labels.shape[1]]
    compare(got, right, wrong)
    compare(answer(logits=2000 * logits, labels=labels), _sums(2000 * logits, labels).numpy(), {}, otherwise="overflow")


@question
def check_npo_step(answer, rng):
    """``npo_step(model, ref_model, input_ids, labels, optimizer, beta)``: one step; the loss before it, a number.

    ``model(input_ids)`` gives logits (batch, time, vocabulary). After two steps the model's parameters must be those of
    plain gradient descent on the NPO loss of the batch. Looks for: a model that does not move or moves uphill, no
    weights or no reference, a factor, the mistakes of `check_sequence_logp`, the mean before the logarithm, gradients
    that stay, a reference that moves or gets gradients, the wrong loss returned.

    Source: arXiv:2404.05868, equation (3); the chapter on language models.
    """
    torch = require("torch")
    beta, rate = 0.4, 0.2
    torch_rng = torch.Generator().manual_seed(int(rng.integers(2**31)))
    model, ref_model = _model(torch_rng), _model(torch_rng)
    input_ids, labels = _responses(rng)
    start = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    frozen = _flat(ref_model)
    arguments = {"input_ids": input_ids, "labels": labels, "optimizer": optimizer, "beta": beta}

    returned = answer(model=model, ref_model=ref_model, **arguments)
    got = _flat(model)
    if not np.array_equal(_flat(ref_model), frozen):
        raise Mistake("reference-changed")
    if any(p.grad is not None and bool(p.grad.any()) for p in ref_model.parameters()):
        raise Mistake("reference-gradient")

    def after(mistake=None):
        moved = copy.deepcopy(start)
        loss = _step(moved, ref_model, input_ids, labels, beta, rate, mistake)
        return _flat(moved), loss

    expected, loss = after()
    if close(got, _flat(start), 1e-12):
        raise Mistake("model-unchanged")
    hints = ("ascends", "weight-missing", "reference-not-used", "half-factor", "factor-missing", "mean-before-log")
    compare(got, expected, {hint: after(hint)[0] for hint in (*hints, "sum", *TOKEN_MISTAKES)})
    if returned.size != 1:
        raise Mistake("loss-returned")
    moved = copy.deepcopy(start)
    _step(moved, ref_model, input_ids, labels, beta, rate)
    compare(
        returned.reshape(()),
        loss,
        {"loss-after": _step(copy.deepcopy(moved), ref_model, input_ids, labels, beta, rate)},
        otherwise="loss-returned",
    )
    answer(model=model, ref_model=ref_model, **arguments)
    _step(moved, ref_model, input_ids, labels, beta, rate)
    compare(_flat(model), _flat(moved), {}, otherwise="gradients-kept")


def _model(torch_rng):
    torch = require("torch")
    model = torch.nn.Sequential(torch.nn.Embedding(VOCABULARY, 4), torch.nn.Linear(4, VOCABULARY)).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch_rng, dtype=torch.float64))
    return model


def _flat(model):
    return np.concatenate([parameter.detach().numpy().ravel() for parameter in model.parameters()])


def _step(model, ref_model, input_ids, labels, beta, rate, mistake=None):
    """One step of gradient descent, with a mistake if asked for; returns the loss before it."""
    torch = require("torch")
    token_mistake = mistake if mistake in TOKEN_MISTAKES else None
    logp = _sums(model(input_ids), labels, token_mistake)
    with torch.no_grad():
        ref_logp = _sums(ref_model(input_ids), labels, token_mistake)
    u = logp if mistake == "reference-not-used" else logp - ref_logp
    u = u.mean() if mistake == "mean-before-log" else u
    terms = logp if mistake == "weight-missing" else 2 / beta * torch.nn.functional.softplus(beta * u)
    loss = terms.sum() if mistake == "sum" else terms.mean()
    scale = {"half-factor": 0.5, "factor-missing": beta / 2, "ascends": -1}.get(mistake, 1)
    gradients = torch.autograd.grad(scale * loss, list(model.parameters()))
    with torch.no_grad():
        for parameter, gradient in zip(model.parameters(), gradients, strict=True):
            parameter -= rate * gradient
    return loss.item()

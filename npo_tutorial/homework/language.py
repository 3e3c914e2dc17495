"""Questions on language models: the log-probability of a response, and a step of NPO.

PyTorch is imported by the checks: without it the other questions work.
"""

import copy
from contextlib import contextmanager

import numpy as np

from npo_tutorial._extras import require
from npo_tutorial.homework.compare import Mistake, Result, close, compare, shaped
from npo_tutorial.homework.runner import Answer, question

VOCABULARY = 9


@contextmanager
def _usual_torch():
    """PyTorch as it is without settings of the caller's: with gradients, and on the CPU."""
    torch = require("torch")
    with torch.inference_mode(False), torch.enable_grad(), torch.device("cpu"):
        yield


def _responses(rng):
    """Three sequences of six tokens: a prompt of two or three, a response with token 0 in it, padding behind two."""
    torch = require("torch")
    input_ids = torch.tensor(rng.integers(1, VOCABULARY, (3, 6)))
    input_ids[:, 4] = torch.tensor([0, 0, VOCABULARY - 1])
    labels = input_ids.clone()
    labels[0, :2] = labels[1, :3] = labels[2, :2] = labels[1:, 5] = -100
    return input_ids, labels


def _sums(logits, labels, mistake=None):
    """`sequence_logp`, and what it becomes by a mistake."""
    torch = require("torch")
    axis = {"wrong-axis": 1, "batch-axis": 0}.get(mistake, -1)
    logp = logits if mistake == "logits-as-logp" else logits.log_softmax(axis)
    if mistake == "unshifted":
        targets = labels
    elif mistake == "shifted-back":
        logp, targets = logp[:, 1:], labels[:, :-1]
    else:
        logp, targets = logp[:, :-1], labels[:, 1:]
    counted = targets > 0 if mistake == "token-0-dropped" else targets != -100
    token_logp = logp.gather(-1, targets.where(targets != -100, 0)[..., None])[..., 0]
    if mistake == "probabilities":
        token_logp = token_logp.exp()
    if mistake != "padding-counted":
        token_logp = token_logp * counted
    sums = token_logp.sum(-1)
    if mistake == "mean-over-tokens":
        sums = sums / counted.sum(-1)
    return -sums if mistake == "negated" else torch.stack([sums.sum()]) if mistake == "whole-batch" else sums


TOKEN_MISTAKES = (
    "unshifted",
    "shifted-back",
    "padding-counted",
    "token-0-dropped",
    "mean-over-tokens",
    "logits-as-logp",
    "wrong-axis",
)


@question
@_usual_torch()
def check_sequence_logp(answer: Answer, rng: np.random.Generator) -> None:
    """``sequence_logp(logits, labels)``: the log-probability of each response, (batch,), with gradients.

    Σ_t log softmax(logits[t − 1])[labels[t]] over the positions whose label is not −100. Looks for: no shift or the
    wrong one, padding counted, token 0 taken for padding, an error at −100, the mean over tokens, logits instead of
    log-probabilities, a softmax over the wrong axis, probabilities, the sign, one number for the whole batch, a
    gradient that does not reach the logits, overflow where logits are large.

    Source: arXiv:2404.05868, Section 2; the chapter on language models.
    """
    torch = require("torch")
    _, labels = _responses(rng)
    logits = torch.tensor(rng.normal(size=(*labels.shape, VOCABULARY)))
    try:
        result = answer(logits=logits, labels=labels)
    except Mistake as mistake:
        # is it the −100? The question says what to do about it, so this is the reason that helps
        if mistake.hint == "raised":
            try:
                answer(logits=logits, labels=labels.clamp(min=0))
            except Mistake:
                raise mistake from None
            raise Mistake("padding-raised", error=mistake.details["error"]) from None
        raise
    if result.value.size == 1:
        raise result.mistake("whole-batch")
    shaped(result, (3,))
    right = _sums(logits, labels).numpy()
    wrong = {hint: [_sums(logits, labels, hint).numpy()] for hint in (*TOKEN_MISTAKES, "probabilities", "negated")}
    wrong["mean-over-tokens"] += [right / (labels.shape[1] - 1), right / labels.shape[1]]
    wrong["wrong-axis"].append(_sums(logits, labels, "batch-axis").numpy())
    compare(result, right, wrong)
    _check_gradient(answer, logits, labels)
    compare(
        answer(logits=2000 * logits, labels=labels),
        _sums(2000 * logits, labels).numpy(),
        {},
        otherwise="overflow",
        large="|logits|",
    )


def _check_gradient(answer, logits, labels):
    """Of the sum over the batch, in the logits."""
    torch = require("torch")
    logits = logits.clone().requires_grad_()

    def gradient(sums):
        try:
            return torch.autograd.grad(sums.sum(), logits)[0].numpy()
        except BaseException:  # there is none
            return np.array(np.nan)

    try:
        got = answer(gradient, logits=logits, labels=labels).value
    except Mistake as mistake:
        # it did not raise without gradients: this is a conversion to NumPy
        raise Mistake("detached") if mistake.hint == "raised" else mistake from None
    right = gradient(_sums(logits, labels))
    if got.shape != right.shape or not np.allclose(got, right, rtol=1e-4, atol=1e-6):
        raise Mistake("detached")


STEP_MISTAKES = (
    "weight-missing",
    "reference-not-used",
    "beta-missing",
    "half-factor",
    "factor-missing",
    "mean-before-log",
    "sum",
    *TOKEN_MISTAKES,
)


@question
@_usual_torch()
def check_npo_step(answer: Answer, rng: np.random.Generator) -> None:
    """``npo_step(model, ref_model, input_ids, labels, optimizer, beta)``: one step; the loss before it, a number.

    ``model(input_ids)`` gives logits (batch, time, vocabulary). After two steps the model's parameters must be those of
    plain gradient descent on the NPO loss of the batch. Looks for: a model that does not move or moves uphill, a step
    that is not the optimizer's, no weights or no reference, no β in the exponent, a factor, the mistakes of
    `check_sequence_logp`, the mean before the logarithm, gradients that stay, a reference that moves or gets gradients,
    the wrong loss returned.

    Source: arXiv:2404.05868, equation (3); the chapter on language models.
    """
    torch = require("torch")
    # a rate that is not a simple multiple of a usual one: a student's own would look like a wrong factor of the loss
    beta, rate = 0.4, 0.17
    torch_rng = torch.Generator().manual_seed(int(rng.integers(2**31)))
    model, ref_model = _model(torch_rng), _model(torch_rng)
    input_ids, labels = _responses(rng)
    start, frozen = copy.deepcopy(model), _flat(ref_model)
    arguments = {
        "model": model,
        "ref_model": ref_model,
        "input_ids": input_ids,
        "labels": labels,
        "optimizer": torch.optim.SGD(model.parameters(), lr=rate),
        "beta": beta,
    }

    def after(mistake=None, steps=1):
        """The parameters after some steps with a mistake, and the loss before the last one."""
        moved = copy.deepcopy(start)
        for _ in range(steps):
            loss = _step(moved, ref_model, input_ids, labels, beta, rate, mistake)
        return _flat(moved), loss

    returned = answer(**arguments).value
    first = _flat(model)
    if not np.array_equal(_flat(ref_model), frozen):
        raise Mistake("reference-changed")
    if any(p.grad is not None and bool(p.grad.any()) for p in ref_model.parameters()):
        raise Mistake("reference-gradient")
    if close(first, _flat(start), 1e-12):
        raise Mistake("model-unchanged")
    right, loss = after()
    uphill, _ = after("ascends")
    returned_right = returned.size == 1 and close(returned.reshape(()), loss)
    if returned_right:
        # its loss is right: a formula of the loss cannot be what is wrong with the step
        compare(Result(first), right, {"ascends": uphill}, otherwise="not-the-optimizer")
    else:
        compare(Result(first), right, {"ascends": uphill} | {hint: after(hint)[0] for hint in STEP_MISTAKES})
        late = returned.size == 1 and close(returned.reshape(()), after(steps=2)[1])
        raise Mistake("loss-after" if late else "loss-returned")
    answer(**arguments)
    right, _ = after(steps=2)
    kept = right + (first - _flat(start))  # the first gradient once more
    compare(Result(_flat(model)), right, {"gradients-kept": kept}, otherwise="second-step")


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
    """One step of gradient descent, possibly with a mistake; returns the loss before it."""
    torch = require("torch")
    token_mistake = mistake if mistake in TOKEN_MISTAKES else None
    logp = _sums(model(input_ids), labels, token_mistake)
    with torch.no_grad():
        ref_logp = _sums(ref_model(input_ids), labels, token_mistake)
    u = logp if mistake == "reference-not-used" else logp - ref_logp
    u = u.mean() if mistake == "mean-before-log" else u
    exponent = u if mistake == "beta-missing" else beta * u
    terms = logp if mistake == "weight-missing" else 2 / beta * torch.nn.functional.softplus(exponent)
    loss = terms.sum() if mistake == "sum" else terms.mean()
    scale = {"half-factor": 0.5, "factor-missing": beta / 2, "ascends": -1}.get(mistake, 1)
    gradients = torch.autograd.grad(scale * loss, list(model.parameters()))
    with torch.no_grad():
        for parameter, gradient in zip(model.parameters(), gradients, strict=True):
            parameter -= rate * gradient
    return loss.item()

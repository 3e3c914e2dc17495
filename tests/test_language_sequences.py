"""language/sequences.py: log-probabilities of sequences against PyTorch, TRL and finite differences."""

import math
import re

import pytest
import torch
from torch.nn.functional import cross_entropy, kl_div

from npo_tutorial.language import response_lengths, sequence_kl, sequence_logp, sequences
from npo_tutorial.language.sequences import DIRECTIONS, IGNORE_INDEX, token_logp

pytestmark = pytest.mark.usefixtures("one_thread")
V = 13


def batch(dtype=torch.float64, *, scale=3.0, seed=0, vocabulary=V):
    """Random logits and labels of four rows of seven tokens: prompts, padding, and at least one response token."""
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(4, 7, vocabulary, dtype=torch.float64, generator=generator)
    labels = torch.randint(vocabulary, (4, 7), generator=generator)
    for row, (start, stop) in enumerate([(1, 7), (3, 6), (6, 7), (0, 7)]):
        labels[row, :start] = labels[row, stop:] = IGNORE_INDEX
    return logits.to(dtype), labels


def plain_logp(logits, labels):
    """The obvious formula, in the dtype of the logits."""
    logp = torch.log_softmax(logits[:, :-1], dim=-1)
    targets = labels[:, 1:]
    taken = logp.gather(-1, targets.clamp(min=0)[..., None]).squeeze(-1)
    return (taken * (targets != IGNORE_INDEX)).sum(-1)


# Values --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-14), (torch.float32, 1e-6)])
def test_it_is_minus_the_summed_cross_entropy(dtype, rtol):
    logits, labels = batch(dtype)
    losses = cross_entropy(logits[:, :-1].transpose(1, 2), labels[:, 1:], reduction="none", ignore_index=IGNORE_INDEX)
    ours = sequence_logp(logits, labels)
    assert ours.dtype == dtype and ours.shape == (4,)
    torch.testing.assert_close(ours, -losses.sum(dim=-1), rtol=rtol, atol=0)


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-14), (torch.float32, 1e-6)])
def test_it_is_the_sum_of_trl_s_log_probs(dtype, rtol):
    from trl.trainer.utils import selective_log_softmax

    logits, labels = batch(dtype, vocabulary=1000)
    counted = labels[:, 1:] != IGNORE_INDEX
    theirs = selective_log_softmax(logits[:, :-1], labels[:, 1:].clamp(min=0)) * counted
    torch.testing.assert_close(sequence_logp(logits, labels), theirs.sum(dim=-1), rtol=rtol, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_summed_in_float32(dtype):
    generator = torch.Generator().manual_seed(1)
    logits = (3 * torch.randn(2, 301, 200, generator=generator)).to(dtype)
    labels = torch.randint(200, (2, 301), generator=generator)
    exact = plain_logp(logits.double(), labels)
    ours = sequence_logp(logits, labels)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours.double(), exact, rtol=1e-6, atol=0)
    # the known mistake: hundreds of tokens with three digits each, and a sum that is no more precise
    assert (plain_logp(logits, labels).double() - exact).abs().max() > 0.2


def test_the_log_probs_of_tokens_are_at_their_places():
    logits, labels = batch()
    found = token_logp(logits, labels)
    expected = -cross_entropy(logits[:, :-1].transpose(1, 2), labels[:, 1:], reduction="none")
    assert found.shape == (4, 6)
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=0)
    assert (found[labels[:, 1:] == IGNORE_INDEX] == 0).all()


def test_logits_far_from_zero_and_impossible_tokens():
    logits = torch.tensor([[[1e4, 1e4 + math.log(3), -math.inf], [0.0, 0.0, 0.0]]], dtype=torch.float64)
    logits.requires_grad_()
    for token, expected in ((0, -math.log(4)), (1, math.log(0.75)), (2, -math.inf)):
        logp = sequence_logp(logits, torch.tensor([[IGNORE_INDEX, token]]))
        assert logp.item() == pytest.approx(expected, rel=1e-11)
        assert torch.autograd.grad(logp, logits)[0].isfinite().all()


def test_rounding_never_makes_a_probability_exceed_one():
    logits = torch.full((1, 2, 3), -1e4)
    logits[..., 1] = torch.linspace(100.1, 300.3, 1)
    labels = torch.tensor([[IGNORE_INDEX, 1]])
    assert sequence_logp(logits, labels).item() == 0
    generator = torch.Generator().manual_seed(0)
    logits = 40 * torch.randn(50, 9, 5, generator=generator)
    best = torch.cat([torch.zeros(50, 1, dtype=torch.int64), logits[:, :-1].argmax(-1)], dim=1)
    assert (sequence_logp(logits, best) <= 0).all()


def test_the_first_position_never_counts():
    logits, labels = batch()
    other = labels.clone()
    other[:, 0] = 5
    torch.testing.assert_close(sequence_logp(logits, other), sequence_logp(logits, labels), rtol=0, atol=0)
    assert response_lengths(other).tolist() == response_lengths(labels).tolist()


def test_lengths_are_the_number_of_tokens_summed():
    logits, labels = batch()
    assert response_lengths(labels).tolist() == [6, 3, 1, 6]
    # with equal logits every token has the probability 1/V
    expected = -math.log(V) * response_lengths(labels)
    torch.testing.assert_close(sequence_logp(torch.zeros_like(logits), labels), expected.double())


def test_another_ignore_index():
    logits, labels = batch()
    for ignore_index in (-1, 0, V + 5):
        # a token that is ignored as well
        renamed = labels.clone()
        if 0 <= ignore_index < V:
            labels = labels.masked_fill(labels == ignore_index, IGNORE_INDEX)
        renamed = labels.masked_fill(labels == IGNORE_INDEX, ignore_index)
        expected = plain_logp(logits, labels)
        torch.testing.assert_close(sequence_logp(logits, renamed, ignore_index=ignore_index), expected)
        assert response_lengths(renamed, ignore_index).tolist() == response_lengths(labels).tolist()
        divergence = sequence_kl(logits, 2 * logits, renamed, direction="kl_ref_model", ignore_index=ignore_index)
        torch.testing.assert_close(divergence, sequence_kl(logits, 2 * logits, labels, direction="kl_ref_model"))


def test_padding_does_not_matter_whatever_its_logits():
    logits, labels = batch()
    padded_logits = torch.cat([logits, torch.full((4, 3, V), 1e5, dtype=logits.dtype)], dim=1)
    padded_labels = torch.cat([labels, torch.full((4, 3), IGNORE_INDEX)], dim=1)
    torch.testing.assert_close(sequence_logp(padded_logits, padded_labels), sequence_logp(logits, labels))
    assert response_lengths(padded_labels).tolist() == response_lengths(labels).tolist()


@pytest.mark.parametrize("dtype", [torch.int32, torch.int16, torch.int8, torch.uint8])
def test_small_integer_types_give_the_same_result(dtype):
    # 156 is −100 in eight bits, and a vocabulary of 200 does not fit into them
    logits, labels = batch(vocabulary=200)
    labels = labels.clamp(max=100) if dtype == torch.int8 else labels
    if dtype == torch.uint8:
        labels = labels.masked_fill(labels == IGNORE_INDEX, 199)
        labels[0, 3] = 156
    small = labels.to(dtype)
    torch.testing.assert_close(sequence_logp(logits, small), sequence_logp(logits, labels), rtol=0, atol=0)
    assert response_lengths(small).tolist() == response_lengths(labels).tolist()


def test_labels_and_logits_do_not_change():
    logits, labels = batch()
    before = logits.clone(), labels.clone()
    logits.requires_grad_()
    sequence_logp(logits, labels).sum().backward()
    sequence_kl(logits, logits.detach() + 1, labels, direction="kl_model_ref").sum().backward()
    assert torch.equal(logits, before[0]) and torch.equal(labels, before[1])


# Gradients -----------------------------------------------------------------------------------------------------------


def test_gradient_equals_finite_differences():
    logits, labels = batch()
    assert torch.autograd.gradcheck(lambda x: sequence_logp(x, labels), logits.requires_grad_())


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float64, 1e-15), (torch.float32, 1e-6)])
def test_gradient_equals_that_of_the_plain_formula(dtype, atol):
    logits, labels = batch(dtype)
    logits.requires_grad_()
    weights = torch.tensor([1.0, -2.0, 0.0, 0.5], dtype=dtype)
    (ours,) = torch.autograd.grad((weights * sequence_logp(logits, labels)).sum(), logits)
    (plain,) = torch.autograd.grad((weights * plain_logp(logits, labels)).sum(), logits)
    assert ours.dtype == dtype
    torch.testing.assert_close(ours, plain, rtol=0, atol=4 * atol)
    # positions that predict nothing of the response, and the row of weight 0
    assert not ours[:, -1].any() and not ours[1, 0].any() and not ours[2].any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_gradient_of_half_precision_is_rounded_once(dtype):
    logits, labels = batch(dtype)
    logits.requires_grad_()
    (ours,) = torch.autograd.grad(sequence_logp(logits, labels).sum(), logits)
    exact = logits.detach().double().requires_grad_()
    (expected,) = torch.autograd.grad(plain_logp(exact, labels).sum(), exact)
    assert ours.dtype == dtype
    half_a_digit = torch.finfo(dtype).eps / 2
    torch.testing.assert_close(ours.double(), expected, rtol=1.01 * half_a_digit, atol=1e-6)


@pytest.mark.parametrize("part", [1, 5 * V, 28 * V])
def test_it_does_not_matter_how_many_positions_are_processed_at_a_time(monkeypatch, part):
    # one; five, which does not divide 28; all
    monkeypatch.setattr(sequences, "PART", part)
    logits, labels = batch()
    logits.requires_grad_()
    weights = torch.tensor([1.0, -2.0, 0.3, 0.5], dtype=torch.float64)
    ours, plain = sequence_logp(logits, labels), plain_logp(logits, labels)
    torch.testing.assert_close(ours, plain, rtol=1e-14, atol=0)
    gradients = [torch.autograd.grad(weights @ logp, logits)[0] for logp in (ours, plain)]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-14)


def test_logits_may_be_non_contiguous():
    logits, labels = batch()
    turned = logits.transpose(0, 1).contiguous().transpose(0, 1).requires_grad_()
    (gradient,) = torch.autograd.grad(sequence_logp(turned, labels).sum(), turned)
    logits.requires_grad_()
    (expected,) = torch.autograd.grad(sequence_logp(logits, labels).sum(), logits)
    torch.testing.assert_close(gradient, expected, rtol=0, atol=0)


def test_only_the_logits_themselves_are_kept_for_the_gradient():
    logits, labels = batch()
    logits.requires_grad_()
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x):
        sequence_logp(logits, labels)
    large = {x.data_ptr() for x in kept if x.numel() >= logits.numel() / 2}
    assert large == {logits.data_ptr()}


def test_a_second_derivative_raises_an_error():
    logits, labels = batch()
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad((sequence_logp(logits, labels) ** 2).sum(), logits, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


# Divergences ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_divergence_equals_pytorch_s(direction):
    logits, labels = batch(seed=0)
    ref_logits, _ = batch(seed=1)
    model, ref = (torch.log_softmax(x[:, :-1], dim=-1) for x in (logits, ref_logits))
    # kl_div(input, target) is KL(target‖input)
    pair = (model, ref) if direction == "kl_ref_model" else (ref, model)
    each = kl_div(*pair, log_target=True, reduction="none").sum(-1) * (labels[:, 1:] != IGNORE_INDEX)
    ours = sequence_kl(logits, ref_logits, labels, direction=direction)
    torch.testing.assert_close(ours, each.sum(-1), rtol=1e-13, atol=0)
    assert (ours > 0.5).all()
    single = sequence_kl(logits.float(), ref_logits.float(), labels, direction=direction)
    torch.testing.assert_close(single.double(), ours, rtol=1e-5, atol=0)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_divergence_s_gradient(direction):
    logits, labels = batch(seed=0)
    ref_logits, _ = batch(seed=1)
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: sequence_kl(x, ref_logits, labels, direction=direction), logits)
    # 0 where the models agree, which is the minimum
    same = sequence_kl(logits, logits.detach(), labels, direction=direction)
    assert same.abs().max() < 1e-13
    assert torch.autograd.grad(same.sum(), logits)[0].abs().max() < 1e-13


def test_divergence_s_gradient_is_the_first_model_s():
    logits, labels = batch(seed=0)
    ref_logits, _ = batch(seed=1)
    logits.requires_grad_(), ref_logits.requires_grad_()
    for direction in DIRECTIONS:
        loss = sequence_kl(logits, ref_logits, labels, direction=direction).sum()
        ours, reference = torch.autograd.grad(loss, (logits, ref_logits), allow_unused=True)
        assert reference is None
        assert ours.abs().max() > 1e-3


def test_divergence_of_half_precision_is_computed_in_float32():
    logits, labels = batch(torch.bfloat16, seed=0)
    ref_logits, _ = batch(torch.bfloat16, seed=1)
    ours = sequence_kl(logits, ref_logits, labels, direction="kl_ref_model")
    exact = sequence_kl(logits.double(), ref_logits.double(), labels, direction="kl_ref_model")
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours.double(), exact, rtol=1e-5, atol=0)


# Bad input -----------------------------------------------------------------------------------------------------------

LOGITS, LABELS = batch()
EMPTY_ROW = LABELS.clone()
EMPTY_ROW[2, 1:] = IGNORE_INDEX


def with_label(value, at=(1, 4)):
    labels = LABELS.clone()
    labels[at] = value
    return labels


BAD = [
    (lambda: sequence_logp(LOGITS.numpy(), LABELS), TypeError, "logits must be a PyTorch tensor, got ndarray"),
    (lambda: sequence_logp(LOGITS, LABELS.tolist()), TypeError, "labels must be a PyTorch tensor, got list"),
    (
        lambda: sequence_logp(LOGITS.long(), LABELS),
        TypeError,
        "logits must hold floating-point numbers, got dtype torch.int64",
    ),
    (lambda: sequence_logp(LOGITS, LABELS.double()), TypeError, "labels must hold integers, got dtype torch.float64"),
    (lambda: sequence_logp(LOGITS, LABELS > 3), TypeError, "labels must hold integers, got dtype torch.bool"),
    (
        lambda: sequence_logp(LOGITS[0], LABELS[0]),
        ValueError,
        "logits must have shape (batch, time, vocabulary), got (7, 13)",
    ),
    (
        lambda: sequence_logp(LOGITS, LABELS[0]),
        ValueError,
        "labels must have shape (batch, time) and not be empty, got (7,)",
    ),
    (
        lambda: sequence_logp(LOGITS[:0], LABELS[:0]),
        ValueError,
        "labels must have shape (batch, time) and not be empty, got (0, 7)",
    ),
    (
        lambda: sequence_logp(LOGITS, LABELS[:, 1:]),
        ValueError,
        "labels must have the first two dimensions of logits, (4, 7), got (4, 6)",
    ),
    (
        lambda: sequence_logp(LOGITS, with_label(V)),
        ValueError,
        "labels must be tokens between 0 and 12 or -100, got 13 at index (1, 4)",
    ),
    (
        lambda: sequence_logp(LOGITS, with_label(-1)),
        ValueError,
        "labels must be tokens between 0 and 12 or -100, got -1 at index (1, 4)",
    ),
    (
        lambda: sequence_logp(LOGITS, LABELS, ignore_index=-1),
        ValueError,
        "labels must be tokens between 0 and 12 or -1, got -100 at index (0, 0)",
    ),
    (
        lambda: sequence_logp(LOGITS, LABELS, ignore_index=None),
        TypeError,
        "ignore_index must be an integer, got None",
    ),
    (
        lambda: response_lengths(LABELS, -100.0),
        TypeError,
        "ignore_index must be an integer, got -100.0",
    ),
    (
        lambda: sequence_logp(LOGITS, EMPTY_ROW),
        ValueError,
        "labels must have a response token after the first position, got none in row 2",
    ),
    (lambda: sequence_logp(LOGITS[:, :1], torch.ones(4, 1, dtype=torch.int64)), ValueError, "got none in row 0"),
    (lambda: response_lengths([[1, 2]]), TypeError, "labels must be a PyTorch tensor, got list"),
    (lambda: response_lengths(torch.ones(3, 2)), TypeError, "labels must hold integers, got dtype torch.float32"),
    (
        lambda: response_lengths(LABELS[0]),
        ValueError,
        "labels must have shape (batch, time) and not be empty, got (7,)",
    ),
    (
        lambda: sequence_kl(LOGITS, LOGITS, LABELS, direction="kl"),
        ValueError,
        "direction must be one of 'kl_ref_model', 'kl_model_ref', got 'kl'",
    ),
    (
        lambda: sequence_kl(LOGITS, LOGITS[..., 1:], LABELS, direction=DIRECTIONS[0]),
        ValueError,
        "ref_logits must have the shape of logits, (4, 7, 13), got (4, 7, 12)",
    ),
    (
        lambda: sequence_kl(LOGITS, LOGITS.numpy(), LABELS, direction=DIRECTIONS[0]),
        TypeError,
        "ref_logits must be a PyTorch tensor, got ndarray",
    ),
    (
        lambda: sequence_kl(LOGITS, LOGITS.long(), LABELS, direction=DIRECTIONS[0]),
        TypeError,
        "ref_logits must hold floating-point numbers, got dtype torch.int64",
    ),
    (lambda: sequence_kl(LOGITS, LOGITS, with_label(V), direction=DIRECTIONS[0]), ValueError, "labels must be tokens"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[m for _, _, m in BAD])
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()

"""From logits to the log-probability of a response: shift, mask, sum (chapter "language-model")."""

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from npo_tutorial._checks import check_choice, check_count
from npo_tutorial._extras import require

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

IGNORE_INDEX = -100
Direction: TypeAlias = Literal["kl_ref_model", "kl_model_ref"]
DIRECTIONS = ("kl_ref_model", "kl_model_ref")
# how many logits are processed at a time
PART = 2**20


def sequence_logp(logits: torch.Tensor, labels: torch.Tensor, ignore_index: int = IGNORE_INDEX) -> torch.Tensor:
    """Log-probability of each response: the sum of its tokens' log-probabilities.

    log π_θ(y|x) = Σ_t log softmax(logits[t − 1])[y_t] over the tokens y_t that `labels` does not ignore. The logits at
    a position predict the next token. This function makes that shift; labels are passed unshifted.

    Parameters
    ----------
    logits : (batch, time, vocabulary) tensor
        The output of a causal language model.
    labels : (batch, time) tensor of integers
        Values outside the vocabulary and rows without a response are checked on CPU tensors only; elsewhere the check
        would force a device sync.
    ignore_index : int
        The label of positions that do not count. The first position never counts, because no logits predict it.

    Returns
    -------
    (batch,) tensor
        In nats, at most 0; float32 for logits in half precision, otherwise their own dtype. Differentiable once (no
        double backward).

    Notes
    -----
    Source: arXiv:2404.05868, Section 2 (log-probability of a sequence). Convention: the **sum** over tokens. Divided by
    `response_lengths` it is the mean, for which the same β means something else.

    Why not ``log_softmax`` and ``gather``? In bfloat16 a log-probability has three digits, and with hundreds of tokens
    the sum may be off by whole nats; in float32 they would copy all logits. This function processes a few positions at
    a time, sums exponentials in float32, and writes the gradient straight into one array of the logits' shape.

    Examples
    --------
    >>> import math
    >>> logits = torch.zeros(1, 4, 10, dtype=torch.bfloat16)  # every token has the probability 1/10
    >>> labels = torch.tensor([[-100, -100, 3, 7]])  # two tokens of prompt, two of response
    >>> round(sequence_logp(logits, labels).item(), 4) == round(2 * math.log(1 / 10), 4)
    True
    """
    return token_logp(logits, labels, ignore_index).sum(dim=-1)


def token_logp(logits: torch.Tensor, labels: torch.Tensor, ignore_index: int = IGNORE_INDEX) -> torch.Tensor:
    """Log-probability of each token of the responses, in nats; `sequence_logp` is their sum.

    Parameters
    ----------
    logits, labels, ignore_index
        As for `sequence_logp`.

    Returns
    -------
    (batch, time − 1) tensor
        Element t is log softmax(logits[t])[labels[t + 1]], or 0 where the label is ignored.
    """
    targets = _targets(logits, labels, ignore_index)
    return _TokenLogp.apply(logits, targets.clamp(min=0)).masked_fill(targets < 0, 0)[:, :-1]


def response_lengths(labels: torch.Tensor, ignore_index: int = IGNORE_INDEX) -> torch.Tensor:
    """Number of tokens that `sequence_logp` sums over, for each row.

    Parameters
    ----------
    labels, ignore_index
        As for `sequence_logp`.

    Returns
    -------
    (batch,) tensor of int64

    Examples
    --------
    >>> response_lengths(torch.tensor([[-100, -100, 3, 7], [1, 2, 3, -100]])).tolist()
    [2, 2]
    """
    return (_check_labels(labels, ignore_index)[:, 1:] != ignore_index).sum(dim=-1)


def sequence_kl(
    logits: torch.Tensor,
    ref_logits: torch.Tensor,
    labels: torch.Tensor,
    *,
    direction: Direction,
    ignore_index: int = IGNORE_INDEX,
) -> torch.Tensor:
    """Kullback–Leibler divergence between two models' next-token distributions, summed over each response.

    Parameters
    ----------
    logits, ref_logits : (batch, time, vocabulary) tensor
        Of the model and of the reference model on the same tokens. The gradient flows into `logits` only.
    labels, ignore_index
        As for `sequence_logp`; they determine which positions count.
    direction : {"kl_ref_model", "kl_model_ref"}
        KL(π_ref‖π_θ) or KL(π_θ‖π_ref).

    Returns
    -------
    (batch,) tensor
        In nats.

    Examples
    --------
    >>> import math
    >>> logits = torch.tensor([[[0.0, 0.0], [0.0, 0.0]]])
    >>> ref_logits = torch.tensor([[[math.log(3), 0.0], [0.0, 0.0]]])  # 3/4 and 1/4
    >>> round(sequence_kl(logits, ref_logits, torch.tensor([[-100, 1]]), direction="kl_ref_model").item(), 4)
    0.1308
    """
    check_choice("direction", direction, DIRECTIONS)
    _check_logits("ref_logits", ref_logits)
    targets = _targets(logits, labels, ignore_index)
    if ref_logits.shape != logits.shape:
        raise ValueError(
            f"ref_logits must have the shape of logits, {tuple(logits.shape)}, got {tuple(ref_logits.shape)}"
        )
    exact = torch.promote_types(logits.dtype, torch.float32)
    rows = []
    for row, ref_row in zip(logits.unbind(), ref_logits.detach().unbind(), strict=True):
        model, ref = (torch.log_softmax(x.to(exact), dim=-1) for x in (row, ref_row))
        first, second = (ref, model) if direction == "kl_ref_model" else (model, ref)
        rows.append((first.exp() * (first - second)).sum(dim=-1))
    return torch.stack(rows).masked_fill(targets < 0, 0).sum(dim=-1)


class _TokenLogp(torch.autograd.Function):
    """Log-probability of one token at each position; besides the logits, backward needs one number per position."""

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        log_sums = torch.cat([torch.logsumexp(_exact(part), dim=-1) for part in _parts(logits)]).view(targets.shape)
        ctx.save_for_backward(logits, targets, log_sums)
        # rounding may lift the difference slightly above 0, which a log-probability must not exceed
        return (_exact(logits.gather(-1, targets[..., None]).squeeze(-1)) - log_sums).clamp_(max=0)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        logits, *columns = ctx.saved_tensors
        result = torch.empty_like(logits, memory_format=torch.contiguous_format)
        parts = _parts(logits)
        columns = (column.reshape(-1, 1).split(len(parts[0])) for column in (*columns, gradient))
        for part, target, log_sum, g, out in zip(parts, *columns, _parts(result), strict=True):
            # g·(onehot − softmax)
            softmax = _exact(part).sub(log_sum).exp_()
            out.copy_(softmax.mul_(-g).scatter_add_(-1, target, g))
        return result, None


def _parts(logits: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """All positions, a few at a time, so that intermediate results are small and stay in the processor's cache."""
    vocabulary = logits.shape[-1]
    return logits.reshape(-1, vocabulary).split(max(1, PART // vocabulary))


def _exact(x: torch.Tensor) -> torch.Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _targets(logits: torch.Tensor, labels: torch.Tensor, ignore_index: int) -> torch.Tensor:
    """For each position the token that its logits should predict, or −1 where none counts."""
    _check_logits("logits", logits)
    labels = _check_labels(labels, ignore_index)
    if labels.shape != logits.shape[:2]:
        raise ValueError(
            f"labels must have the first two dimensions of logits, {tuple(logits.shape[:2])}, got {tuple(labels.shape)}"
        )
    targets = torch.full_like(labels, -1)
    targets[:, :-1] = labels[:, 1:].masked_fill(labels[:, 1:] == ignore_index, -1)
    if labels.device.type == "cpu" and not torch.compiler.is_compiling():
        _check_values(labels, targets, logits.shape[-1], ignore_index)
    return targets


def _check_logits(name: str, logits: torch.Tensor) -> None:
    if not isinstance(logits, torch.Tensor):
        raise TypeError(f"{name} must be a PyTorch tensor, got {type(logits).__name__}")
    if not logits.is_floating_point():
        raise TypeError(f"{name} must hold floating-point numbers, got dtype {logits.dtype}")
    if logits.ndim != 3:
        raise ValueError(f"{name} must have shape (batch, time, vocabulary), got {tuple(logits.shape)}")


def _check_labels(labels: torch.Tensor, ignore_index: int) -> torch.Tensor:
    """The labels as int64: in eight bits, 156 would equal −100."""
    check_count("ignore_index", ignore_index, minimum=-(2**53))
    if not isinstance(labels, torch.Tensor):
        raise TypeError(f"labels must be a PyTorch tensor, got {type(labels).__name__}")
    if labels.dtype not in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8):
        raise TypeError(f"labels must hold integers, got dtype {labels.dtype}")
    if labels.ndim != 2 or labels.numel() == 0:
        raise ValueError(f"labels must have shape (batch, time) and not be empty, got {tuple(labels.shape)}")
    return labels.long()


def _check_values(labels: torch.Tensor, targets: torch.Tensor, vocabulary: int, ignore_index: int) -> None:
    wrong = (labels != ignore_index) & ((labels < 0) | (labels >= vocabulary))
    if wrong.any():
        i, t = wrong.nonzero()[0].tolist()
        raise ValueError(
            f"labels must be tokens between 0 and {vocabulary - 1} or {ignore_index}, "
            f"got {labels[i, t].item()} at index {(i, t)}"
        )
    empty = (targets < 0).all(dim=-1)
    if empty.any():
        raise ValueError(
            f"labels must have a response token after the first position, got none in row {empty.nonzero()[0].item()}"
        )

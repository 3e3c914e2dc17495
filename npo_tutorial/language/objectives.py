"""Forget losses: one table, from which `NPOTrainer`, `NPOConfig` and the command line are served.

A loss of your own is a function of `Responses`, given to `NPOTrainer` as ``objective=``, or one more `Objective`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from npo_tutorial._checks import check_beta, check_finite_real
from npo_tutorial._extras import require
from npo_tutorial.losses import dpo_loss, dpo_weight, ga_loss, npo_loss, npo_weight, simnpo_loss, simnpo_weight

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

# what an objective may need; the first two are computed before training, the last at every step
NEEDS = ("ref_logp", "ref_token_logp", "chosen", "ref_logits")


@dataclass
class Responses:
    """The forget responses of a batch, from which a loss is computed.

    n responses have at most m tokens, and the vocabulary has v.

    Log-probabilities are in nats. Those of tokens are 0 where `counted` is False, so that sums need no mask. What the
    objective does not name in `needs` may be None.
    """

    #: log π_θ(y|x), summed over tokens; (n,).
    logp: "torch.Tensor"
    #: Number of tokens of each response; (n,) integers.
    lengths: "torch.Tensor"
    #: log π_θ of each token; (n, m).
    token_logp: "torch.Tensor"
    #: Which places have a token of the response; (n, m) booleans.
    counted: "torch.Tensor"
    #: The tokens, or −100; (n, m) integers.
    targets: "torch.Tensor"
    #: The logits that predict the tokens; (n, m, v).
    logits: "torch.Tensor"
    #: log π_ref(y|x); (n,).
    ref_logp: Any = None
    #: log π_ref of each token; (n, m).
    ref_token_logp: Any = None
    #: log π_θ of the answers that are preferred; (n,).
    chosen_logp: Any = None
    #: Numbers of tokens of the answers that are preferred; (n,) integers.
    chosen_lengths: Any = None
    #: log π_ref of the answers that are preferred; (n,).
    chosen_ref_logp: Any = None
    #: Logits of the reference model, without gradient; (n, m, v).
    ref_logits: Any = None


@dataclass(frozen=True)
class Objective:
    """A forget loss: its functions, what it needs, and where it comes from."""

    name: str
    #: loss(responses, beta=…, gamma=…) → the loss of each response, (n,), with those options that have a default below.
    loss: Callable[..., Any]
    #: The factor by which the loss multiplies the gradient of log π_θ, with the same arguments; (n,).
    weight: Callable[..., Any] | None = None
    #: Which of `NEEDS` the loss uses.
    needs: tuple[str, ...] = ()
    #: Default of β; None for a loss without it.
    beta: float | None = None
    #: Default of γ; None for a loss without it.
    gamma: float | None = None
    #: Whether the loss is a sum over tokens, so that ``forget_reduction="tokens"`` may divide it by their number.
    per_token: bool = False
    #: In a few words.
    title: str = ""
    #: The paper.
    source: str = ""
    #: Signs, factors and sums, where the paper or other codes have others.
    convention: str = ""

    def options(self, beta: float | None = None, gamma: float | None = None) -> dict[str, float]:
        """The loss's options, checked, with its own defaults for those that are None."""
        found: dict[str, float] = {}
        for name, value, check in (("beta", beta, check_beta), ("gamma", gamma, _check_gamma)):
            default = getattr(self, name)
            if default is None and value is not None:
                raise ValueError(f"{name} must be left out with loss={self.name!r}, which has none, got {value!r}")
            if default is not None:
                found[name] = check(default if value is None else value)
        return found


def _check_gamma(value: Any) -> float:
    return check_finite_real("gamma", value)


def _wga(x: Responses, beta: float) -> Any:
    """Σ_t p_t^β log p_t, with the power taken as a constant."""
    return (x.token_logp.detach() * beta).exp().mul(x.token_logp).sum(dim=-1)


def _undial(x: Responses, beta: float) -> Any:
    """Σ_t of the cross-entropy against softmax(reference logits − β·onehot(y_t)), response by response for memory."""
    found = []
    exact = torch.promote_types(x.logits.dtype, torch.float32)
    for logits, ref_logits, targets, counted in zip(x.logits, x.ref_logits, x.targets, x.counted, strict=True):
        teacher, places = ref_logits.to(exact), targets.clamp(min=0)[:, None]
        lowered = teacher.scatter_add(-1, places, torch.full_like(teacher[:, :1], -beta)).softmax(dim=-1)
        of_tokens = -(lowered * logits.to(exact).log_softmax(dim=-1)).sum(dim=-1)
        found.append(of_tokens.masked_fill(~counted, 0).sum())
    return torch.stack(found)


def _mean_over_tokens(x: Responses, values: Any) -> Any:
    return values.masked_fill(~x.counted, 0).sum(dim=-1) / x.lengths


def _pair(x: Responses) -> tuple[Any, Any, Any, Any]:
    return x.chosen_logp, x.logp, x.chosen_ref_logp, x.ref_logp


#: The forget losses, by name.
OBJECTIVES: dict[str, Objective] = {
    objective.name: objective
    for objective in (
        Objective(
            "npo",
            lambda x, beta: npo_loss(x.logp, x.ref_logp, beta=beta, reduction="none"),
            lambda x, beta: npo_weight(x.logp, x.ref_logp, beta=beta),
            needs=("ref_logp",),
            beta=0.1,
            title="negative preference optimization",
            source="arXiv:2404.05868",
            convention="2/β, log-probabilities summed over tokens",
        ),
        Objective(
            "ga",
            lambda x: ga_loss(x.logp, reduction="none"),
            lambda x: torch.ones_like(x.logp),
            per_token=True,
            title="gradient ascent",
            source="arXiv:2404.05868",
            convention="log-probabilities summed over tokens",
        ),
        Objective(
            "dpo",
            lambda x, beta: dpo_loss(*_pair(x), beta=beta, reduction="none"),
            lambda x, beta: dpo_weight(*_pair(x), beta=beta),
            needs=("ref_logp", "chosen"),
            beta=0.1,
            title="preferring another answer",
            source="arXiv:2305.18290",
            convention="1/β; open-unlearning has 2/β, TRL no factor",
        ),
        Objective(
            "simnpo",
            lambda x, beta, gamma: simnpo_loss(x.logp, x.lengths, beta=beta, gamma=gamma, reduction="none"),
            lambda x, beta, gamma: simnpo_weight(x.logp, x.lengths, beta=beta, gamma=gamma),
            beta=2.5,
            gamma=0.0,
            title="NPO without a reference, for the mean per token",
            source="arXiv:2410.07163",
            convention="2/β; γ is β times the δ of open-unlearning",
        ),
        Objective(
            "wga",
            _wga,
            lambda x, beta: _mean_over_tokens(x, (x.token_logp * beta).exp()),
            beta=1.0,
            per_token=True,
            title="gradient ascent with the weight p^β for each token",
            source="arXiv:2502.19301",
            convention="summed over tokens, so that β → 0 is ga; the authors average over the tokens of a batch",
        ),
        Objective(
            "tnpo",
            lambda x, beta: (
                npo_loss(x.token_logp, x.ref_token_logp, beta=beta, reduction="none")
                .masked_fill(~x.counted, 0)
                .sum(dim=-1)
            ),
            lambda x, beta: _mean_over_tokens(x, npo_weight(x.token_logp, x.ref_token_logp, beta=beta)),
            needs=("ref_token_logp",),
            beta=1.0,
            per_token=True,
            title="NPO for each token",
            source="arXiv:2502.19301",
            convention="NPO's loss with its 2/β, summed over tokens; the authors average its gradient over them",
        ),
        Objective(
            "undial",
            _undial,
            needs=("ref_logits",),
            beta=10.0,
            per_token=True,
            title="imitating the reference with its logit of each token lowered by β",
            source="arXiv:2402.10052",
            convention="summed over the response's tokens; open-unlearning averages over prompt and padding as well",
        ),
    )
}


def as_objective(objective: Objective | Callable[..., Any]) -> Objective:
    """An objective as it is, or a function of `Responses` as one."""
    if isinstance(objective, Objective):
        unknown = set(objective.needs) - set(NEEDS)
        if unknown:
            raise ValueError(f"objective.needs must be among {', '.join(NEEDS)}, got {', '.join(sorted(unknown))}")
        return objective
    if not callable(objective):
        raise TypeError(f"objective must be an Objective or a function of Responses, got {type(objective).__name__}")
    return Objective(getattr(objective, "__name__", type(objective).__name__), objective)

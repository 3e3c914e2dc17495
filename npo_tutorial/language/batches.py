"""What each training step receives: forget samples, each with a retain sample, padded to one batch."""

import random
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from npo_tutorial._extras import require
from npo_tutorial.language.records import Sample
from npo_tutorial.language.sequences import IGNORE_INDEX

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


class Pairs(torch.utils.data.Dataset[tuple[Sample, ...]]):
    """Pairs of a forget sample and a retain sample; without a retain set, tuples of the forget sample alone.

    The retain set is shuffled once and cycled through, epoch by epoch, so that all of it is used however few forget
    samples there are. The partner of a forget sample depends on epoch and index alone, so a run that is resumed or
    shared among processes sees the same pairs.
    """

    def __init__(self, forget: Sequence[Sample], retain: Sequence[Sample] | None = None, *, seed: int = 0) -> None:
        # the trainer counts the epochs
        self.forget, self.retain, self.epoch = forget, retain, 0
        if retain is not None:
            self.order = random.Random(seed).sample(range(len(retain)), len(retain))

    def __len__(self) -> int:
        return len(self.forget)

    def __getitem__(self, i: int) -> tuple[Sample, ...]:
        if self.retain is None:
            return (self.forget[i],)
        place = self.epoch * len(self.forget) + i
        return self.forget[i], self.retain[self.order[place % len(self.order)]]


def collate(samples: Iterable[tuple[Sample, ...]], *, chosen: bool = False) -> dict[str, torch.Tensor]:
    """One batch of `Pairs`: rows of forget samples, with `chosen` the preferred answers, then retain samples."""
    forget, *retain = map(list, zip(*samples, strict=True))
    rows = [(item["input_ids"], item["labels"]) for item in forget]
    if chosen:
        rows += [(item["chosen_input_ids"], item["chosen_labels"]) for item in forget]
    rows += [(item["input_ids"], item["labels"]) for items in retain for item in items]
    names = [name for name in ("ref_logp", "chosen_ref_logp")[: 1 + chosen] if name in forget[0]]
    references = {name: torch.tensor([item[name] for item in forget]) for name in names}
    return pad(rows) | references


def pad(rows: Sequence[tuple[list[int], list[int]]]) -> dict[str, torch.Tensor]:
    """Pairs (tokens, labels) as one batch, padded at the end."""
    longest = max(len(tokens) for tokens, _ in rows)
    # any token will do as padding: the mask hides it, and it comes after all others
    return {
        "input_ids": torch.tensor([tokens + [0] * (longest - len(tokens)) for tokens, _ in rows]),
        "attention_mask": torch.tensor([[1] * len(tokens) + [0] * (longest - len(tokens)) for tokens, _ in rows]),
        "labels": torch.tensor([labels + [IGNORE_INDEX] * (longest - len(labels)) for _, labels in rows]),
    }

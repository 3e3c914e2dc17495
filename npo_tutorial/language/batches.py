"""What each training step receives: forget samples, each with a retain sample, padded to one batch.

Every sample of every epoch has a place: place p is forget sample p mod n, in epoch p div n. The retain sample of a
place depends on the place alone, and the places of an epoch on the seed and the epoch alone. So it does not matter
which process loads a sample, in which worker, and whether the run was resumed.
"""

import inspect
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from npo_tutorial._extras import require
from npo_tutorial.language.records import Sample
from npo_tutorial.language.sequences import IGNORE_INDEX

if TYPE_CHECKING:
    import torch
    import transformers
else:
    torch, transformers = require("torch"), require("transformers")

# the place of a row that fills up the last batch of a process and counts as 0 samples
FILLER = -1
# what precomputed references are named in samples and batches
REFERENCES = ("ref_logp", "chosen_ref_logp", "ref_token_logp")
# (count, the parts of one place)
Item = tuple[int, dict[str, Sample]]


class Pairs(torch.utils.data.Dataset[Item]):
    """Forget samples, with `chosen` each with the answer that is preferred to it, and with a retain sample, if any.

    The retain set is shuffled once and cycled through, epoch by epoch, so that all of it is used however few forget
    samples there are.
    """

    def __init__(
        self,
        forget: Sequence[Sample],
        retain: Sequence[Sample] | None = None,
        *,
        chosen: bool = False,
        seed: int = 0,
    ) -> None:
        self.forget, self.retain, self.chosen = forget, retain, chosen
        if retain is not None:
            self.order = random.Random(seed).sample(range(len(retain)), len(retain))

    def __len__(self) -> int:
        return len(self.forget)

    def __getitem__(self, place: int) -> Item:
        parts = {"forget": self.forget[place % len(self.forget)]}
        if self.chosen:
            parts["chosen"] = parts["forget"]
        if self.retain is not None:
            parts["retain"] = self.retain[self.order[place % len(self.order)]]
        return int(place != FILLER), parts


class Alone(torch.utils.data.Dataset[Item]):
    """Samples of one set, of which only their own log-probabilities are of interest."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, i: int) -> Item:
        return 1, {"alone": self.samples[i]}


class Places(torch.utils.data.Sampler[int]):
    """The places of one epoch, in the order of training.

    Parameters
    ----------
    n : int
        Number of forget samples.
    seed : int
    multiple : int
        Samples in a batch times processes, if there are several; every process then gets whole batches, in the last of
        which there may be fillers.
    drop_last : bool
        Leave samples out, instead of filling up.
    shuffle : bool
    lengths : sequence of int, optional
        Numbers of tokens; `group` samples of about equal length then follow each other.
    group : int
    """

    def __init__(
        self,
        n: int,
        *,
        seed: int = 0,
        multiple: int = 1,
        drop_last: bool = False,
        shuffle: bool = True,
        lengths: Sequence[int] | None = None,
        group: int = 1,
    ) -> None:
        # the trainer counts the epochs
        self.n, self.seed, self.shuffle, self.lengths, self.group, self.epoch = n, seed, shuffle, lengths, group, 0
        self.total = (n if drop_last else n + multiple - 1) // multiple * multiple

    def __len__(self) -> int:
        return self.total

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        if not self.shuffle:
            order = list(range(self.n))
        elif self.lengths is None:
            order = torch.randperm(self.n, generator=generator).tolist()
        else:
            order = transformers.trainer_pt_utils.get_length_grouped_indices(
                self.lengths, self.group, generator=generator
            )
        places = [self.epoch * self.n + i for i in order]
        return iter((places + [FILLER] * (self.total - self.n))[: self.total])


def collate(items: Iterable[Item]) -> dict[str, Any]:
    """One batch: the rows of all forget samples, then those of the other parts.

    Returns
    -------
    dict
        "input_ids", "attention_mask" and "labels" of all rows; "parts", the names of the parts; references where the
        samples have them; "keep", how many positions at the end contain all responses and the position before; and
        "sizes": for each forget sample, the number of samples (0 for a filler), of its tokens, and of the tokens of its
        retain sample.
    """
    counts, places = zip(*items, strict=True)
    parts = {name: [place[name] for place in places] for name in places[0]}
    rows = []
    for name, samples in parts.items():
        prefix = "chosen_" if name == "chosen" else ""
        rows += [(item[f"{prefix}input_ids"], item[f"{prefix}labels"]) for item in samples]
    batch: dict[str, Any] = pad(rows)
    counted = batch["labels"][:, 1:] != IGNORE_INDEX
    lengths = dict(zip(parts, counted.sum(dim=-1).float().split(len(counts)), strict=True))
    ones = torch.ones(len(counts))
    sizes = torch.stack([ones, next(iter(lengths.values())), lengths.get("retain", 0 * ones)], dim=-1)
    sizes *= torch.tensor(counts)[:, None]
    first = next(iter(parts.values()))
    batch |= {name: _references(name, first, batch["labels"]) for name in REFERENCES if name in first[0]}
    return batch | {
        "parts": tuple(parts),
        "keep": positions(batch["labels"]),
        "sizes": sizes * torch.tensor(counts)[:, None],
    }


def _references(name: str, samples: list[Any], labels: torch.Tensor) -> torch.Tensor:
    if name != "ref_token_logp":
        return torch.tensor([item[name] for item in samples])
    found = torch.zeros(len(samples), labels.shape[1])
    for row, row_labels, item in zip(found, labels, samples, strict=False):
        row[1:][row_labels[1:] != IGNORE_INDEX] = torch.tensor(item[name])
    return found


def pad(rows: Sequence[tuple[list[int], list[int]]]) -> dict[str, torch.Tensor]:
    """Pairs (tokens, labels) as one batch, padded at the end."""
    longest = max(len(tokens) for tokens, _ in rows)
    # any token will do as padding: the mask hides it, and it comes after all others
    return {
        "input_ids": torch.tensor([tokens + [0] * (longest - len(tokens)) for tokens, _ in rows]),
        "attention_mask": torch.tensor([[1] * len(tokens) + [0] * (longest - len(tokens)) for tokens, _ in rows]),
        "labels": torch.tensor([labels + [IGNORE_INDEX] * (longest - len(labels)) for _, labels in rows]),
    }


def positions(labels: torch.Tensor) -> int:
    """How many positions at the end contain all responses and the position before, whose logits predict the first."""
    return labels.shape[1] - int((labels[:, 1:] != IGNORE_INDEX).any(dim=0).int().argmax())


def keeps_logits(model: Any) -> bool:
    """Whether the model can be told to compute logits at the last positions only."""
    model = getattr(model, "get_base_model", lambda: model)()
    return "logits_to_keep" in inspect.signature(model.forward).parameters

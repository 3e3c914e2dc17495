"""What a step is given: forget samples, each with a retain sample, padded to one batch."""

import random

from npo_tutorial._extras import require
from npo_tutorial.language.sequences import IGNORE_INDEX

torch = require("torch")


class Pairs(torch.utils.data.Dataset):
    """Each forget sample with one retain sample, as a tuple; or alone, where nothing is to be retained.

    The retain set is shuffled once and gone through in its new order, epoch by epoch, so that all of it is seen however
    few forget samples there are. Which sample is met is a function of epoch and index alone: a run that is resumed or
    shared among processes meets the same.
    """

    def __init__(self, forget, retain=None, *, seed=0):
        # the trainer counts epochs
        self.forget, self.retain, self.epoch = forget, retain, 0
        if retain is not None:
            self.order = random.Random(seed).sample(range(len(retain)), len(retain))

    def __len__(self):
        return len(self.forget)

    def __getitem__(self, i):
        if self.retain is None:
            return (self.forget[i],)
        place = self.epoch * len(self.forget) + i
        return self.forget[i], self.retain[self.order[place % len(self.order)]]


def collate(samples, *, chosen=False):
    """One batch of tuples of `Pairs`: rows of forget samples, if `chosen` of what DPO prefers, of retain samples."""
    forget, *retain = map(list, zip(*samples, strict=True))
    rows = [(item["input_ids"], item["labels"]) for item in forget]
    if chosen:
        rows += [(item["chosen_input_ids"], item["chosen_labels"]) for item in forget]
    rows += [(item["input_ids"], item["labels"]) for items in retain for item in items]
    names = [name for name in ("ref_logp", "chosen_ref_logp")[: 1 + chosen] if name in forget[0]]
    references = {name: torch.tensor([item[name] for item in forget]) for name in names}
    return pad(rows) | references


def pad(rows):
    """Pairs (tokens, labels) as one batch, padded at the end."""
    longest = max(len(tokens) for tokens, _ in rows)
    # a padded token is hidden by the mask and comes after all others: any will do
    return {
        "input_ids": torch.tensor([tokens + [0] * (longest - len(tokens)) for tokens, _ in rows]),
        "attention_mask": torch.tensor([[1] * len(tokens) + [0] * (longest - len(tokens)) for tokens, _ in rows]),
        "labels": torch.tensor([labels + [IGNORE_INDEX] * (longest - len(labels)) for _, labels in rows]),
    }

"""A progress bar for long runs."""

import os
from contextlib import suppress
from math import inf
from time import monotonic
from typing import Any

from npo_tutorial._extras import require

DELAY = 2  # seconds


class Progress:
    """Counts steps; if tqdm is installed, shows them once a run has lasted `DELAY`."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.due = total, 0, monotonic() + DELAY
        self.bar: Any = None

    def update(self, n_steps: int) -> None:
        self.done += n_steps
        if self.bar is not None:
            self.bar.update(n_steps)
        elif monotonic() >= self.due:
            self.due = inf
            # tqdm's own variable, which its notebook bar ignores
            silent = bool(os.environ.get("TQDM_DISABLE"))
            with suppress(ImportError):
                tqdm = require("tqdm.auto").tqdm
                self.bar = tqdm(total=self.total, initial=self.done, unit="step", leave=False, disable=silent)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()

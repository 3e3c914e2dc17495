"""A progress bar for runs that last."""

import os
from contextlib import suppress
from math import inf
from time import monotonic

from npo_tutorial._extras import require

DELAY = 2  # seconds


class Progress:
    """Counts steps, and shows them by tqdm, where it is installed, once a run has lasted `DELAY`."""

    def __init__(self, total):
        self.total, self.done, self.due, self.bar = total, 0, monotonic() + DELAY, None

    def update(self, n_steps):
        self.done += n_steps
        if self.bar is not None:
            self.bar.update(n_steps)
        elif monotonic() >= self.due:
            self.due = inf
            # the variable is tqdm's own, which its bar for notebooks does not heed
            silent = bool(os.environ.get("TQDM_DISABLE"))
            with suppress(ImportError):
                tqdm = require("tqdm.auto").tqdm
                self.bar = tqdm(total=self.total, initial=self.done, unit="step", leave=False, disable=silent)

    def close(self):
        if self.bar is not None:
            self.bar.close()

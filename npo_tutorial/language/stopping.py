"""SIGTERM and Ctrl-C: what a cluster sends before it takes a machine away, and what people press."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from npo_tutorial._extras import require

if TYPE_CHECKING:
    import torch
    import transformers
else:
    torch, transformers = require("torch"), require("transformers")


class StopAfterStep(transformers.TrainerCallback):
    """Ends training after the step at which a signal arrives, with a checkpoint.

    Several processes stop after the same step, whichever of them gets the signal.
    """

    def __init__(self) -> None:
        #: The signal that ended the run, if one did.
        self.signal: int | None = None

    def note(self, number: int, frame: Any) -> None:
        """The signal handler. A second Ctrl-C ends the process at once."""
        if number == self.signal == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number

    def on_step_end(
        self, args: transformers.TrainingArguments, state: transformers.TrainerState, control: Any, **kwargs: Any
    ) -> None:
        if args.world_size > 1:
            number = torch.tensor(self.signal or 0, device=args.device)
            torch.distributed.all_reduce(number, torch.distributed.ReduceOp.MAX)
            self.signal = int(number) or None
        if self.signal is not None and state.global_step < state.max_steps:
            control.should_training_stop = control.should_save = True


class UseNewIntervals(transformers.TrainerCallback):
    """Lets a resumed run log, evaluate and save at the intervals it was called with, not at those of its beginning."""

    #: Whether all has been loaded, and the first step begins.
    is_over = False

    def on_train_begin(
        self, args: transformers.TrainingArguments, state: transformers.TrainerState, control: Any, **kwargs: Any
    ) -> None:
        state.compute_steps(args, state.max_steps)

    def on_step_begin(self, *arguments: Any, **kwargs: Any) -> None:
        self.is_over = True


@contextmanager
def handling(handler: Any, *numbers: int) -> Iterator[None]:
    """Handle signals by `handler` for a while; outside the main thread, where Python cannot, they are as before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def exit_at_once(number: int, frame: Any) -> None:
    """A signal handler that lets temporary files be removed; the status is that of a process ended by the signal."""
    sys.exit(128 + number)

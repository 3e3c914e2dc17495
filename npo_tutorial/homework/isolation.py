"""Keep an answer from holding up its caller: a limit on its time and one on its output.

An answer runs in a thread of its own, not under a signal: a thread works on every system and within any thread, and a
loop that swallows every exception is left behind, where a signal's handler would wait for it. Where there are no
threads, as in WebAssembly, the answer runs in the caller's, and only the host can limit its time.
"""

import _thread
import contextvars
import ctypes
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO, cast

# Characters of standard output and error that a check lets through.
PRINTED = 4000


class TimeUp(SystemExit):
    """Raised in the thread of an answer that ran past its time; of all exceptions, only SystemExit ends it silently."""


class Output:
    """Standard output and error for the answers of one check: its first few kB, then a line that says so."""

    def __init__(self, notice: str):
        self.notice, self.left = notice, PRINTED
        self.writers: set[int] = set()  # threads in which an answer runs

    def write(self, stream: TextIO, text: str) -> int:
        if _thread.get_ident() not in self.writers:
            return stream.write(text)
        if self.left >= 0:
            stream.write(text[: self.left])
            if len(text) > self.left:
                stream.write(self.notice)
        # below 0 from then on, so that the notice is written once
        self.left = self.left - len(text) if self.left >= len(text) else -1
        return len(text)


class _Stream:
    """In place of sys.stdout or sys.stderr."""

    def __init__(self, stream: TextIO, output: Output):
        self._stream, self._output = stream, output

    def write(self, text):
        return self._output.write(self._stream, text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def __getattr__(self, name):
        return getattr(self._stream, name)


def run_apart(call: Callable[[], Any], seconds: float, output: Output) -> Any:
    """What `call` returns or raises; `TimeUp` after this many seconds."""
    outcome: list[tuple[Any, BaseException | None]] = []
    running = _thread.allocate_lock()
    running.acquire()

    def run():
        output.writers.add(_thread.get_ident())
        try:
            outcome.append((call(), None))
        except BaseException as error:  # raised below, in the caller's thread
            outcome.append((None, error))
        finally:
            running.release()  # first: after it no TimeUp is sent
            output.writers.discard(_thread.get_ident())

    streams = sys.stdout, sys.stderr
    # a program without a console has no streams
    sys.stdout, sys.stderr = (cast(TextIO, stream and _Stream(stream, output)) for stream in streams)
    ended = in_time = False
    try:
        try:
            thread = _thread.start_new_thread(contextvars.copy_context().run, (run,))
        except RuntimeError:  # can't start new thread
            run()
            ended = in_time = True
            if isinstance(interrupt := getattr(outcome[0][1], "__cause__", None), KeyboardInterrupt):
                raise interrupt from None  # Ctrl-C: no other thread could get it
        else:
            try:
                ended = in_time = _wait(running, seconds)
            finally:  # also after Ctrl-C
                ended = ended or _stop(thread, running)
    finally:
        # an answer that is left behind must not go on printing: its output stays cut, that of others passes
        if ended:
            sys.stdout, sys.stderr = streams
    if not in_time:
        raise TimeUp
    value, error = outcome[0]
    if error is not None:
        raise error
    return value


def _wait(running: _thread.LockType, seconds: float) -> bool:
    """Whether the thread ended in time. A Ctrl-C just before a wait is noticed at its end only, so waits are short."""
    end = time.monotonic() + seconds
    while not running.acquire(timeout=min(max(end - time.monotonic(), 0), 0.1)):
        if time.monotonic() >= end:
            return False
    return True


def _stop(thread: int, running: _thread.LockType) -> bool:
    """Whether the thread ended when told so, some times."""
    for _ in range(20):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(TimeUp))
        if running.acquire(timeout=0.01):
            return True
    return False

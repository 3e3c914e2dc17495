"""Loops over small products: each product on one BLAS thread, and independent problems on one core each.

The BLAS would split a product of 1200 × 128 numbers among the cores at each step. On an idle machine that gains
nothing; on a busy one each step waits for the slowest thread, and the run takes ten times as long. Python threads gain
little: handing over Python's lock several times a step takes about as long as the products.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from threading import Lock
from time import monotonic
from typing import Any, TypeVar

from npo_tutorial._progress import Progress

T = TypeVar("T")
WORTHWHILE = 1.0  # seconds of work: starting the processes takes about as long
# in WebAssembly there are neither threads nor processes
SINGLE = sys.platform == "emscripten"

_limiting = Lock()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit the BLAS to one thread, for the whole process.

    The outermost loop sets the limit and lifts it. Nested loops, and loops in other threads, leave it alone: they would
    take it for the caller's own setting, and restore it after it was lifted.
    """
    if SINGLE or not _limiting.acquire(blocking=False):
        yield
        return
    try:
        with _blas().limit(limits=1):
            yield
    finally:
        _limiting.release()


@cache
def _blas():
    # imported late and made once: searching the loaded libraries takes milliseconds
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


def on_all_cores(function: Callable[..., T], tasks: Sequence[tuple[Any, ...]], n_steps: int) -> list[T]:
    """[function(*task, update) for task in tasks], on all cores if that saves time, with the same numbers as on one.

    Each task makes `n_steps` steps and reports them by `update(k)`, for the progress bar. Function, tasks and results
    must be picklable.
    """
    progress = Progress(len(tasks) * n_steps)
    results: list[T] = []
    try:
        with one_blas_thread():
            for i, task in enumerate(tasks, 1):
                start = monotonic()
                results.append(function(*task, progress.update))
                if (monotonic() - start) * (len(tasks) - i) > WORTHWHILE and cores() > 1:
                    break
        if len(results) < len(tasks):
            for result in _in_processes(function, tasks[len(results) :]):
                results.append(result)
                progress.update(n_steps)
    finally:
        progress.close()
    return results


def cores() -> int:
    """The number of cores that this process may use."""
    if SINGLE:
        return 1
    # imported where used: it is slow to load
    from joblib import cpu_count

    return cpu_count()


def _in_processes(function, tasks):
    """Yield the results in the order of the tasks, each as soon as it is ready."""
    from joblib import Parallel, delayed

    parallel = Parallel(min(cores(), len(tasks)), return_as="generator", batch_size=1, max_nbytes=None)
    return parallel(delayed(_alone)(function, task) for task in tasks)


def _alone(function, task):
    with one_blas_thread():
        return function(*task, _ignore)


def _ignore(n_steps):
    pass

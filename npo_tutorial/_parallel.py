"""Loops over small products: each product on one BLAS thread, and independent problems on one core each.

The BLAS would split a product of 1200 × 128 numbers among the cores, at each step. That gains nothing on an idle
machine, and on a busy one each step waits for the slowest thread: the run takes ten times as long. Python threads gain
little too: they pass Python's lock on several times a step, which takes about as long as the products between.
"""

import sys
from contextlib import contextmanager
from functools import cache
from threading import Lock
from time import monotonic

from npo_tutorial._progress import Progress

WORTHWHILE = 1.0  # seconds of work: starting the processes takes about as long
# in WebAssembly there are neither threads nor processes
SINGLE = sys.platform == "emscripten"

_limiting = Lock()


@contextmanager
def one_blas_thread():
    """Limit the BLAS to one thread, for the whole process.

    The loop that sets the limit lifts it. Loops inside it, and those of other threads meanwhile, leave it alone: they
    would take it for the caller's own, and put it back after it was lifted.
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
    import scipy.special  # noqa: F401  (it brings a BLAS of its own, which must be among them: numba calls that one)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


def side_by_side(function, tasks, n_steps):
    """[function(*task, update) for task in tasks], on all cores if that saves time; the same numbers on one.

    Each task makes `n_steps` steps, which it reports to `update(k)`; they are what the progress bar counts. Function,
    tasks and results must be picklable.
    """
    progress, results = Progress(len(tasks) * n_steps), []
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


def cores():
    """How many cores this process may use."""
    if SINGLE:
        return 1
    # imported where used: it is slow to load
    from joblib import cpu_count

    return cpu_count()


def _in_processes(function, tasks):
    """The results in the order of the tasks, each as soon as it is there."""
    from joblib import Parallel, delayed

    parallel = Parallel(min(cores(), len(tasks)), return_as="generator", batch_size=1, max_nbytes=None)
    return parallel(delayed(_alone)(function, task) for task in tasks)


def _alone(function, task):
    with one_blas_thread():
        return function(*task, _unheard)


def _unheard(n_steps):
    pass

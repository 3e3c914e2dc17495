"""The inner loop of gradient descent: in NumPy, and compiled where numba is installed and the run is long."""

from collections.abc import Callable
from functools import cache
from math import exp, log
from typing import Any, TypeAlias

import numpy as np

from npo_tutorial._extras import require
from npo_tutorial._types import FloatArray
from npo_tutorial.logistic.model import Problem, speed
from npo_tutorial.losses import npo_exponent, weight_at

# From about half a second of the NumPy loop on, which takes some 4 + batch µs a step: numba's import and compilation
# take as long.
COMPILED_FROM = 500_000
# The number of samples from which a call of the library saves more than it costs: `python -m tests.benchmarks.loops`.
PLAIN_BELOW = 20

Advance: TypeAlias = Callable[[FloatArray, FloatArray, int], None]


def stepper(problem: Problem, rate: float | FloatArray, batch: tuple[int, ...], n_steps: int) -> Advance:
    """A function of (z, m, k) that makes k of `n_steps` steps in place: coordinates z and margins m of each problem."""
    if n_steps * (4 + np.prod(batch)) >= COMPILED_FROM:
        try:
            return _compiled_stepper(problem, rate, batch)
        except ImportError:  # without numba the same numbers, later
            pass
    return _numpy_stepper(problem, rate)


def _numpy_stepper(problem: Problem, rate: float | FloatArray) -> Advance:
    def advance(z: FloatArray, m: FloatArray, n_steps: int) -> None:
        for _ in range(n_steps):
            z += problem.push(rate * speed(m, problem.beta, problem.ref_logp))
            np.subtract(problem.margins_init, problem.lowered(z), out=m)

    return advance


def _compiled_stepper(problem: Problem, rate: float | FloatArray, batch: tuple[int, ...]) -> Advance:
    loop = _compiled_loop()
    # GA is the case β = 0, where every weight is 1 and none is computed
    beta, rate = (
        np.broadcast_to(x, (*batch, 1))[..., 0] for x in (0.0 if problem.beta is None else problem.beta, rate)
    )
    gram = np.empty((0, 0)) if problem.gram is None else problem.gram
    arrays = [
        np.broadcast_to(array, batch + array.shape[array.ndim - ndim :])
        for array, ndim in ((problem.margins_init, 1), (problem.ref_logp, 1), (gram, 2), (problem.rows, 2))
    ]
    plain = problem.rows.shape[-2] < PLAIN_BELOW

    def advance(z: FloatArray, m: FloatArray, n_steps: int) -> None:
        for b in np.ndindex(batch):
            loop(z[b], m[b], *(array[b] for array in arrays), beta[b], rate[b], n_steps, plain)

    return advance


@cache
def _compiled_loop() -> Callable[..., None]:
    return make_loop(require("numba").njit(error_model="numpy"))


def make_loop(compiled: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Callable[..., None]:
    """The loop of `_numpy_stepper` for one problem, with `compiled` applied to it and to the functions it calls."""
    exponent, weight = compiled(npo_exponent), compiled(weight_at)

    @compiled
    def sigmoid(z):
        return 1 / (1 + exp(-z))  # 0 where the exponential overflows

    @compiled
    def loop(z, m, margins_init, ref_logp, gram, rows, beta, rate, n_steps, plain):
        """An empty `gram` means that there is none; `plain` products are loops, without a call of the library."""
        n, d = len(m), len(z)
        moved, pushed, lowered = np.empty(n), np.empty(d), np.empty(n)
        for _ in range(n_steps):
            for i in range(n):
                # σ(−m) is numerator / (1 + e); neither it nor log σ(m) overflows or cancels
                e = exp(-abs(m[i]))
                numerator = e if m[i] > 0 else 1.0
                moved[i] = rate * numerator / (1 + e)
                if beta > 0:
                    logp = min(m[i], 0.0) - log(1 + e)
                    moved[i] *= weight(exponent(logp, ref_logp[i], beta), sigmoid)
            if len(gram):
                z += moved
                if plain:
                    lowered[:] = 0.0
                    for j in range(n):
                        for i in range(n):
                            lowered[i] += gram[j, i] * z[j]  # along the rows of a symmetric matrix
                else:
                    np.dot(gram, z, lowered)
            elif plain:
                for j in range(d):
                    total = 0.0
                    for i in range(n):
                        total += moved[i] * rows[i, j]
                    z[j] += total
                for i in range(n):
                    total = 0.0
                    for j in range(d):
                        total += rows[i, j] * z[j]
                    lowered[i] = total
            else:
                np.dot(moved, rows, pushed)
                z += pushed
                np.dot(rows, z, lowered)
            for i in range(n):
                m[i] = margins_init[i] - lowered[i]

    return loop

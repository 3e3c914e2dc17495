"""Where the compiled loop of gradient descent is faster with plain products, with the library's, and than NumPy's loop.

python -m tests.benchmarks.loops: checks that the three give the same numbers to 1e-12, then prints microseconds a step
and ratios. `PLAIN_BELOW` in npo_tutorial/logistic/steps.py is where the first ratio passes 1.
"""

import math
from time import perf_counter
from unittest.mock import patch

import numpy as np

from npo_tutorial import gradient_descent
from npo_tutorial._parallel import one_blas_thread
from npo_tutorial.logistic import steps
from npo_tutorial.logistic.model import checked_problem
from tests.benchmarks import make_parser

N = (2, 4, 10, 16, 24, 32, 64, 128, 300, 1000)
LOOPS = {"plain": (0, math.inf), "library": (0, 0), "numpy": (math.inf, 0)}  # COMPILED_FROM, PLAIN_BELOW
LOSSES = {"npo": 0.5, "ga": None}  # and β


def problem(n, d):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, d)) / np.sqrt(d), rng.integers(0, 2, n), rng.standard_normal(d) / 10


def chosen(name):
    compiled_from, plain_below = LOOPS[name]
    return patch.multiple(steps, COMPILED_FROM=compiled_from, PLAIN_BELOW=plain_below)


def check(loss, n, d):
    """The loops agree to 1e-12."""
    results = {}
    for name in LOOPS:
        with chosen(name):
            run = gradient_descent(*problem(n, d), loss=loss, beta=LOSSES[loss], step_size=1.0, n_steps=500)
            results[name] = run.margins
    for name in ("plain", "library"):
        np.testing.assert_allclose(results[name], results["numpy"], rtol=1e-12, atol=1e-12, err_msg=name)


def costs(loss, n, d, rounds=7):
    """Microseconds a step of each loop: the fastest of some rounds, in which the loops take turns."""
    checked = checked_problem(*problem(n, d), loss=loss, beta=LOSSES[loss])
    rate, length = 1 / n, max(100, 50_000 // n)
    advances = {}
    for name in LOOPS:
        with chosen(name):
            advances[name] = steps.stepper(checked, rate, (), length)
    times = {name: [] for name in LOOPS}
    for _ in range(rounds):
        for name, advance in advances.items():
            z, m = np.zeros(min(n, d)), checked.margins_init.copy()
            with one_blas_thread(), np.errstate(all="ignore"):
                advance(z, m, 10)
                start = perf_counter()
                advance(z, m, length)
                times[name].append(1e6 * (perf_counter() - start) / length)
    return {name: min(values) for name, values in times.items()}


def main():
    make_parser("tests.benchmarks.loops", __doc__).parse_args()
    head = ("plain", "library", "numpy", "plain/library", "library/numpy")
    for loss in LOSSES:
        print(loss, "n".rjust(4), "d".rjust(5), *(word.rjust(13) for word in head))
        for n in N:
            for d in (2 * n, max(1, n // 2)):  # Gram space, and θ-space
                check(loss, n, d)
                cost = costs(loss, n, d)
                ratios = cost["plain"] / cost["library"], cost["library"] / cost["numpy"]
                figures = [f"{figure:13.3f}" for figure in (*cost.values(), *ratios)]
                print(f"{loss} {n:{7 - len(loss)}} {d:5}", *figures, flush=True)


if __name__ == "__main__":
    main()

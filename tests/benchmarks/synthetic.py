"""What the synthetic experiment costs, also with busy cores, and a step of it compared with plain PyTorch.

python -m tests.benchmarks.synthetic
"""

import multiprocessing
import os
import time
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from npo_tutorial import _parallel, synthetic
from npo_tutorial.synthetic import METHODS, TABLE_1
from tests import plain_synthetic
from tests.benchmarks import make_parser

SEEDS, STEPS = range(5), 2000
BETAS = (0.01, 0.1, 0.2, 0.5, 1.0)


def timed(function, *arguments, **options):
    start = time.perf_counter()
    result = function(*arguments, **options)
    return time.perf_counter() - start, result


def whole():
    """All of Section 4: five seeds, six methods, both α, and Figure 3."""
    total = 0.0
    for alpha in TABLE_1:
        seconds, problems = timed(synthetic.make_problem, alpha, SEEDS)
        print(f"α = {alpha:g}   two models of each of five seeds, 20,000 steps   {seconds:6.1f} s")
        total += seconds
        seconds, _ = timed(synthetic.run, METHODS, problems, record=range(0, STEPS + 1, 5))
        print(f"α = {alpha:g}   six methods, 2,000 steps, every fifth measured   {seconds:6.1f} s")
        total += seconds
        options = {"beta": [None, *BETAS], "step_size": 5e-4, "n_steps": 10_000, "record": range(0, 10_001, 5)}
        seconds, _ = timed(synthetic.run, ["GA"] + 5 * ["NPO"], problems, **options)
        print(f"α = {alpha:g}   Figure 3, 10,000 steps, every fifth measured     {seconds:6.1f} s")
        total += seconds
    print(f"total {total:.1f} s\n")


def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


@contextmanager
def busy_cores():
    """A busy process on each core; they end by themselves if this process is killed."""
    spinners = [multiprocessing.Process(target=spin, args=(300,), daemon=True) for _ in range(os.cpu_count())]
    for spinner in spinners:
        spinner.start()
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.terminate()
            spinner.join()


def beside_others():
    """Six methods on two problems, 500 steps, with and without the package's limit on BLAS threads."""
    problems = synthetic.make_problem(1, range(2))

    def seconds(limited):
        # in this process: several processes would hide the effect of the limit
        with patch.object(_parallel, "SINGLE", not limited), patch.object(_parallel, "cores", lambda: 1):
            return min(timed(synthetic.run, METHODS, problems, n_steps=500)[0] for _ in range(3))

    print("BLAS threads of the caller   idle: limited, not   beside busy cores: limited, not   ratios to idle")
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            idle = [seconds(limited) for limited in (True, False)]
            with busy_cores():
                busy = [seconds(limited) for limited in (True, False)]
        ratios = [b / i for b, i in zip(busy, idle, strict=True)]
        print(f"{threads:26d} {idle[0]:10.2f} {idle[1]:8.2f} s {busy[0]:21.2f} {busy[1]:8.2f} s", end="")
        print(f" {ratios[0]:12.1f} {ratios[1]:6.1f}")
    print()


def a_step():
    """Microseconds per step, after a comparison of the trajectories."""
    problem = synthetic.make_problem(1, 0)
    together, runs = timed(synthetic.run, METHODS, problem, n_steps=STEPS, record=[STEPS])
    print("method    PyTorch µs   package µs   ratio   largest difference of θ")
    whole = 0.0
    for i, method in enumerate(METHODS):
        step_size, beta = TABLE_1[1][method]
        options = {"step_size": step_size, "beta": beta, "n_steps": STEPS}
        plain, way = timed(plain_synthetic.descend, problem, method, **options)
        alone, run = timed(synthetic.run, method, problem, n_steps=STEPS, record=[STEPS])
        difference = max(np.abs(theta - way[-1]).max() for theta in (run.theta[-1], runs.theta[i, -1]))
        assert difference < 1e-8, (method, difference)
        per_step = [1e6 * seconds / STEPS for seconds in (plain, alone)]
        print(f"{method:8s} {per_step[0]:11.0f} {per_step[1]:12.0f} {plain / alone:7.1f} {difference:16.0e}")
        whole += plain
    print(f"all six  {1e6 * whole / STEPS:11.0f} {1e6 * together / STEPS:12.0f} {whole / together:7.1f}")


def main():
    make_parser("tests.benchmarks.synthetic", __doc__).parse_args()
    torch.set_num_threads(1)
    whole()
    beside_others()
    a_step()


if __name__ == "__main__":
    main()

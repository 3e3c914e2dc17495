"""What the solvers of the logistic model cost, compared with the obvious loops on the same problems.

python -m tests.benchmarks.solvers [--write] prints tables; with --write also npo_tutorial/results/solver_speed.json.
"""

import itertools
import math
import os
import platform
import time
import tracemalloc
from importlib.metadata import version
from unittest.mock import patch

import numpy as np
import torch
from scipy.special import expit, log_expit
from torch.nn.functional import logsigmoid

from npo_tutorial import forget_set, gradient_descent, gradient_flow, results
from npo_tutorial.logistic import steps
from tests.benchmarks import make_parser

BETA, STEP_SIZE, D = 0.5, 0.4, 1000


def pytorch(X, y, theta_init, n_steps):
    """The loop a student would write: autograd, SGD."""
    X, sign = torch.tensor(X), torch.tensor(2.0 * y - 1)
    theta = torch.tensor(theta_init, requires_grad=True)
    ref_logp = logsigmoid(sign * (X @ theta)).detach()
    optimizer = torch.optim.SGD([theta], lr=STEP_SIZE)
    for _ in range(n_steps):
        optimizer.zero_grad()
        logp = logsigmoid(sign * (X @ theta))
        loss = -2 / BETA * logsigmoid(-BETA * (logp - ref_logp)).mean()
        loss.backward()
        optimizer.step()
    return theta.detach().numpy()


def numpy_theta(X, y, theta_init, n_steps):
    """The same with the gradient derived by hand."""
    signed_X, theta = (2 * y - 1)[:, None] * X, theta_init
    ref_logp = log_expit(signed_X @ theta)
    for _ in range(n_steps):
        m = signed_X @ theta
        weights = 2 * expit(BETA * (log_expit(m) - ref_logp))
        theta = theta - STEP_SIZE / len(y) * (weights * expit(-m)) @ signed_X
    return theta


def package(compiled_from):
    def run(X, y, theta_init, n_steps):
        with patch.object(steps, "COMPILED_FROM", compiled_from):
            run = gradient_descent(X, y, theta_init, loss="npo", beta=BETA, step_size=STEP_SIZE, n_steps=n_steps)
        return run.theta()

    return run


# the last two are gradient_descent without and with numba
LOOPS = {"pytorch": pytorch, "numpy_theta": numpy_theta, "numpy": package(math.inf), "numba": package(0)}


def flow(X, y, theta_init, n_steps):
    times = np.geomspace(1, max(STEP_SIZE * n_steps, 2), 200)
    return gradient_flow(X, y, theta_init, loss="npo", beta=BETA, times=times).theta()


def problem(n):
    X, y = forget_set(n, D, seed=0, coherence=0.1 / n)
    return X, y, np.random.default_rng(0).standard_normal(D) / 10


def seconds(function, *arguments):
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def step_costs(n):
    """Seconds per step of each loop: the fastest of nine rounds, in which the loops take turns."""
    arguments = problem(n)
    expected = pytorch(*arguments, 300)
    lengths = {}
    for name, loop in LOOPS.items():
        np.testing.assert_allclose(loop(*arguments, 300), expected, rtol=1e-10, atol=1e-12)
        # long enough to last a tenth of a second, so that the fixed costs of a run do not matter
        short = max(1000, int(5 / seconds(loop, *arguments, 500)))
        lengths[name] = max(500, int(0.1 * short / seconds(loop, *arguments, short)))
    rounds = [[seconds(LOOPS[name], *arguments, k) / k for name, k in lengths.items()] for _ in range(9)]
    return dict(zip(LOOPS, np.min(rounds, axis=0).tolist(), strict=True))


def peak_memory(n, n_steps):
    """Bytes at the peak of a run beyond its copy of X, and the number of its records."""
    X, y, theta_init = problem(n)
    options = {"loss": "npo", "beta": BETA, "step_size": STEP_SIZE, "n_steps": n_steps}
    tracemalloc.start()
    run = gradient_descent(X, y, theta_init, **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak - X.nbytes, len(run)


def promises():
    """Rows of promises: what, the measured value, the bound, and whether it is met."""
    ten, hundred = step_costs(10), step_costs(100)
    arguments = problem(10)
    peak, records = peak_memory(100, 20_000)
    at_least = {
        "n = 10, numba: times faster than PyTorch": (ten["pytorch"] / ten["numba"], 400),
        "n = 10, NumPy: times faster than PyTorch": (ten["pytorch"] / ten["numpy"], 15),
        "n = 100, numba: times faster than PyTorch": (hundred["pytorch"] / hundred["numba"], 50),
    }
    at_most = {
        "n = 10, numba: seconds for 10^6 steps": (fastest(LOOPS["numba"], *arguments, 10**6), 0.5),
        "n = 10: seconds for the flow to t = 10^12": (fastest(flow, *arguments, 1e12 / STEP_SIZE), 0.05),
        "n = 100: peak memory / (n^2 + 2 n records) numbers": (peak / 8 / (100**2 + 200 * records), 2),
        "n = 10: peak memory of 10^5 steps / of 10^3": (peak_memory(10, 10**5)[0] / peak_memory(10, 1000)[0], 2),
    }
    return [(what, value, ">=", bound, value >= bound) for what, (value, bound) in at_least.items()] + [
        (what, value, "<=", bound, value <= bound) for what, (value, bound) in at_most.items()
    ]


def costs_against_n():
    """Microseconds per step."""
    n = [2, 4, 8, 16, 32, 64, 128, 300]
    rows = [step_costs(k) for k in n]
    return {"n": n} | {name: [1e6 * row[name] for row in rows] for name in LOOPS}


def costs_against_steps():
    """Seconds of a run at n = 10, for each method until a run takes a third of a second."""
    series = {"steps": [10**k for k in range(2, 13)]}
    arguments = problem(10)
    for name, function in (LOOPS | {"flow": flow}).items():
        series[name] = []
        for n_steps in series["steps"]:
            series[name].append(fastest(function, *arguments, n_steps))
            if series[name][-1] > 0.3:
                break
    return series


def fastest(function, *arguments):
    return min(seconds(function, *arguments) for _ in range(3))


def show(title, head, rows):
    rows = [head, *([f"{x:.3g}" if isinstance(x, float) else str(x) for x in row] for row in rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    print(f"\n{title}")
    for row in rows:
        print("  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)))


def main():
    parser = make_parser("tests.benchmarks.solvers", __doc__)
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write

    os.environ["TQDM_DISABLE"] = "1"
    # everything on one core: at these sizes a second one saves PyTorch nothing, and hinders it if it is busy
    torch.set_num_threads(1)
    arguments = problem(10)
    first = seconds(LOOPS["numba"], *arguments, 1)
    print(f"first use of numba, import and compilation: {first:.2f} s")
    rows = promises()
    show(
        "Promised and measured (d = 1000, beta = 0.5, one core)",
        ("what", "measured", "", "bound", ""),
        [(*row[:4], "reached" if row[4] else "NOT REACHED") for row in rows],
    )
    by_n, by_steps = costs_against_n(), costs_against_steps()
    show("Microseconds a step", tuple(by_n), zip(*by_n.values(), strict=True))
    show("Seconds a run, n = 10", tuple(by_steps), itertools.zip_longest(*by_steps.values(), fillvalue="-"))
    if write:
        made = {
            "command": "python -m tests.benchmarks.solvers --write",
            "versions": {"python": platform.python_version()}
            | {name: version(name) for name in ("numpy", "scipy", "numba", "torch")},
            "cpus": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "d": D,
            "beta": BETA,
            "first_use_of_numba_seconds": first,
            "promises": [
                {"what": what, "measured": value, "relation": relation, "bound": bound, "reached": bool(reached)}
                for what, value, relation, bound, reached in rows
            ],
            "microseconds_a_step": by_n,
            "seconds_a_run": by_steps,
        }
        results.save("solver_speed", made)


if __name__ == "__main__":
    main()

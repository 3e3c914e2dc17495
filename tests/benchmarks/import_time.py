"""What `import npo_tutorial` costs beyond NumPy, and what a first loss and a first step of descent cost after it.

python -m tests.benchmarks.import_time: medians of eleven interpreters, which take turns.
"""

import statistics
import subprocess
import sys

from tests.benchmarks import make_parser

BUDGET = 100  # ms beyond NumPy
CODE = """
import sys, time
def clock(code):
    start = time.perf_counter()
    exec(code, {{}})
    print(1000 * (time.perf_counter() - start), end=" ")
clock("import numpy")
clock({first!r})
clock("from npo_tutorial import npo_loss; npo_loss([-1.0], [-2.0], beta=1.0)")
clock("from npo_tutorial import gradient_descent as f; f([[1.0]], [1], [0.0], loss='ga', step_size=1.0, n_steps=1)")
print("scipy" in sys.modules)
"""


def milliseconds(first):
    """Of NumPy, of what comes `first` after it, of a first loss, and of a first step of descent."""
    *times, loaded = subprocess.check_output([sys.executable, "-c", CODE.format(first=first)], encoding="utf-8").split()
    assert loaded == "True", "gradient descent needs SciPy"
    return [float(time) for time in times]


def main():
    make_parser("tests.benchmarks.import_time", __doc__).parse_args()
    now, eager = "import npo_tutorial", "import scipy.special, npo_tutorial"
    runs = {first: [] for first in (now, eager)}
    for _ in range(11):
        for first, rows in runs.items():
            rows.append(milliseconds(first))
    for first, rows in runs.items():
        numpy, package, loss, step = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{first}: {package:.0f} ms after {numpy:.0f} ms for NumPy; a loss {loss:.1f} ms, a step {step:.0f} ms")
    print(f"budget of import npo_tutorial: {BUDGET} ms")


if __name__ == "__main__":
    main()

"""What `import npo_tutorial` costs beyond NumPy, SciPy and array-api-compat: the median of eleven interpreters."""

import statistics
import subprocess
import sys

from tests.benchmarks import make_parser

CODE = """
import time
import numpy, scipy.special, array_api_compat
start = time.perf_counter()
import npo_tutorial
print(time.perf_counter() - start)
"""


def main():
    make_parser("tests.benchmarks.import_time", __doc__).parse_args()
    times = [float(subprocess.check_output([sys.executable, "-c", CODE])) for _ in range(11)]
    print(f"import npo_tutorial: {1000 * statistics.median(times):.0f} ms beyond its dependencies (budget 300 ms)")


if __name__ == "__main__":
    main()

"""The confusion table: for each question the hints that were meant and those that were given."""

import time
from collections import Counter

from tests.benchmarks import make_parser
from tests.homework_answers import RIGHT, WRONG, hint_for, with_numpy, with_torch

assert with_numpy and with_torch  # they fill both lists


def main():
    make_parser("tests.homework_answers", __doc__).parse_args()
    confusion, slowest = Counter(), {}
    for question, hint, fn in [*WRONG, *((question, "", fn) for question, fn in RIGHT)]:
        start = time.perf_counter()
        found = hint_for(question, fn, time_limit=0.5 if hint == "time" else 10.0)
        slowest[question] = max(slowest.get(question, 0), time.perf_counter() - start)
        confusion[question, hint, found] += 1
    print(f"{'question':16}{'meant':20}{'said':20}{'answers':>8}")
    for (question, hint, found), n in confusion.items():
        print(
            f"{question:16}{hint or 'right':20}{found or 'right':20}{n:8}{'' if hint == found else '   <-- not meant'}"
        )
    agree = sum(n for (_, hint, found), n in confusion.items() if hint == found)
    print(f"\n{len(WRONG)} wrong answers, {len(RIGHT)} right ones: {agree} of {len(WRONG) + len(RIGHT)} as meant")
    print("slowest check, s: " + ", ".join(f"{question} {seconds:.2f}" for question, seconds in slowest.items()))


if __name__ == "__main__":
    main()

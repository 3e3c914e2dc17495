"""How long the book's builds take, in a copy of this checkout: `python -m tests.benchmarks.build` (`--help` for more).

The cold build starts with nothing but the installed packages. The unchanged build repeats it. The third build follows a
new sentence in both editions of one chapter. With `--busy` there is only the cold build, next to processes that keep
cores busy.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from tests.benchmarks import make_parser
from tests.conftest import ROOT

COMMAND = [str(Path(sysconfig.get_path("scripts"), "jupyter-book")), "build", ".", "-W", "-n", "--keep-going"]
CHAPTER = {"en": "This sentence was not here before.", "zh": "这句话以前没有。"}


def copy_checkout(folder):
    """Copy all files that git tracks or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, encoding="utf-8").stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)


def cpu_seconds():
    """Processor time of all processes that have ended, on systems that count it."""
    times = os.times()
    return times.children_user + times.children_system


def build(folder, name, goal):
    """Print the times of one build, next to the seconds that it should take on two idle cores."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    done = subprocess.run(
        COMMAND, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace"
    )
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    if done.returncode:
        sys.exit(f"{done.stdout[-5000:]}\n{name}: the build failed")
    print(f"{name:24s}{wall:8.1f}{cpu:8.1f}{goal:8d}", flush=True)
    return re.findall(r"executed (\S+) in ([\d.]+) s", done.stdout)


@contextlib.contextmanager
def busy(count):
    """Run the body next to processes that would each keep a core busy."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def add_sentence(folder, chapter):
    for edition, sentence in CHAPTER.items():
        page = folder / f"book/{edition}/{chapter}.md"
        # below the first heading: a label belongs directly above it
        above, heading, below = re.split(r"(\n## .*\n)", page.read_text("utf-8"), maxsplit=1)
        page.write_text(f"{above}{heading}\n{sentence}\n{below}", "utf-8")


def main():
    parser = make_parser("tests.benchmarks.build", __doc__)
    parser.add_argument(
        "--busy", type=int, nargs="?", const=4, default=0, metavar="N", help="next to N busy processes (4)"
    )
    parser.add_argument("--chapter", default="npo", help="the chapter that gets another sentence (npo)")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "")
    print(f"{'seconds':24s}{'wall':>8s}{'CPU':>8s}{'goal':>8s}")
    with tempfile.TemporaryDirectory() as folder, busy(options.busy):
        copy_checkout(Path(folder))
        if options.busy:
            chapters = build(folder, f"cold, {options.busy} others", 300)
        else:
            chapters = build(folder, "cold", 150)
            build(folder, "unchanged", 10)
            add_sentence(Path(folder), options.chapter)
            build(folder, f"{options.chapter} changed", 25)
    for name, seconds in sorted(chapters, key=lambda row: -float(row[1])):
        print(f"  {name:22s}{float(seconds):8.1f}")


if __name__ == "__main__":
    main()

"""Small wrong changes of some files, "mutants": how many of them the tests of the package notice.

`.ci/mutants` makes them and runs `python -m tests.mutants MUTANTS`, where each line of the file MUTANTS is a mutant in
JSON: its path and line, and all the text that its file then has. A mutant is one fork of this process, which has the
libraries loaded, and reads that text instead of the file's; nothing on the disk changes.
"""

import argparse
import ast
import difflib
import gc
import importlib
import json
import os
import pickle
import resource
import signal
import sys
import tempfile
import time
import tomllib
import traceback
from collections import Counter, defaultdict
from importlib.machinery import SourceFileLoader
from pathlib import Path

import numba
import pytest

ROOT = Path(__file__).parent.parent
# which tests there are for the files whose paths begin so
TESTS = {
    "npo_tutorial/losses.py": ["npo_tutorial/losses.py", "tests/test_losses.py"],
    "npo_tutorial/logistic/": ["npo_tutorial/logistic", *sorted(map(str, Path("tests").glob("test_logistic_*.py")))],
}
AT_LEAST = 95  # percent of the mutants are noticed
JOBS = min(2, os.cpu_count())
# A mutant is noticed as well when it takes as much: of the processor for one test, some times what the slowest one
# takes; of memory; and by the clock for all of its tests, should it sleep.
TEST_SECONDS, BYTES, SECONDS = 20, 8 * 2**30, 1800

# What is slow to import, and no mutant changes. The package itself every mutant imports anew.
LIBRARIES = """array_api_compat array_api_strict hypothesis.strategies jax.numpy matplotlib mpmath pandas
scipy.integrate scipy.special sklearn.datasets sklearn.linear_model sklearn.model_selection sklearn.pipeline
sklearn.tree torch torch._dynamo torch.func tqdm.auto"""


class Plugin:
    """For pytest: the tests of `order` in that order; who called which function of the files `traced`; who failed."""

    def __init__(self, order=None, traced=()):
        self.order, self.traced = order, traced
        self.seconds, self.callers, self.failed = {}, defaultdict(set), []

    def pytest_collection_modifyitems(self, items):
        if self.order is not None:
            rank = {name: k for k, name in enumerate(self.order)}
            items[:] = sorted((item for item in items if item.nodeid in rank), key=lambda item: rank[item.nodeid])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        def profile(frame, event, _):
            if event == "call" and frame.f_code.co_filename in self.traced:
                self.callers[frame.f_code.co_filename, frame.f_code.co_firstlineno].add(item.nodeid)

        spent = time.process_time()
        if not self.traced:
            # the system's limit, for a compiled loop without end hears no exception
            limit(resource.RLIMIT_CPU, int(spent) + TEST_SECONDS)
        sys.setprofile(profile if self.traced else None)
        try:
            return (yield)
        finally:
            sys.setprofile(None)
            self.seconds[item.nodeid] = time.process_time() - spent

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.failed.append(report.nodeid)


def limit(what, soft):
    resource.setrlimit(what, (soft, resource.getrlimit(what)[1]))


def start(log, tests, *options, path=None, text=None, **plugin):
    """Run `tests` in a child, with `text` for the file `path`: the child's number. What it has to tell is in `log`."""
    if child := os.fork():
        return child
    try:
        signal.alarm(SECONDS)
        limit(resource.RLIMIT_CORE, 0)
        limit(resource.RLIMIT_DATA, BYTES)
        output = os.open(f"{log}.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        read = SourceFileLoader.get_code

        def get_code(loader, name):
            is_it = path is not None and loader.path == str(ROOT / path)
            return compile(text, loader.path, "exec", dont_inherit=True) if is_it else read(loader, name)

        SourceFileLoader.get_code = get_code
        plugin = Plugin(**plugin)
        # where pytest rewrites the asserts of a file it reads the file itself
        code = pytest.main(["-q", "-n0", "-p", "no:cacheprovider", "--assert=plain", *options, *tests], [plugin])
        Path(f"{log}.pickle").write_bytes(pickle.dumps((plugin.seconds, dict(plugin.callers), plugin.failed)))
    except BaseException:
        traceback.print_exc()
        code = 99
    os._exit(code)


def told(log):
    return pickle.loads(Path(f"{log}.pickle").read_bytes())


def without_mutant(log, tests, paths):
    """The seconds of each test, and by (file, first line) those that call a function of the files `paths`."""
    child = start(log, tests)
    if os.waitpid(child, 0)[1]:
        sys.exit(f"without a mutant the tests fail:\n{Path(f'{log}.txt').read_text('utf-8')[-3000:]}")
    seconds = told(log)[0]
    # calls of numba's loops are seen where nothing is compiled; whether the tests pass there is no matter
    numba.config.DISABLE_JIT = True
    child = start(log, tests, traced={str(ROOT / path) for path in paths})
    numba.config.DISABLE_JIT = False
    os.waitpid(child, 0)
    return seconds, told(log)[1]


def function_at(path, line):
    """The first line of the innermost function whose body has this line, or None."""
    found = None
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        # decorators and defaults are evaluated outside
        if isinstance(node, ast.FunctionDef) and node.body[0].lineno <= line <= node.end_lineno:
            found = max(found or 0, min(part.lineno for part in (node, *node.decorator_list)))
    return found


def run(mutants, tests, place):
    """Give each mutant the key "noticed": True, False, or "limit" if it ran into one."""
    seconds, callers = without_mutant(place / "none", tests, {mutant["path"] for mutant in mutants})
    print(f"{len(mutants)} mutants for {len(seconds)} tests of {sum(seconds.values()):.0f} s", flush=True)
    noticed, running = defaultdict(Counter), {}

    def finish():
        child, status = os.wait()
        mutant, log = running.pop(child)
        code = os.waitstatus_to_exitcode(status)
        # 2 and 4: the mutant cannot be imported, or ended the run; 3: broke pytest
        if code not in (0, 1, 2, 3, 4) and code >= 0:
            said = Path(f"{log}.txt").read_text("utf-8")
            sys.exit(f"{mutant['path']}:{mutant['line']}: pytest ended with {code}:\n{said}")
        mutant["noticed"] = "limit" if code < 0 else code > 0
        if code == 1:
            for key in mutant["path"], (mutant["path"], mutant["line"]):
                noticed[key].update(told(log)[2])

    for k, mutant in enumerate(mutants):
        path, line = mutant["path"], mutant["line"]
        function = function_at(path, line)
        # what no test calls by itself, as a line outside of functions, may concern all
        concerned = callers.get((str(ROOT / path), function), seconds)
        # first those that noticed another mutant of this line or of this file, then the fast ones
        order = sorted(concerned, key=lambda name: (-noticed[path, line][name], -noticed[path][name], seconds[name]))
        if len(running) == JOBS:
            finish()
        log = place / str(k)
        running[start(log, tests, "-x", path=path, text=mutant["text"], order=order)] = mutant, log
    while running:
        finish()


def report(mutants):
    """Print what was found; whether it is good enough."""
    why = {}
    for path, entries in tomllib.loads((ROOT / "tests/mutants.toml").read_text("utf-8")).items():
        for entry in entries:
            why |= {(path, entry["was"], now): entry["why"] for now in entry["now"]}
    unexplained, seen = 0, set()
    for mutant in mutants:
        if not mutant["noticed"]:
            old = (ROOT / mutant["path"]).read_text("utf-8").splitlines()
            diff = list(difflib.unified_diff(old, mutant["text"].splitlines(), n=0, lineterm=""))[3:]
            change = (mutant["path"], *(line[1:].strip() for line in diff))
            seen.add(change)
            unexplained += change not in why
            print(f"\n{mutant['path']}:{mutant['line']}", *diff, why.get(change, "NOT EXPLAINED"), sep="\n")
    paths = sorted({mutant["path"] for mutant in mutants})
    for change in why.keys() - seen:
        if change[0] in paths:
            print(f"\n{change[0]}: explained in tests/mutants.toml, but noticed or no mutant:\n{change[2]}")

    print(f"\n{'file':<40} mutants  killed (by a limit)  survived  score")
    scores = []
    for name in [*paths, "all"]:
        of_file = [mutant["noticed"] for mutant in mutants if name in ("all", mutant["path"])]
        killed, by_limit = sum(map(bool, of_file)), of_file.count("limit")
        scores.append(100 * killed / len(of_file))
        survived = len(of_file) - killed
        print(f"{name:<40} {len(of_file):>7} {killed:>7} {f'({by_limit})':>12} {survived:>9} {scores[-1]:>5.1f} %")
    print(f"{unexplained} survivors are not explained in tests/mutants.toml")
    return min(scores) >= AT_LEAST and not unexplained


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("mutants", metavar="MUTANTS", help="a file of mutants, as .ci/mutants makes them")
    mutants = [json.loads(line) for line in Path(parser.parse_args().mutants).read_text("utf-8").splitlines()]
    for name in LIBRARIES.split():
        importlib.import_module(name)
    from hypothesis import settings

    settings.register_profile("mutants", max_examples=25, derandomize=True, database=None, deadline=None)
    settings.load_profile("mutants")
    gc.freeze()  # the children share the memory
    with tempfile.TemporaryDirectory() as place:
        for prefix, tests in TESTS.items():
            if of_prefix := [mutant for mutant in mutants if mutant["path"].startswith(prefix)]:
                run(of_prefix, tests, Path(place))
    good = report(mutants)
    sys.stdout.flush()
    os._exit(not good)  # some of the libraries cannot end where they have been imported only


if __name__ == "__main__":
    main()

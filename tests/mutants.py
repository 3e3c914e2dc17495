"""Mutants, which are small wrong changes to some files: how many of them do the tests of the package catch?

`.ci/mutants` makes the mutants and runs `python -m tests.mutants MUTANTS`, where each line of the file MUTANTS is a
mutant in JSON: its path, its line, and the full text of the changed file. Each mutant runs in a fork of this process,
which has the libraries loaded, and reads that text instead of the file; nothing on the disk changes.
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
# the tests for files, by the beginning of their paths
TESTS = {
    "npo_tutorial/losses.py": ["npo_tutorial/losses.py", "tests/test_losses.py"],
    **{
        f"npo_tutorial/language/evaluation/{name}.py": [
            f"npo_tutorial/language/evaluation/{name}.py",
            f"tests/test_language_{name}.py",
        ]
        for name in ("metrics", "verdicts")
    },
    "npo_tutorial/logistic/": ["npo_tutorial/logistic", *sorted(map(str, Path("tests").glob("test_logistic_*.py")))],
}
AT_LEAST = 95  # per cent of the mutants that must be caught
JOBS = min(2, os.cpu_count())
# A mutant also counts as caught if it exceeds a limit: processor time for one test, several times that of the slowest;
# memory; or, in case it sleeps, time by the clock for all of its tests.
TEST_SECONDS, BYTES, SECONDS = 20, 8 * 2**30, 1800

# Slow to import, and changed by no mutant. Each mutant imports the package itself anew.
LIBRARIES = """array_api_compat array_api_strict hypothesis.strategies jax.numpy matplotlib mpmath pandas
scipy.integrate scipy.special sklearn.datasets sklearn.linear_model sklearn.model_selection sklearn.pipeline
sklearn.tree torch torch._dynamo torch.func tqdm.auto"""


class Plugin:
    """For pytest: runs the tests in `order`; records who called which function of `traced`, and who failed."""

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
            # a limit of the system, because an endless compiled loop hears no exception
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
    """Run `tests` in a child, with `text` in place of the file `path`; returns its pid. `log` gets the results."""
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
        # if pytest rewrites the asserts of a file, it reads the file itself
        code = pytest.main(["-q", "-n0", "-p", "no:cacheprovider", "--assert=plain", *options, *tests], [plugin])
        Path(f"{log}.pickle").write_bytes(pickle.dumps((plugin.seconds, dict(plugin.callers), plugin.failed)))
    except BaseException:
        traceback.print_exc()
        code = 99
    os._exit(code)


def told(log):
    return pickle.loads(Path(f"{log}.pickle").read_bytes())


def without_mutant(log, tests, paths):
    """The seconds of each test, and the tests that call each function of the files `paths`, by (file, first line)."""
    child = start(log, tests)
    if os.waitpid(child, 0)[1]:
        sys.exit(f"without a mutant the tests fail:\n{Path(f'{log}.txt').read_text('utf-8')[-3000:]}")
    seconds = told(log)[0]
    # numba's loops are traced uncompiled; whether the tests pass then does not matter
    numba.config.DISABLE_JIT = True
    child = start(log, tests, traced={str(ROOT / path) for path in paths})
    numba.config.DISABLE_JIT = False
    os.waitpid(child, 0)
    return seconds, told(log)[1]


def function_at(path, line):
    """The first line of the innermost function whose body contains this line, or None."""
    found = None
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        # decorators and defaults are evaluated outside the function
        if isinstance(node, ast.FunctionDef) and node.body[0].lineno <= line <= node.end_lineno:
            found = max(found or 0, min(part.lineno for part in (node, *node.decorator_list)))
    return found


def run(mutants, tests, place):
    """Set the key "noticed" of each mutant: True, False, or "limit" if it exceeded one."""
    seconds, callers = without_mutant(place / "none", tests, {mutant["path"] for mutant in mutants})
    print(f"{len(mutants)} mutants for {len(seconds)} tests of {sum(seconds.values()):.0f} s", flush=True)
    noticed, running = defaultdict(Counter), {}

    def finish():
        child, status = os.wait()
        mutant, log = running.pop(child)
        code = os.waitstatus_to_exitcode(status)
        # 2 and 4: the mutant cannot be imported, or ended the run; 3: it broke pytest
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
        # a line outside all functions may concern every test
        concerned = callers.get((str(ROOT / path), function), seconds)
        # first the tests that caught another mutant of this line or of this file, then the fast ones
        order = sorted(concerned, key=lambda name: (-noticed[path, line][name], -noticed[path][name], seconds[name]))
        if len(running) == JOBS:
            finish()
        log = place / str(k)
        running[start(log, tests, "-x", path=path, text=mutant["text"], order=order)] = mutant, log
    while running:
        finish()


def report(mutants):
    """Print the results; returns whether they are good enough."""
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
            print(f"\n{change[0]}: explained in tests/mutants.toml, but caught or not a mutant:\n{change[2]}")

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
    parser.add_argument("mutants", metavar="MUTANTS", help="a file of mutants, from .ci/mutants")
    mutants = [json.loads(line) for line in Path(parser.parse_args().mutants).read_text("utf-8").splitlines()]
    for name in LIBRARIES.split():
        importlib.import_module(name)
    from hypothesis import settings

    settings.register_profile("mutants", max_examples=25, derandomize=True, database=None, deadline=None)
    settings.load_profile("mutants")
    gc.freeze()  # the children share this memory
    with tempfile.TemporaryDirectory() as place:
        for prefix, tests in TESTS.items():
            if of_prefix := [mutant for mutant in mutants if mutant["path"].startswith(prefix)]:
                run(of_prefix, tests, Path(place))
    good = report(mutants)
    sys.stdout.flush()
    os._exit(not good)  # some libraries hang at exit if they were imported but not used


if __name__ == "__main__":
    main()

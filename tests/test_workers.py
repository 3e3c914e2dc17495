"""How tests run, as set in tests/conftest.py: in parallel, without the nightly ones, and under CI none is skipped."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tests.conftest import ROOT, pytest_xdist_auto_num_workers

CONFTEST = """
import time
import pytest
from tests.conftest import *

@pytest.fixture(scope="session")
def made(tmp_path_factory):
    def make():
        with open("made.txt", "a") as file:
            file.write("made ")
        time.sleep(0.3)
        return ["it"]
    return once(tmp_path_factory, "thing", make)
"""
TESTS = """
import pytest
@pytest.mark.parametrize("i", range(6))
def test_it(made, i):
    assert made == ["it"]
@pytest.mark.nightly
@pytest.mark.parametrize("i", range(2))
def test_slow(i):
    pass
def test_of_something_that_is_not_there():
    pytest.skip("no such thing here")
@pytest.mark.skipif(True, reason="not wanted")
def test_of_something_that_is_not_wanted():
    pass
"""

GROUPED = """
import os
import pytest
@pytest.mark.xdist_group("a thing")
@pytest.mark.parametrize("i", range(12))
def test_it(i):
    with open("workers.txt", "a") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"] + "\\n")
"""


@pytest.fixture
def run(tmp_path):
    """A function: options of pytest → what it prints about a small folder of tests."""
    (tmp_path / "conftest.py").write_text(CONFTEST, "utf-8")
    (tmp_path / "test_small.py").write_text(TESTS, "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = nightly\n", "utf-8")
    # a run inside a run is not a worker of the outer one
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_") and name != "CI"}

    def run(*options, **environment):
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--basetemp", tmp_path / "base", *options]
        environment = own | {"PYTHONPATH": str(ROOT)} | environment
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8").stdout

    return run


def test_shared_things_are_made_once_a_group_stays_with_one_worker_and_slow_tests_are_left_and_counted(run, tmp_path):
    (tmp_path / "test_grouped.py").write_text(GROUPED, "utf-8")
    said = run("-n", "3", "--dist", "loadgroup")
    assert "18 passed, 2 skipped" in said
    assert "2 slow tests are left to .ci/nightly" in said
    assert (tmp_path / "made.txt").read_text("utf-8") == "made "
    assert len(set((tmp_path / "workers.txt").read_text("utf-8").split())) == 1


def test_the_nightly_run_has_the_rest(run):
    said = run("-n", "2", "-m", "nightly")
    assert "2 passed" in said and "left to" not in said


def test_ci_does_not_skip_what_is_missing(run):
    said = run("-n", "0", CI="true")
    assert "1 failed, 6 passed, 1 skipped, 2 deselected" in said and "2 slow tests are left" in said
    assert "CI must run every test, but this one says: Skipped: no such thing here" in said


def test_named_files_run_in_this_process_and_folders_on_several_workers():
    for arguments, workers in [
        (["tests", "npo_tutorial"], 3),
        (["tests/test_data.py"], 0),
        (["tests/x.py::test_y"], 0),
    ]:
        config = SimpleNamespace(args=[str(ROOT / argument) for argument in arguments])
        assert pytest_xdist_auto_num_workers(config) == workers

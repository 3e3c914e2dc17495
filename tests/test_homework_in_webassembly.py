"""The checks in WebAssembly, as in a page that runs Python: no threads, no PyTorch, and of our dependencies only NumPy.

Pyodide and NumPy are those of the pages, fetched as there (`book/in_page/fetch.py`).
"""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import array_api_compat
import pytest

from tests.homework_answers import RIGHT, WRONG, with_numpy
from tests.project import ROOT

sys.path.insert(0, str(ROOT / "book/in_page"))

from fetch import core, wheels

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


@pytest.fixture(scope="module")
def pyodide():
    files = ROOT / "_build/pyodide"
    files.mkdir(parents=True, exist_ok=True)
    return core(files)


@pytest.fixture(scope="module")
def folder(pyodide, tmp_path_factory):
    """What Python imports there."""
    folder = tmp_path_factory.mktemp("packages")
    zipfile.ZipFile(wheels(pyodide.parent, pyodide)["numpy"]).extractall(folder)
    shutil.copytree(Path(array_api_compat.__file__).parent, folder / "array_api_compat")
    shutil.copytree(ROOT / "npo_tutorial", folder / "npo_tutorial")
    shutil.copytree(ROOT / "tests/homework_answers", folder / "tests/homework_answers")
    return folder


@pytest.mark.nightly
def test_checks_say_the_same_in_webassembly(pyodide, folder):
    assert with_numpy
    command = ["node", ROOT / "tests/pyodide.mjs", pyodide, folder, PROGRAM]
    ran = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=600)
    assert not ran.returncode, ran.stderr[-1000:]
    said = json.loads(ran.stdout.splitlines()[-1])
    assert said["thread"] == "can't start new thread", "Python has threads there by now: this test needs another host"
    assert said["loaded"] == ["numpy"], "the checks of the first two assignments need NumPy only"
    questions = {question for question, *_ in said["answers"]}
    assert questions == {question for question, *_ in [*WRONG, *RIGHT]} - {"sequence_logp", "npo_step"}
    others = [answer for answer in said["answers"] if answer[1] != answer[2]]
    # an array of 10¹² numbers, which 32 bits cannot count
    others.remove(["ga_loss", "not-numbers", "raised"])
    assert not others, f"question, hint that is meant, hint that is given: {others}"

"""Every cell of the book, run in its page, prints what the book prints; every answer to the homework gets its hint.

Both editions have the same cells (tests/book/test_editions.py), so one is run in each browser.
"""

import json

import pytest

from tests.benchmarks.in_page import MARKS, key_of, run_cells
from tests.browser.visit import DESKTOP, Visit
from tests.conftest import ROOT
from tests.homework_answers import RIGHT, WRONG, with_numpy

pytestmark = [pytest.mark.nightly, pytest.mark.xdist_group("in_page")]
PAGES = [path.stem for path in sorted((ROOT / "book/en").glob("*.md")) if "{code-cell}" in path.read_text("utf-8")]
# first line of a cell → why its text is another one in a page
DIFFERENCES = {}
TASK = """(task) => new Promise((resolve, reject) => {
  const said = [];
  window.python ??= new Worker("../../python/worker.js");
  python.onmessage = ({ data }) => {
    if (data.kind === "done") resolve(said.join(""));
    else if (data.kind === "failed") reject(new Error(data.text));
    else if (data.text) said.push(data.text);
  };
  python.postMessage(task);
})"""
MODULE = """
import sys, types
for name, source in {modules!r}.items():
    sys.modules[name] = module = types.ModuleType(name)
    module.__path__ = []
    exec(compile(source, name, "exec"), module.__dict__)
"""
ANSWERS = """
import json
from tests.homework_answers import RIGHT, WRONG, hint_for
answers = [entry for entry in [*WRONG, *((question, "", fn) for question, fn in RIGHT)] if entry[1] != "time"]
print(json.dumps([[question, hint, hint_for(question, fn)] for question, hint, fn in answers]))
"""


def in_order(browser):
    """The pages, the longest one last and in a group of its own: beside other work it takes ten times as long."""
    marks = [pytest.mark.last, pytest.mark.xdist_group(browser)]
    return [pytest.param(name, marks=marks) if name == "synthetic" else name for name in PAGES]


def faults(evaluate):
    """What is wrong with the cells of an open page: errors, and texts that differ without a reason."""
    for _, error, is_same, cell in run_cells(evaluate):
        first = cell["code"].splitlines()[0]
        if error:
            yield f"{first}: {error}"
        elif is_same == (first in DIFFERENCES):
            yield f"{first}: {cell['said']!r}, recorded {cell['recorded']!r}"


@pytest.mark.parametrize("name", in_order("chromium"))
def test_every_english_cell_in_chromium(browser, python_server, name):
    with Visit(browser, python_server, **DESKTOP) as visit:
        page = visit.open(f"{python_server}book/en/{name}.html")
        assert list(faults(page.evaluate)) == []


@pytest.mark.parametrize("name", in_order("firefox"))
def test_every_chinese_cell_in_firefox(firefox, python_server, name):
    firefox.open(f"{python_server}book/zh/{name}.html")
    assert list(faults(firefox.evaluate)) == []
    assert not firefox.complaints()


def test_marked_cells_need_what_their_marks_say(browser, python_server):
    marks = json.loads(MARKS.read_text("utf-8"))
    for name in sorted({mark["page"] for mark in marks.values() if "needs" in mark}):
        with Visit(browser, python_server, **DESKTOP) as visit:
            page = visit.open(f"{python_server}book/en/{name}.html")
            failed = {key_of(cell["code"]) for _, error, _, cell in run_cells(page.evaluate, marked=True) if error}
        assert failed == {key for key, mark in marks.items() if mark["page"] == name and "needs" in mark}, name


def modules():
    folder = ROOT / "tests/homework_answers"
    names = {"tests": "", "tests.homework_answers": (folder / "__init__.py").read_text("utf-8")}
    return names | {"tests.homework_answers.with_numpy": (folder / "with_numpy.py").read_text("utf-8")}


@pytest.mark.parametrize("engine", ["browser", "firefox"])
def test_every_answer_to_the_homework_gets_the_hint_that_is_meant(request, python_server, engine):
    assert with_numpy
    address, driver = f"{python_server}book/en/homework-losses.html", request.getfixturevalue(engine)
    tasks = [
        {"task": "start", "folder": f"{python_server}python/", "version": "", "language": "en"},
        {"task": "run", "cell": "<answers>", "code": MODULE.format(modules=modules()) + ANSWERS},
    ]
    if engine == "browser":
        with Visit(driver, python_server, **DESKTOP) as visit:
            page = visit.open(address)
            said = [page.evaluate(TASK, task) for task in tasks][-1]
    else:
        driver.open(address)
        said = [driver.evaluate(f"({TASK})({json.dumps(task)})") for task in tasks][-1]
    answers = json.loads(said)
    assert {question for question, *_ in answers} == {name for name, *_ in [*WRONG, *RIGHT]} - {
        "sequence_logp",
        "npo_step",
    }
    others = [answer for answer in answers if answer[1] != answer[2]]
    # an array of 10¹² numbers, which 32 bits cannot count
    others.remove(["ga_loss", "not-numbers", "raised"])
    assert not others, f"question, hint that is meant, hint that is given: {others}"

"""Python in the page: cells run, demos move, homework is checked, and nothing is loaded before a reader asks for it."""

import gzip
import json
import re

import pytest

from npo_tutorial.homework.assignments import Question, read_assignment
from tests.benchmarks.in_page import run_cells
from tests.browser.visit import DESKTOP, PHONE, Visit
from tests.conftest import ROOT

# they fetch and pack Pyodide once, in one process
pytestmark = [pytest.mark.nightly, pytest.mark.xdist_group("in_page")]
WORDS = json.loads((ROOT / "book/in_page/static/words.json").read_text("utf-8"))
STATIC = ROOT / "book/in_page/static"
FIRST_TEXT, FIRST_PLOT, OWN_SCRIPT = 10e6, 16e6, 25e3


def press(page, place, name):
    """Press the first button of a cell or question, and wait until it is ready again."""
    button = place.locator(".run-bar button").first
    button.click()
    ready = "([button, name]) => button.textContent === name"
    page.wait_for_function(ready, arg=[button.element_handle(), name], timeout=180_000)
    return place.locator(".run-status").inner_text()


def test_every_cell_of_a_chapter_prints_what_the_book_prints(browser, python_server):
    with Visit(browser, python_server, **DESKTOP) as visit:
        page = visit.open(f"{python_server}book/en/npo.html")
        found = list(run_cells(page))
        assert len(found) > 5 and all(is_same for *_, is_same in found), found
        assert [index for index, _, error, _ in found if error] == [2], "only the cell with PyTorch cannot run"
        assert page.locator(".live .run-figure svg").count() == 1
        # the demo moves
        page.locator(".live .npo-explorer input[type=range]").first.focus()
        before = page.locator(".live .npo-explorer").inner_text()
        page.keyboard.press("ArrowRight")
        assert page.locator(".live .npo-explorer").inner_text() != before


def test_nothing_is_loaded_before_the_first_press_and_budgets_are_kept(browser, python_server, python_site):
    listing = json.loads((python_site / "python/parts.json").read_text("utf-8"))
    core = sum(file["bytes"] for file in listing["core"].values())
    size = {name: part["bytes"] for name, part in listing["parts"].items()}
    assert core + size["numpy"] + size["npo-tutorial"] <= FIRST_TEXT
    assert core + size["numpy"] + size["npo-tutorial"] + size["matplotlib"] <= FIRST_PLOT
    own = b"".join(path.read_bytes() for path in sorted(STATIC.iterdir()))
    assert len(gzip.compress(own)) <= OWN_SCRIPT
    with Visit(browser, python_server, **PHONE) as visit:
        asked = []
        visit.page.on("request", lambda request: asked.append(request.url))
        page = visit.open(f"{python_server}book/zh/npo.html")
        page.wait_for_selector(".run-bar")
        assert not [url for url in asked if re.search(r"pyodide|\.zip|parts\.json", url)]
        for button in page.locator(".run-bar button:visible").all():
            assert button.bounding_box()["height"] >= 44


@pytest.mark.parametrize("edition", ["en", "zh"])
def test_an_assignment_is_done_in_the_page(browser, python_server, edition):
    say = WORDS[edition]
    questions = [part for part in read_assignment(ROOT / "book/homework/losses.md") if isinstance(part, Question)]
    with Visit(browser, python_server, **PHONE) as visit:
        page = visit.open(f"{python_server}book/{edition}/homework-losses.html")
        places = page.locator(".cell[data-check]")
        assert places.count() == len(questions)
        first = places.first
        first.locator("textarea").fill("def ga_loss(logp):\n    return -np.mean(logp)\n")
        assert press(page, first, say["check"]) == say["wrong"]
        mistake = first.locator("[data-kind=mistake]").inner_text()
        assert mistake.startswith("ga_loss: " + {"en": "", "zh": "符号"}[edition]), mistake
        assert not first.locator(".run-solution").count()
        for place, question in zip(places.all(), questions, strict=True):
            place.locator("textarea").fill(question.answer)
            assert press(page, place, say["check"]) == say["right"], question.name
            assert place.locator(".run-solution").count() == 1
        # what was typed is there again after a reload
        page.reload()
        page.wait_for_selector(".run-bar")
        assert page.locator(".cell[data-check] textarea").first.input_value() == questions[0].answer


def test_an_endless_loop_is_stopped_and_what_was_typed_stays(browser, python_server):
    with Visit(browser, python_server, **DESKTOP) as visit:
        page = visit.open(f"{python_server}book/en/homework-losses.html")
        place, text = page.locator(".cell[data-check]").first, "def ga_loss(logp):\n    while True:\n        pass\n"
        place.locator("textarea").fill(text)
        assert press(page, place, WORDS["en"]["check"]) == WORDS["en"]["slow_check"]
        assert place.locator("textarea").input_value() == text
        # and Python starts again
        place.locator("textarea").fill("def ga_loss(logp):\n    return np.mean(logp)\n")
        assert press(page, place, WORDS["en"]["check"]) == WORDS["en"]["right"]


def test_a_traceback_has_the_readers_own_lines_and_reset_brings_the_recorded_output_back(browser, python_server):
    with Visit(browser, python_server, **DESKTOP) as visit:
        page = visit.open(f"{python_server}book/en/npo.html")
        place = page.locator("article .cell:has(.run-bar)").first
        recorded = place.locator(".cell_output:not(.live)")
        said = recorded.inner_text()
        place.locator(".run-bar button").nth(1).click()
        area = place.locator("textarea")
        area.fill("")
        # a line that ends with a colon indents the next one
        area.press_sequentially("def f(u):\nreturn 1 / u\n")
        area.press("Backspace")
        area.press_sequentially("f(0)")
        assert "    return 1 / u" in area.input_value()
        area.fill("def f(u):\n    return 1 / u\nf(0)")
        assert press(page, place, "Run") == WORDS["en"]["raised"]
        error = place.locator("[data-kind=error]").inner_text()
        assert error.splitlines()[-1] == "ZeroDivisionError: division by zero"
        assert re.findall(r'File "([^"]+)", line (\d+)', error) == [("<cell 1>", "3"), ("<cell 1>", "2")], error
        assert not recorded.is_visible()
        place.locator(".run-bar button").nth(2).click()
        assert recorded.is_visible() and recorded.inner_text() == said and not area.count()

"""Python in the page: cells run, demos move, homework is checked, and nothing is loaded before a reader asks for it."""

import gzip
import json
import re
import time
from collections import Counter

import nbformat
import pytest

from npo_tutorial.homework.assignments import Question, read_assignment
from tests.benchmarks.in_page import MARKS, run_cells
from tests.browser.axe import SHORTEN, opened, violations
from tests.browser.visit import DESKTOP, PHONE, SMALL_PHONE, Visit, too_wide
from tests.browser.weight import too_heavy
from tests.conftest import ROOT

# one worker makes the pages while the others go on
pytestmark = pytest.mark.xdist_group("in_page")
WORDS = json.loads((ROOT / "book/in_page/static/words.json").read_text("utf-8"))
STATIC = ROOT / "book/in_page/static"
FIRST_TEXT, FIRST_PLOT, OWN_SCRIPT = 10e6, 16e6, 25e3
# seconds that an answer to the homework may take
LIMIT = 10
LOSSES, DYNAMICS = (
    [part for part in read_assignment(ROOT / f"book/homework/{name}.md") if isinstance(part, Question)]
    for name in ("losses", "dynamics")
)
# how the sentence begins that is shown once
FIRST_RUN = WORDS["en"]["before"].partition("{")[0]
ENDLESS = "while True:\n    pass\n"


def press(page, place, name):
    """Press the first button of a cell or question, and wait until it is ready again."""
    button = place.locator(".run-bar button").first
    button.click()
    ready = "([button, name]) => button.textContent === name"
    page.wait_for_function(ready, arg=[button.element_handle(), name], timeout=180_000)
    return place.locator(".run-status").inner_text()


def button(place, name):
    return place.locator(".run-bar button").get_by_text(name, exact=True)


def cell(page, number=0):
    return page.locator("article .cell:has(.run-bar)").nth(number)


def write(place, code):
    """Put code into a cell's field, which Edit opens."""
    if not place.locator("textarea").count():
        button(place, WORDS["en"]["edit"]).click()
    place.locator("textarea").fill(code)


def test_every_cell_of_a_chapter_prints_what_the_book_prints(browser, python_server):
    with Visit(browser, python_server, **DESKTOP) as visit:
        page = visit.open(f"{python_server}book/en/npo.html")
        found = list(run_cells(page.evaluate))
        assert len(found) > 5
        wrong = [(error, cell) for _, error, is_same, cell in found if error or not is_same]
        assert not wrong, wrong
        # the drawing that the book made has its place and its words
        drawn = page.locator("figure .run-figure img")
        assert drawn.count() and all(image.get_attribute("alt") for image in drawn.all())
        # the demo moves
        page.locator(".live .npo-explorer input[type=range]").first.focus()
        before = page.locator(".live .npo-explorer").inner_text()
        page.keyboard.press("ArrowRight")
        assert page.locator(".live .npo-explorer").inner_text() != before
        # the cell with PyTorch says so, and offers the notebook
        needing = page.locator(".cell:has([data-mark]) > .run-bar")
        assert needing.count() == 1 and needing.locator("button").first.is_disabled()
        assert WORDS["en"]["torch"] in needing.inner_text()
        assert needing.locator("a").get_attribute("href").endswith("npo.ipynb")
        assert not visit.complaints


def test_nothing_is_loaded_before_the_first_press_and_budgets_are_kept(browser, python_server, python_site):
    listing = json.loads((python_site / "python/parts.json").read_text("utf-8"))
    core = sum(file["bytes"] for file in listing["core"].values())
    size = {name: part["bytes"] for name, part in listing["parts"].items()}
    assert core + size["numpy"] + size["npo-tutorial"] <= FIRST_TEXT
    assert core + size["numpy"] + size["npo-tutorial"] + size["matplotlib"] <= FIRST_PLOT
    own = b"".join(path.read_bytes() for path in sorted(STATIC.iterdir()))
    assert len(gzip.compress(own, mtime=0)) <= OWN_SCRIPT
    with Visit(browser, python_server, **PHONE) as visit:
        asked = []
        visit.page.on("request", lambda request: asked.append(request.url))
        page = visit.open(f"{python_server}book/zh/npo.html")
        page.wait_for_selector(".run-bar")
        assert not [url for url in asked if re.search(r"pyodide|\.zip|parts\.json", url)]
        for button in page.locator(".run-bar button:visible").all():
            assert button.bounding_box()["height"] >= 44


# test_pages weighs every page before this script and that of the offline copies are added, which readers get as well
@pytest.mark.parametrize("name", ["zh/index", "en/npo", "zh/divergence", "en/language-model"])
def test_a_page_with_python_is_as_light_as_one_without(browser, python_server, python_site, name):
    with Visit(browser, python_server, **PHONE) as visit:
        page = visit.open(f"{python_server}book/{name}.html")
        assert page.locator("script[src*='python/']").count(), "nothing was added to this page: weigh another one"
        found = list(too_heavy(page, python_server, python_site))
        assert not found, f"book/{name}.html must load no more than tests/browser/weight.py allows, got {found}"


@pytest.mark.parametrize("edition", ["en", pytest.param("zh", marks=pytest.mark.nightly)])
def test_an_assignment_is_done_in_the_page(browser, python_server, edition):
    say = WORDS[edition]
    with Visit(browser, python_server, **PHONE) as visit:
        page = visit.open(f"{python_server}book/{edition}/homework-losses.html")
        places = page.locator(".cell[data-check]")
        assert places.count() == len(LOSSES)
        first = places.first
        for code in ("-np.mean(logp)", "-np.mean(logp)  ", "np.sum(logp)", "np.max(logp)"):
            assert not first.locator(".run-solution").count(), "three different attempts, and not only spaces"
            first.locator("textarea").fill(f"def ga_loss(logp):\n    return {code}\n")
            assert press(page, first, say["check"]) == say["wrong"]
            mistake = first.locator("[data-kind=mistake]").inner_text()
            assert mistake.startswith("ga_loss: "), mistake
            assert ("符号" in mistake) == (edition == "zh" and "-" in code), mistake
        assert first.locator(".run-solution").count() == 1 and first.locator(".run-explanation").count() == 1
        for place, question in zip(places.all(), LOSSES, strict=True):
            place.locator("textarea").fill(question.answer)
            assert press(page, place, say["check"]) == say["right"], question.name
            assert place.locator(".run-solution").count() == 1
        # what was typed is there again after a reload, and in the notebook
        page.reload()
        page.wait_for_selector(".run-bar")
        assert page.locator(".cell[data-check] textarea").first.input_value() == LOSSES[0].answer
        with page.expect_download() as download:
            page.locator(".run-foot button").click()
        notebook = nbformat.read(download.value.path(), as_version=4)
        nbformat.validate(notebook)
        assert download.value.suggested_filename == "losses.ipynb"
        sources = [cell.source for cell in notebook.cells]
        assert all(question.answer in sources and question.check in sources for question in LOSSES)
        assert not visit.complaints


@pytest.mark.nightly
def test_an_endless_loop_is_stopped_and_what_was_typed_stays(browser, python_server):
    with Visit(browser, python_server, service_workers="block", **DESKTOP) as visit:
        page = visit.open(f"{python_server}book/en/homework-losses.html")
        place = page.locator(".cell[data-check]").first
        # in the answer itself, also if it prints, and in the function that the check calls
        printing = "import time\nwhile True:\n    print(1)\n    time.sleep(1)\n"
        for code in (ENDLESS, printing, f"def ga_loss(logp):\n    {ENDLESS.replace('    ', '        ')}"):
            place.locator("textarea").fill(code)
            stopped = WORDS["en"]["slow_check"].format(seconds=LIMIT)
            assert press(page, place, WORDS["en"]["check"]) == stopped
            assert place.locator("textarea").input_value() == code
        # and Python starts again, however long that takes
        page.context.route("**/python_stdlib.zip*", lambda route: (time.sleep(LIMIT + 1), route.continue_()))
        place.locator("textarea").fill("def ga_loss(logp):\n    return np.mean(logp)\n")
        assert press(page, place, WORDS["en"]["check"]) == WORDS["en"]["right"]


@pytest.mark.nightly
def test_a_cell_is_stopped_and_runs_again(browser, python_server):
    say = WORDS["en"]
    with Visit(browser, python_server, **DESKTOP) as visit:
        page = visit.open(f"{python_server}book/en/npo.html")
        place = cell(page, 1)
        # while Python loads, while a cell above runs, and while the cell itself runs
        for number, until in ((1, say["starting"]), (0, say["above"]), (1, say["running"])):
            write(cell(page, number), ENDLESS if until != say["starting"] else "1\n")
            run = place.locator(".run-bar button").first
            run.click()
            begin = until.partition("{")[0]
            page.wait_for_function(
                "([place, text]) => place.querySelector('.run-status').textContent.startsWith(text)",
                arg=[place.element_handle(), begin],
                timeout=60_000,
            )
            assert run.inner_text() == say["stop"]
            run.click()
            assert place.locator(".run-status").inner_text() == say["stopped"]
            if number == 0:
                button(cell(page, 0), say["reset"]).click()
        assert place.locator("textarea").input_value() == ENDLESS
        write(place, "import time\ntime.sleep(1)\n6 * 7")
        place.locator(".run-bar button").first.click()
        assert not page.get_by_text(FIRST_RUN).count(), "Python starts again, but it is there"
        page.wait_for_function("place => place.querySelector('.live pre')", arg=place.element_handle())
        assert place.locator(".live .run-text").inner_text().strip() == "42"
        assert not visit.complaints


@pytest.mark.nightly
@pytest.mark.parametrize("edition", ["en", "zh"])
def test_how_much_and_how_long_is_said_at_the_beginning(browser, python_server, edition):
    say, marks = WORDS[edition], json.loads(MARKS.read_text("utf-8")).values()
    minutes = round(sum(mark.get("seconds", 0) for mark in marks if mark["page"] == "synthetic") / 60)
    assert minutes > 1
    with Visit(browser, python_server, service_workers="block", **DESKTOP) as visit:
        page = visit.open(f"{python_server}book/{edition}/synthetic.html")
        page.evaluate("document.querySelectorAll('article details').forEach((fold) => (fold.open = true))")
        # the last one that is slow: all others are above it
        place = page.locator("article .cell:has(> .cell_input[data-mark*=seconds])").last
        place.locator(".run-bar button").first.click()
        counted = "place => place.querySelector('.run-loaded').textContent"
        counted = page.wait_for_function(counted, arg=place.element_handle()).json_value()
        announced = re.search(r"(\d+) MB", place.locator(".run-note").inner_text())[1]
        assert float(re.findall(r"[\d.]+", counted)[1]) >= int(announced), "more is said than is counted"
        status = place.locator(".run-status")
        page.wait_for_function(
            "([status, start]) => status.textContent.startsWith(start)",
            arg=[status.element_handle(), say["above"].partition("{")[0]],
            timeout=60_000,
        )
        assert status.inner_text().endswith(say["in_all"].format(minutes=minutes))
        place.locator(".run-bar button").first.click()
        assert status.inner_text() == say["stopped"]


def test_an_editor_opens_at_its_beginning_and_chinese_sentences_have_no_gap(browser, python_server):
    with Visit(browser, python_server, **PHONE) as visit:
        page = visit.open(f"{python_server}book/zh/npo.html")
        button(cell(page), WORDS["zh"]["edit"]).click()
        place = "area => [area === document.activeElement, area.selectionStart, area.scrollLeft, area.scrollTop]"
        assert cell(page).locator("textarea").evaluate(place) == [True, 0, 0, 0]
        said = page.locator(".run-status").all_text_contents()
        assert any(said) and not [text for text in said if "。 " in text]


@pytest.mark.nightly
@pytest.mark.parametrize("screen", [DESKTOP, PHONE])
def test_an_output_stands_where_the_recorded_one_stood(browser, python_server, screen):
    with Visit(browser, python_server, **screen) as visit:
        page = visit.open(f"{python_server}book/en/npo.html")
        # from the place's edge to the first letter
        left = """(pre) => {
          const range = document.createRange();
          range.selectNodeContents(pre);
          return [pre.getBoundingClientRect().left, range.getBoundingClientRect().left];
        }"""
        recorded = cell(page).locator(".cell_output:not(.live) pre").evaluate(left)
        press(page, cell(page), WORDS["en"]["run"])
        assert cell(page).locator(".live pre").evaluate(left) == recorded


@pytest.mark.nightly
def test_a_traceback_has_the_readers_own_lines_and_reset_brings_the_recorded_output_back(browser, python_server):
    with Visit(browser, python_server, **DESKTOP) as visit:
        page = visit.open(f"{python_server}book/en/npo.html")
        place = cell(page)
        recorded = place.locator(".cell_output:not(.live)")
        said = recorded.inner_text()
        write(place, "")
        area = place.locator("textarea")
        # a line that ends with a colon indents the next one
        area.press_sequentially("def f(u):\nreturn 1 / u\n")
        area.press("Backspace")
        area.press_sequentially("f(0)")
        assert area.input_value() == "def f(u):\n    return 1 / u\nf(0)"
        # Tab indents, Shift-Tab takes it back, both can be undone, and after Esc it leaves the field
        area.press("Home")
        area.press("Tab")
        assert area.input_value().endswith("\n    f(0)")
        area.press("Shift+Tab")
        assert area.input_value().endswith("\nf(0)")
        area.press("Control+z")
        assert area.input_value().endswith("\n    f(0)")
        area.press("Control+Shift+z")
        assert area.input_value().endswith("\nf(0)")
        area.press("Escape")
        area.press("Tab")
        assert page.evaluate("document.activeElement.tagName") == "BUTTON"
        area.focus()
        area.press("Control+Enter")
        page.wait_for_function(
            "(place) => place.querySelector('[data-kind=error]')", arg=place.element_handle(), timeout=60_000
        )
        error = place.locator("[data-kind=error]").inner_text()
        assert error.splitlines()[-1] == "ZeroDivisionError: division by zero"
        assert re.findall(r'File "([^"]+)", line (\d+)', error) == [("<cell 1>", "3"), ("<cell 1>", "2")], error
        assert not recorded.is_visible()
        # who does not see it hears it
        assert "ZeroDivisionError" in page.locator(".run-voice").text_content()
        write(place, "1 +")
        press(page, place, WORDS["en"]["run"])
        assert place.locator("[data-kind=error]").inner_text().strip().endswith("SyntaxError: invalid syntax")
        button(place, WORDS["en"]["reset"]).click()
        assert recorded.is_visible() and recorded.inner_text() == said and not area.count()


@pytest.mark.nightly
def test_edits_are_kept_and_a_changed_cell_keeps_both(browser, python_server):
    say, name = WORDS["en"], "book/en/npo.html"
    with Visit(browser, python_server, **DESKTOP) as visit:
        page = visit.open(f"{python_server}{name}")
        write(cell(page), "u = 'mine'")
        # an answer below an exercise stands by itself
        answer = page.locator(".cell[data-alone]")
        answer.locator("textarea").fill("import numpy as np\n\n\n" + LOSSES[2].answer)
        assert press(page, answer, say["check"]) == say["right"]
        assert not cell(page).locator(".live > *").count(), "no cell above has run"
        write(cell(page, 1), "'npo_loss' in globals()")
        press(page, cell(page, 1), say["run"])
        assert cell(page, 1).locator(".live .run-text").inner_text().strip() == "False"
        page.reload()
        page.wait_for_selector(".run-bar")
        assert cell(page).locator("textarea").input_value() == "u = 'mine'"
        with page.expect_download() as download:
            page.locator(".run-foot button").click()
        notebook = nbformat.read(download.value.path(), as_version=4)
        nbformat.validate(notebook)
        sources = [cell.source for cell in notebook.cells]
        assert "u = 'mine'" in sources and sources[-1].endswith(LOSSES[2].check)

        # the book's cell has changed since: what was typed belongs to another text
        page.evaluate(
            """(key) => {
              const kept = JSON.parse(localStorage.getItem(key));
              kept.find(({ text }) => text === "u = 'mine'").source += "\\n# as it was then";
              localStorage.setItem(key, JSON.stringify(kept));
            }""",
            f"npo-cells:/{name}",
        )
        page.reload()
        changed = page.locator(".run-changed").first
        changed.wait_for()
        assert say["changed"] in changed.inner_text() and "u = 'mine'" in changed.inner_text()
        assert not cell(page).locator("textarea").count(), "the book's own cell is there as well"
        changed.get_by_text(say["use"], exact=True).click()
        assert cell(page).locator("textarea").input_value() == "u = 'mine'"
        assert not page.locator(".run-changed", has_text="'mine'").count()


@pytest.mark.nightly
def test_outputs_are_those_of_a_notebook(browser, python_server):
    say = WORDS["en"]
    with Visit(browser, python_server, **DESKTOP) as visit:
        page = visit.open(f"{python_server}book/en/npo.html")
        place = cell(page)

        def shown(code, kind="text"):
            write(place, code)
            press(page, place, say["run"])
            return "".join(place.locator(f".live [data-kind={kind}]").all_text_contents())

        assert shown("for i in range(3):\n    print(f'\\rstep {i}', end='')\nprint()") == "step 2\n"
        assert shown("import numpy as np\ndisplay('x')\nnp.eye(2)") == "'x'\narray([[1., 0.],\n       [0., 1.]])\n"
        assert shown("6 * 7;") == "" and shown("None") == ""
        seconds = float(re.search(r"[\d.]+", place.locator(".run-status").inner_text())[0])
        assert 0 < seconds < 1, "nothing takes no time"
        assert shown("import warnings\nwarnings.warn('careful')", "warning").startswith("<cell 1>:2: UserWarning")
        assert "input" in shown("input('?')", "error").splitlines()[-1]
        # a page shows only the beginning of a flood, and goes on
        flood = shown("for i in range(100_000):\n    print(i)")
        assert flood.startswith("0\n1\n2\n") and len(flood) == 200_000
        assert place.locator("[data-kind=flood]").text_content() == say["flood"].format(most=200_000)
        # figures of pyplot: what is shown, and what is open at the end
        shown("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nplt.figure();")
        assert place.locator(".live img").count() == 2
        assert all(image.get_attribute("alt") for image in place.locator(".live img").all())
        # one cell at a time
        write(place, ENDLESS)
        run, other = place.locator(".run-bar button").first, cell(page, 1)
        run.click()
        other.locator(".run-bar button").first.click()
        assert other.locator(".run-status").inner_text() == say["busy"].format(number=1)
        # and what ran before it is not shown as its output
        run.click()
        assert place.locator(".run-status").inner_text() == say["stopped"]
        assert other.locator(".run-status").inner_text() == "", "no cell is still running"
        assert not place.locator(".live > *").count()
        assert not visit.complaints


@pytest.mark.nightly
def test_a_figure_has_the_books_size_and_letters(browser, python_server):
    with Visit(browser, python_server, **DESKTOP) as visit:
        page = visit.open(f"{python_server}book/en/npo.html")
        press(page, page.locator(".cell:has(+ figure#en-fig-npo-loss)"), WORDS["en"]["run"])
        book, own = page.locator("#en-fig-npo-loss img").evaluate_all(
            """(images) => Promise.all(images.map(async ({ src, naturalWidth, naturalHeight }) => {
              const svg = src.startsWith("data:") ? decodeURIComponent(src) : await (await fetch(src)).text();
              const letters = new Set([...svg.matchAll(/<path id="[A-Z][^"]*-[0-9a-f]+"/g)].map(([tag]) => tag));
              return { size: [naturalWidth, naturalHeight], letters: [...letters] };
            }))"""
        )
        # versions of Matplotlib number the letters of a font differently
        of_fonts = [
            Counter(letter.split('"')[1].rpartition("-")[0] for letter in figure["letters"]) for figure in (book, own)
        ]
        assert own["size"] == book["size"] and of_fonts[0] == of_fonts[1]
        assert {"DejaVuSans", "DejaVuSans-Oblique", "STIXNonUnicode-Italic"} <= set(of_fonts[1])


@pytest.mark.nightly
def test_cells_with_the_same_text_and_browsers_that_keep_nothing(browser, python_server, python_site):
    say, name = WORDS["en"], "book/en/npo.html"
    html = (python_site / name).read_text("utf-8")
    start = html.index('<div class="cell docutils')
    twice = '<div class="cell"><div class="cell_input"><div class="highlight"><pre>1</pre></div></div></div>' * 2
    with Visit(browser, python_server, service_workers="block", **DESKTOP) as visit:
        visit.page.route(f"**/{name}", lambda route: route.fulfill(body=html[:start] + twice + html[start:]))
        page = visit.open(python_server + name)
        write(cell(page, 1), "2")
        page.reload()
        page.wait_for_selector(".run-bar")
        assert not cell(page, 0).locator("textarea").count() and cell(page, 1).locator("textarea").input_value() == "2"
        # the keyboard is where a reader goes on, and nothing that was typed is lost
        button(cell(page, 1), say["reset"]).click()
        assert page.evaluate("document.activeElement.textContent") == say["run"]
        button(cell(page, 1), say["again"]).click()
        assert (
            cell(page, 1).locator("textarea").evaluate("(area) => area === document.activeElement && area.value") == "2"
        )
        # full, or forbidden: said once
        page.evaluate("void (Storage.prototype.setItem = () => { throw new Error('full'); })")
        for number in (0, 1):
            write(cell(page, number), "3")
        assert page.locator(".run-note", has_text=say["unkept"]).count() == 1
        # the Enter that ends the writing of a Chinese word is the browser's
        left_alone = """(area, isComposing) => area.dispatchEvent(
          new InputEvent("beforeinput", { inputType: "insertLineBreak", cancelable: true, isComposing }))"""
        area = cell(page, 1).locator("textarea")
        assert area.evaluate(left_alone, True) and not area.evaluate(left_alone, False)
        assert not visit.complaints


@pytest.mark.nightly
def test_an_answer_uses_the_one_above_and_a_stub_is_no_attempt(browser, python_server):
    gradient, step = DYNAMICS[:2]
    with Visit(browser, python_server, **DESKTOP) as visit:
        page = visit.open(f"{python_server}book/en/homework-dynamics.html")
        first, second = page.locator(".cell[data-check]").all()[:2]
        press(page, first, WORDS["en"]["check"])
        for wrong in ("None", "theta"):
            write(first, f"def npo_gradient(theta, X, y, ref_logp, beta):\n    return {wrong}\n")
            press(page, first, WORDS["en"]["check"])
        assert not first.locator(".run-solution").count()
        write(first, gradient.answer)
        assert "npo_gradient(" in step.answer
        write(second, step.answer)
        assert press(page, second, WORDS["en"]["check"]) == WORDS["en"]["right"]
        assert second.locator(".run-explanation").is_visible()


@pytest.mark.nightly
def test_the_editor_in_firefox(firefox, python_server):
    firefox.open(f"{python_server}book/zh/npo.html")
    key = "area.dispatchEvent(new KeyboardEvent('keydown', { key: 'Tab', cancelable: true, shiftKey: %s }))"
    typed = f"""(() => {{
      document.querySelectorAll(".run-bar button")[1].click();
      const area = document.activeElement;
      area.value = "x = 1";
      area.setSelectionRange(0, 0);
      const steps = [];
      const note = () => steps.push(area.value);
      {key % "false"}; note();
      {key % "true"}; note();
      document.execCommand("undo"); note();
      area.setSelectionRange(9, 9);
      area.dispatchEvent(new InputEvent("beforeinput", {{ inputType: "insertLineBreak", cancelable: true }})); note();
      return steps;
    }})()"""
    assert firefox.evaluate(typed) == ["    x = 1", "x = 1", "    x = 1", "    x = 1\n    "]
    assert not firefox.complaints()


@pytest.mark.nightly
def test_what_does_not_come_is_said_and_run_tries_again(browser, python_server):
    say = WORDS["en"]
    with Visit(browser, python_server, service_workers="block", **DESKTOP) as visit:
        page = visit.open(f"{python_server}book/en/npo.html")
        for lost in ("worker.js", "python_stdlib.zip", "numpy.zip"):
            page.context.route(f"**/{lost}*", lambda route: route.abort())
            write(cell(page), "import numpy")
            said = press(page, cell(page), say["run"])
            assert said == say["lost"].format(file=lost, button=say["run"]), cell(page).inner_text()
            page.context.unroute(f"**/{lost}*")
        assert press(page, cell(page), say["run"]).startswith(say["ran"].partition("{")[0])
        assert cell(page).locator("textarea").input_value() == "import numpy"


def fail(page, page_name):
    """Run something long that ends with an error; returns its place."""
    if "homework" in page_name:
        place = page.locator(".cell[data-check]").first
        place.locator("textarea").fill("def ga_loss(logp):\n    return -np.mean(logp)  # " + "long " * 40)
        press(page, place, WORDS[page_name[:2]]["check"])
    else:
        place = cell(page)
        write(place, "print('word ' * 80)\n1 / 0")
        press(page, place, WORDS[page_name[:2]]["run"])
    assert place.locator(":is([data-kind=error], [data-kind=mistake])").is_visible()
    return place


@pytest.mark.nightly
@pytest.mark.parametrize("page_name", ["en/npo", "zh/homework-losses"])
def test_a_small_phone_holds_it(browser, python_server, page_name):
    with Visit(browser, python_server, **SMALL_PHONE) as visit:
        page = visit.open(f"{python_server}book/{page_name}.html")
        place = fail(page, page_name)
        assert too_wide(page) == []
        for control in page.locator(":is(.run-bar, .run-foot, .offline) button:visible").all():
            box = control.bounding_box()
            assert box["height"] >= 44 and box["width"] >= 44, control.inner_text()
        assert place.locator("textarea").evaluate("area => parseFloat(getComputedStyle(area).fontSize)") >= 16


@pytest.mark.nightly
@pytest.mark.parametrize("page_name", ["en/npo", "zh/homework-losses"])
def test_axe_finds_nothing(browser, python_server, page_name):
    with opened(browser, python_server, f"{python_server}book/{page_name}.html") as page:
        fail(page, page_name)
        page.evaluate(SHORTEN)
        assert violations(page) == []


@pytest.mark.nightly
@pytest.mark.parametrize("edition", ["en", "zh"])
def test_a_file_says_why_it_has_no_run(browser, python_site, edition):
    own = python_site.as_uri() + "/"
    with Visit(browser, own, **DESKTOP) as visit:
        page = visit.open(f"{own}book/{edition}/npo.html")
        assert page.locator(".run-note").all_inner_texts()[0].startswith(WORDS[edition]["file"])
        assert not page.locator(".run-bar button").count(), "no dead button"

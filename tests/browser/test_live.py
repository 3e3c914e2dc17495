"""Explorers in a live JupyterLab: sliders and Python follow each other, and the notebook leaves sliders their keys."""

import pytest

from tests.browser.notebooks import WAVES, jupyterlab, write_notebook
from tests.browser.visit import DESKTOP, Visit

pytestmark = pytest.mark.nightly

MAKE = (
    WAVES
    + """
watched, linked, boxed = (waves(title, range(1, 8)) for title in ("watched", "linked", "boxed"))
named = explore(
    lambda x, shape: {"curve": getattr(np, shape)(x)}, np.linspace(0, 6), title="named", x_label="x", y_label="y",
    say=lambda shape: f"{shape} it is.", shape=["sin", "cos", "exp"],
)
heard = ipywidgets.Label("nothing yet")
watched.observe(lambda change: heard.set_trait("value", f"k: {watched.values['k']}, was {change['old']}"), "index")
named.observe(lambda change: heard.set_trait("value", f"shape: {named.values['shape']}"), "index")
ipywidgets.link((watched, "index"), (linked, "index"))
ipywidgets.VBox([boxed, heard])
"""
)
SHOW = "display(watched, linked, named)"
SET = "watched.index = [0]; boxed.index = [5]; named.index = [2]"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Address of a JupyterLab that contains the notebook of this module."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "root").mkdir()
    write_notebook(folder / "root/live.ipynb", MAKE, SHOW, SET)
    with jupyterlab(folder) as address:
        yield address


class Notebook:
    def __init__(self, page):
        self.page = page
        self.cells = page.locator(".jp-Notebook .jp-CodeCell")

    def run(self, i):
        self.cells.nth(i).locator(".jp-InputPrompt").click()
        self.page.keyboard.press("Control+Enter")
        self.cells.nth(i).locator(".jp-InputPrompt", has_text=f"[{i + 1}]:").wait_for()

    def selected(self):
        chosen = "cells => cells.flatMap((cell, i) => cell.matches('.jp-mod-active, .jp-mod-selected') ? [i] : [])"
        return self.cells.evaluate_all(chosen)

    def selects(self, expected):
        """Wait for the selection, which may take JupyterLab a moment."""
        for _ in range(50):
            if self.selected() == expected:
                return
            self.page.wait_for_timeout(100)
        assert self.selected() == expected

    def figure(self, title):
        return self.page.get_by_role("group", name=title, exact=True)

    def stands(self, title, k):
        """Wait until a figure's slider, sentence and drawing are at k."""
        figure = self.figure(title)
        figure.locator(".npo-sentence", has_text=f"k is {k}.").wait_for()
        assert figure.locator("input").input_value() == str(k - 1)
        assert figure.locator("output").inner_text() == str(k)
        return figure.locator("path.npo-curve").first.get_attribute("d")

    def hears(self, words):
        self.page.locator(".widget-label", has_text=words).wait_for()


@pytest.fixture(scope="module")
def notebook(browser, lab):
    with Visit(browser, lab, **DESKTOP | {"viewport": {"width": 1280, "height": 3200}}) as visit:
        visit.context.set_default_timeout(60_000)
        visit.page.goto(lab + "doc/tree/live.ipynb")
        visit.page.get_by_text("| Idle").wait_for()
        notebook = Notebook(visit.page)
        notebook.run(0)
        notebook.run(1)
        for title in ("watched", "linked", "boxed"):
            notebook.stands(title, 4)
        visit.context.set_default_timeout(10_000)
        yield notebook
        assert not [complaint for complaint in visit.complaints if complaint.startswith(("foreign: ", "script: "))]


def test_python_is_notified_of_the_slider_and_a_linked_one_follows(notebook):
    first = notebook.stands("watched", 4)
    slider = notebook.figure("watched").locator("input")
    slider.press("ArrowRight")
    notebook.hears("k: 5, was [3]")
    assert notebook.stands("watched", 5) == notebook.stands("linked", 5) != first
    box = slider.bounding_box()
    notebook.page.mouse.click(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2)
    notebook.hears("k: 7, was [4]")
    assert notebook.stands("watched", 7) == notebook.stands("linked", 7)
    # and in the other direction of the link
    notebook.figure("linked").locator("input").press("Home")
    notebook.hears("k: 1, was [6]")
    notebook.stands("watched", 1)
    notebook.stands("boxed", 4)


def test_setting_the_trait_moves_slider_and_drawing(notebook):
    notebook.figure("watched").locator("input").press("End")
    before = notebook.stands("watched", 7), notebook.stands("linked", 7), notebook.stands("boxed", 4)
    notebook.run(2)
    after = notebook.stands("watched", 1), notebook.stands("linked", 1), notebook.stands("boxed", 6)
    assert all(one != other for one, other in zip(before, after, strict=True))
    named = notebook.figure("named")
    named.locator(".npo-sentence", has_text="exp it is.").wait_for()
    assert named.get_by_role("radio", name="exp").is_checked()


def test_the_notebook_leaves_arrow_keys_to_the_slider(notebook):
    # A check that cannot fail is worthless: these keys move the selection. The cell gets the focus a moment after it is
    # selected, and on a busy machine what was clicked before may take it.
    for _ in range(20):
        notebook.cells.nth(1).locator(".jp-InputPrompt").click()
        notebook.selects([1])
        notebook.page.keyboard.press("ArrowUp")
        notebook.page.wait_for_timeout(500)
        if notebook.selected() == [0]:
            break
    notebook.selects([0])
    notebook.page.keyboard.press("ArrowDown")
    notebook.selects([1])
    slider = notebook.figure("watched").locator("input")
    slider.press("Home")
    selected = notebook.selected()
    for key, k in {"ArrowUp": 2, "ArrowRight": 3, "Shift+ArrowUp": 4, "ArrowDown": 3, "ArrowLeft": 2}.items():
        slider.press(key)
        notebook.stands("watched", k)
        assert notebook.selected() == selected
        assert slider.evaluate("input => input === document.activeElement")


def test_names_are_chosen_by_mouse_and_by_arrow_keys(notebook):
    figure = notebook.figure("named")
    cosine = figure.get_by_role("radio", name="cos")
    cosine.check()
    notebook.hears("shape: cos")
    selected = notebook.selected()
    for key, shape in {"ArrowRight": "exp", "ArrowUp": "cos", "ArrowLeft": "sin", "ArrowDown": "cos"}.items():
        notebook.page.keyboard.press(key)
        notebook.hears(f"shape: {shape}")
        figure.locator(".npo-sentence", has_text=f"{shape} it is.").wait_for()
        assert notebook.selected() == selected
        assert figure.locator(":checked").evaluate("input => input === document.activeElement && input.value") == shape


def test_mounting_for_nbconvert_leaves_no_trace(notebook):
    rows = notebook.page.locator(".jp-OutputArea-child:has([data-mime-type='application/javascript'])")
    assert rows.count() == 3
    assert not any(row.is_visible() for row in rows.all())
    for title in ("watched", "linked", "boxed"):
        assert notebook.figure(title).count() == 1

"""Explorers in the page that `jupyter nbconvert --to html` makes of a notebook: from a file, all other hosts blocked.

nbconvert's page requests require.js, MathJax and html-manager, which shows ipywidgets, from other hosts. Explorers must
move without them, and must not appear twice where html-manager is available.
"""

import re
import subprocess
import sys

import pytest

from tests.browser.notebooks import WAVES, environment, write_notebook
from tests.browser.visit import DESKTOP, Visit
from tests.conftest import nightly

MAKE = (
    WAVES
    + """
last = waves("second", [1, 2, 3])
display(waves("first", [1, 2, 3]), ipywidgets.IntSlider())
"""
)
# treats the views that it finds as html-manager does
HTML_MANAGER = """
for (const script of document.querySelectorAll("script[type$='widget-view+json']"))
  script.after(Object.assign(document.createElement("div"), {className: "by-html-manager"}));
"""


@pytest.fixture(scope="module")
def convert(tmp_path_factory):
    """A function: options of nbconvert → the page that it makes."""
    folder = tmp_path_factory.mktemp("nbconvert")
    write_notebook(folder / "waves.ipynb", MAKE, "last")

    def convert(name, *options):
        nbconvert = [sys.executable, "-m", "nbconvert", "--to", "html", "--execute", f"--output={name}", *options]
        done = subprocess.run(
            [*nbconvert, "waves.ipynb"], cwd=folder, env=environment(folder), capture_output=True, encoding="utf-8"
        )
        assert done.returncode == 0, done.stderr
        return folder / name

    return convert


@pytest.fixture(scope="module")
def page_file(convert):
    return convert("waves.html")


@pytest.fixture
def visit(browser, page_file):
    with Visit(browser, page_file.parent.as_uri() + "/", **DESKTOP) as visit:
        yield visit
        # requests by nbconvert's page itself, which are blocked
        theirs = ("foreign: https://", "failed: https://", "console: Failed to load resource")
        assert not [complaint for complaint in visit.complaints if not complaint.startswith(theirs)]


def both_move(page):
    page.wait_for_function("document.querySelectorAll('.npo-chart[viewBox]').length >= 2")
    figures = page.locator(".npo-explorer")
    assert figures.locator(".npo-title").all_inner_texts() == ["first", "second"]
    for i in range(2):
        sentence, curve = figures.nth(i).locator(".npo-sentence"), figures.nth(i).locator("path.npo-curve").first
        before = curve.get_attribute("d")
        assert sentence.inner_text() == "k is 2."
        figures.nth(i).locator("input").press("ArrowRight")
        assert sentence.inner_text() == "k is 3."
        assert curve.get_attribute("d") != before


def test_explorers_move_without_any_other_host(visit, page_file):
    page = visit.open(page_file.as_uri())
    both_move(page)
    # the script's outputs leave no blank rows
    rows = page.locator(".jp-OutputArea-child:has([data-mime-type='application/javascript'])").all()
    assert len(rows) == 2
    assert not any(row.is_visible() for row in rows)


def test_html_manager_shows_only_the_other_widgets(visit, page_file):
    visit.context.route(
        "**/embed-amd.js", lambda route: route.fulfill(body=HTML_MANAGER, content_type="text/javascript")
    )
    page = visit.open(page_file.as_uri())
    page.wait_for_selector(".by-html-manager", state="attached")
    both_move(page)
    assert page.locator(".by-html-manager").count() == 1


@pytest.mark.nightly
def test_without_saved_state_the_picture_is_shown(visit, convert):
    page = visit.open(convert("pictures.html", "--ExecutePreprocessor.store_widget_state=False").as_uri())
    assert page.locator(".npo-explorer").count() == 0
    for picture in page.locator(".jp-RenderedSVG > *").all():
        assert picture.bounding_box()["height"] > 150
    assert page.locator(".jp-RenderedSVG").count() == 2


def test_the_book_s_pages_have_the_script_only_in_a_file(site):
    pages = [page.read_text("utf-8") for page in site.glob("book/*/*.html")]
    assert "npoWidgetState" in (site / "_static/joined.js").read_text("utf-8")
    assert not any("npoWidgetState" in page or "npoGuest" in page for page in pages)


SANITIZED = {
    # nbconvert's template leaves a widget's place empty
    "sanitize_html": (["--HTMLExporter.sanitize_html=True"], 0),
    "preprocessor": (
        [
            '--HTMLExporter.preprocessors=["nbconvert.preprocessors.sanitize.SanitizeHTML"]',
            "--SanitizeHTML.enabled=True",
        ],
        2,
    ),
}


@pytest.mark.parametrize("case", ["sanitize_html", *nightly("preprocessor")])
def test_a_sanitized_page_prints_no_code(visit, convert, case):
    options, n_pictures = SANITIZED[case]
    page = visit.open(convert(f"{case}.html", *options).as_uri())
    assert page.locator(".npo-explorer").count() == 0
    assert page.locator(".jp-RenderedImage img").count() == n_pictures
    for picture in page.locator(".jp-RenderedImage img").all():
        assert picture.bounding_box()["height"] > 150
    shown = page.locator(".jp-OutputArea").all_inner_texts()
    assert not re.search("npoWidgetState|npoGuest|<script|<style", "".join(shown))

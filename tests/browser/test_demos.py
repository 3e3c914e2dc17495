"""The demos of the built pages, in both editions: with no kernel, sliders move what Python computed."""

import gzip
import random
import re
from functools import cache

import pytest

from npo_tutorial import demos
from tests.book.pages import CHAPTERS, EDITIONS
from tests.browser.test_pages import DESKTOP, PHONE, Visit, fits
from tests.conftest import ROOT

BOTH = [(edition, name) for edition in EDITIONS for name in CHAPTERS]


def demos_of(name):
    return re.findall(r"^demos\.(\w+)\(\)$", (ROOT / f"book/en/{name}.md").read_text("utf-8"), re.M)


@cache
def explorer(demo):
    return getattr(demos, demo)()


def mounted(page, name):
    """Every explorer of a page, scrolled to, so that it loads its state."""
    for view in page.locator("script[type$='widget-view+json']").all():
        view.evaluate("script => script.parentElement.scrollIntoView()")
        page.wait_for_timeout(100)
    page.wait_for_function(f"document.querySelectorAll('.npo-explorer').length === {len(demos_of(name))}")
    return page.locator(".npo-explorer").all()


def look(figure):
    return figure.locator(".npo-plot").inner_html() + figure.locator(".npo-sentence").inner_text()


def test_every_demo_is_in_a_chapter_and_every_chapter_has_one():
    placed = [demo for name in CHAPTERS for demo in demos_of(name)]
    assert sorted(placed) == sorted(demos.__all__)
    assert all(demos_of(name) for name in CHAPTERS)


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_sliders_move_the_drawing_and_reset_brings_it_back(browser, server, edition, name):
    with Visit(browser, server, **DESKTOP) as visit:
        page = visit.open(f"{server}book/{edition}/{name}.html")
        for figure in mounted(page, name):
            start = look(figure)
            for slider in figure.locator("input[type=range]").all():
                before = look(figure)
                slider.focus()
                page.keyboard.press("ArrowLeft")
                by_keyboard = look(figure)
                assert by_keyboard != before
                box = slider.bounding_box()
                page.mouse.click(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2)
                assert look(figure) != by_keyboard
            figure.locator(".npo-reset").click()
            assert look(figure) == start
        assert not visit.complaints


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_a_page_says_what_python_says(browser, server, edition, name):
    choose = random.Random(f"{edition}/{name}")
    with Visit(browser, server, **DESKTOP) as visit:
        page = visit.open(f"{server}book/{edition}/{name}.html")
        for figure, demo in zip(mounted(page, name), demos_of(name), strict=True):
            reference = explorer(demo)
            for _ in range(5):
                index = [choose.randrange(len(grid["values"])) for grid in reference.chart["grids"]]
                for slider, position in zip(figure.locator("input[type=range]").all(), index, strict=True):
                    slider.fill(str(position))
                reference.index = index
                assert figure.locator(".npo-sentence").inner_text().strip() == reference.sentence[edition]


@pytest.mark.parametrize(
    "name", [name for name in CHAPTERS if any(explorer(d).chart["animate"] for d in demos_of(name))]
)
def test_play_moves_the_drawing_by_itself(browser, server, name):
    with Visit(browser, server, **DESKTOP) as visit:
        page = visit.open(f"{server}book/en/{name}.html")
        for figure in mounted(page, name):
            for play in figure.locator(".npo-play").all():
                start = look(figure)
                play.click()
                page.wait_for_timeout(700)
                play.click()
                paused = look(figure)
                assert paused != start
                page.wait_for_timeout(400)
                assert look(figure) == paused


@pytest.mark.parametrize("width", [320, 390])
@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_demos_fit_a_phone(browser, server, edition, name, width):
    with Visit(browser, server, **PHONE | {"viewport": {"width": width, "height": 800}}) as visit:
        page = visit.open(f"{server}book/{edition}/{name}.html")
        mounted(page, name)
        assert not fits(page)


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_a_picture_stands_in_without_javascript(browser, site, edition, name):
    with Visit(browser, site.as_uri(), java_script_enabled=False, **DESKTOP) as visit:
        page = visit.open(f"{site.as_uri()}/book/{edition}/{name}.html")
        pictures = page.locator("noscript img")
        assert pictures.count() == len(demos_of(name))
        for picture in pictures.all():
            picture.scroll_into_view_if_needed()
            assert picture.bounding_box()["width"] > 300
            assert len(picture.get_attribute("alt")) > 20


def test_weight_of_scripts_and_states(site):
    scripts = b"".join((ROOT / f"npo_tutorial/explore/{file}").read_bytes() for file in ("explorer.js", "mount.js"))
    assert len(gzip.compress(scripts)) <= 15_000
    pages = {path: len(gzip.compress(path.read_bytes())) for path in (site / "_static/widgets").glob("*.js")}
    assert pages
    # at most two or three demos share a page's state
    assert max(pages.values()) <= 40_000 * 2

"""The demos of the built pages, in both editions: with no kernel, sliders move what Python computed."""

import random

import numpy as np
import pytest

from npo_tutorial import demos
from tests.book.pages import CHAPTERS, EDITIONS
from tests.browser.demos import demos_of, look, mounted, states
from tests.browser.drawing import assert_drawn, assert_told, stand
from tests.browser.visit import DESKTOP, PHONE, Visit, too_wide
from tests.browser.weight import weight
from tests.conftest import ROOT
from tests.test_demos import demo

BOTH = [(edition, name) for edition in EDITIONS for name in CHAPTERS]


def test_every_demo_is_in_a_chapter_and_every_chapter_has_one():
    placed = [demo_name for name in CHAPTERS for demo_name in demos_of(name)]
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
            for button in figure.locator("input[type=radio]:not(:checked)").all():
                before = look(figure)
                button.check()
                assert look(figure) != before
            figure.locator(".npo-reset").click()
            assert look(figure) == start
        assert not visit.complaints


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_a_page_draws_and_says_what_python_computes(browser, server, edition, name):
    choose = random.Random(f"{edition}/{name}")
    with Visit(browser, server, **DESKTOP) as visit:
        page = visit.open(f"{server}book/{edition}/{name}.html")
        for figure, name_of_demo in zip(mounted(page, name), demos_of(name), strict=True):
            made = demo(name_of_demo)
            chart = made.widget.chart
            for _ in range(10):
                index = [choose.randrange(len(grid["values"])) for grid in chart["grids"]]
                stand(figure, index)
                made.widget.index = index
                assert_drawn(figure, chart, index, made.draw(made.x, **made.widget.values))
                if beside := made.options.get("beside"):
                    returned = beside.fn(np.asarray(beside.x, float), **made.widget.values)
                    assert_drawn(figure, chart, index, returned, panel=1)
                assert figure.locator(".npo-sentence").inner_text().strip() == made.widget.sentence[edition]
                if "passages" in made.options:
                    assert_told(figure, made.widget.passages(index), edition)


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_demos_move_from_files(browser, site, edition, name):
    with Visit(browser, site.as_uri(), **DESKTOP) as visit:
        page = visit.open(f"{site.as_uri()}/book/{edition}/{name}.html")
        for figure in mounted(page, name):
            start = look(figure)
            figure.locator("input").last.press("ArrowLeft")
            assert look(figure) != start
        assert not visit.complaints


@pytest.mark.parametrize(
    "name", [name for name in CHAPTERS if any(demo(d).widget.chart["animate"] for d in demos_of(name))]
)
def test_play_moves_the_drawing_by_itself(browser, server, name):
    with Visit(browser, server, **DESKTOP) as visit:
        page = visit.open(f"{server}book/en/{name}.html")
        figures, n_animated = mounted(page, name), sum(bool(demo(d).widget.chart["animate"]) for d in demos_of(name))
        assert page.locator(".npo-play").count() == n_animated
        for figure in figures:
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
        assert not too_wide(page)


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_a_picture_stands_in_without_javascript(browser, site, edition, name):
    with Visit(browser, site.as_uri(), java_script_enabled=False, **DESKTOP) as visit:
        page = visit.open(f"{site.as_uri()}/book/{edition}/{name}.html")
        pictures = page.locator(".widget-stand-in img")
        assert pictures.count() == len(demos_of(name))
        for picture in pictures.all():
            picture.scroll_into_view_if_needed()
            assert picture.bounding_box()["width"] > 300
            assert len(picture.get_attribute("alt")) > 20


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_demo_that_nobody_scrolled_to_prints_as_a_picture(browser, server, edition):
    with Visit(browser, server, **DESKTOP, color_scheme="dark") as visit:
        page = visit.open(f"{server}book/{edition}/stability.html")
        assert not page.locator(".npo-explorer").count()
        page.pdf()
        page.emulate_media(media="print")
        pictures = page.locator(".widget-stand-in img")
        assert pictures.count() == len(demos_of("stability"))
        for picture in pictures.all():
            assert picture.evaluate("e => e.naturalWidth > 300 && getComputedStyle(e).filter") == "none"


def test_the_picture_goes_when_the_demo_comes(browser, server):
    with Visit(browser, server, **DESKTOP) as visit:
        page = visit.open(f"{server}book/en/stability.html")
        assert page.locator(".widget-stand-in img").count() == len(demos_of("stability"))
        mounted(page, "stability")
        assert not page.locator(".widget-stand-in img").count()


def test_weight_of_scripts_and_states(site):
    scripts = [ROOT / f"npo_tutorial/explore/{file}" for file in ("explorer.js", "mount.js")]
    assert sum(map(weight, scripts)) <= 15_000
    for name in CHAPTERS:
        found = states(site, "en", name)
        assert len(found) == len(demos_of(name))
        for demo_name, files in zip(demos_of(name), found, strict=True):
            assert sum(map(weight, files)) <= 40_000, demo_name


def test_each_demo_has_a_file_of_its_own_and_all_share_one(site):
    found = [files for name in CHAPTERS for files in states(site, "en", name)]
    shared = set.intersection(*found)
    assert len(shared) == 1
    own = [files - shared for files in found]
    assert all(len(files) == 1 for files in own) and len(set.union(*own)) == len(own)
    # one execution, one state
    assert found == [files for name in CHAPTERS for files in states(site, "zh", name)]

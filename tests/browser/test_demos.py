"""The demos of the built pages, in both editions: without a kernel, sliders show what Python computed."""

import random
import re

import numpy as np
import pytest

from npo_tutorial import demos
from tests.book.pages import CHAPTERS, EDITIONS, editions
from tests.browser.demos import demos_of, look, mounted, states
from tests.browser.drawing import assert_drawn, assert_told, stand
from tests.browser.visit import DESKTOP, Visit
from tests.browser.weight import weight
from tests.conftest import ROOT, nightly
from tests.test_demos import demo

# both editions have the same numbers; each chapter is checked in one language by day, in both and longer at night
TURNS = [(list(EDITIONS)[i % 2], name, 3) for i, name in enumerate(CHAPTERS)]
BOTH = [*TURNS, *nightly(*((edition, name, 10) for edition in EDITIONS for name in CHAPTERS))]


def test_every_demo_is_in_a_chapter_and_every_chapter_has_one():
    placed = [demo_name for name in CHAPTERS for demo_name in demos_of(name)]
    rule = "each demo must be in a cell once, as the line `demos.name()`, and each chapter must have one"
    assert sorted(placed) == sorted(demos.__all__), rule
    assert all(map(demos_of, CHAPTERS)), rule


def sliders_move_and_reset_brings_back(page, figure):
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


def draws_and_says_what_python_computes(figure, made, edition, n_positions, choose):
    chart = made.widget.chart
    for _ in range(n_positions):
        index = [choose.randrange(len(grid["values"])) for grid in chart["grids"]]
        stand(figure, index)
        made.widget.index = index
        assert_drawn(figure, chart, index, made.draw(made.x, **made.widget.values))
        if beside := made.options.get("beside"):
            returned = beside.fn(np.asarray(beside.x, float), **made.widget.values)
            assert_drawn(figure, chart, index, returned, panel=1)
        unseen = [words.text_content() for words in figure.locator("p").all() if not words.is_visible()]
        assert not unseen, f"a reader must see what a demo says, these words are hidden: {unseen}"
        assert figure.locator(".npo-sentence").inner_text().strip() == made.widget.sentence[edition]
        if "passages" in made.options:
            assert_told(figure, made.widget.passages(index), edition)


def plays_by_itself(page, figure):
    figure.locator(".npo-reset").click()
    play, start = figure.locator(".npo-play"), look(figure)
    play.click()
    page.wait_for_timeout(700)
    play.click()
    paused = look(figure)
    assert paused != start
    page.wait_for_timeout(400)
    assert look(figure) == paused


@pytest.mark.parametrize(("edition", "name", "n_positions"), BOTH)
def test_demos_move_draw_and_say_what_python_computes_and_play(browser, server, edition, name, n_positions):
    """In a single visit. test_pages checks phones and files, test_without_scripts the pictures without scripts."""
    choose = random.Random(f"{edition}/{name}")
    with Visit(browser, server, **DESKTOP) as visit:
        page = visit.open(f"{server}book/{edition}/{name}.html")
        figures = mounted(page, name)
        # the picture disappears when the demo appears
        assert not page.locator(".widget-stand-in img:not(.npo-explorer img)").count()
        for figure, name_of_demo in zip(figures, demos_of(name), strict=True):
            made = demo(name_of_demo)
            sliders_move_and_reset_brings_back(page, figure)
            draws_and_says_what_python_computes(figure, made, edition, n_positions, choose)
            assert figure.locator(".npo-play").count() == bool(made.widget.chart["animate"])
            if made.widget.chart["animate"]:
                plays_by_itself(page, figure)
        assert not visit.complaints


@editions("zh")
def test_a_demo_that_was_never_scrolled_into_view_prints_as_a_picture(browser, server, edition):
    with Visit(browser, server, **DESKTOP, color_scheme="dark") as visit:
        page = visit.open(f"{server}book/{edition}/stability.html")
        assert not page.locator(".npo-explorer").count()
        page.pdf()
        page.emulate_media(media="print")
        pictures = page.locator(".widget-stand-in img")
        assert pictures.count() == len(demos_of("stability"))
        assert all("·" not in words for words in page.locator(".widget-stand-in").all_inner_texts())
        # its title, the values of its parameters, and what they say
        assert page.locator(".widget-stand-in p").first.inner_text().count({"zh": "（", "en": "("}[edition]) >= 1
        for picture in pictures.all():
            drawn = page.request.get(picture.evaluate("e => e.src")).text()
            assert not re.search(">[^<]* · [^<]*<", drawn), "a picture must speak the language of its page only"
            assert picture.evaluate("e => e.naturalWidth > 300 && getComputedStyle(e).filter") == "none"


def test_weight_of_scripts_and_states(site):
    scripts = [ROOT / f"npo_tutorial/explore/{file}" for file in ("explorer.js", "mount.js")]
    assert sum(map(weight, scripts)) <= 15_000
    for name in CHAPTERS:
        found = states(site, "en", name)
        assert len(found) == len(demos_of(name))
        for demo_name, files in zip(demos_of(name), found, strict=True):
            assert sum(map(weight, files)) <= 40_000, (
                f"{demo_name}: a demo's numbers must have at most 40 kB, compressed"
            )


def test_each_demo_has_a_file_of_its_own_and_all_share_one(site):
    found = [files for name in CHAPTERS for files in states(site, "en", name)]
    shared = set.intersection(*found)
    assert len(shared) == 1
    own = [files - shared for files in found]
    assert all(len(files) == 1 for files in own) and len(set.union(*own)) == len(own)
    # one execution, one state
    assert found == [files for name in CHAPTERS for files in states(site, "zh", name)]

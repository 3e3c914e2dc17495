"""The quiz in a browser: one question at a time, the first answer counts, a wrong one comes back; and its slides."""

import shutil
from runpy import run_path

import pytest

from tests.book.pages import CHAPTERS, EDITIONS, editions
from tests.browser.axe import SHORTEN, WIDTHS, violations
from tests.browser.conftest import serving
from tests.browser.visit import DESKTOP, PHONE, STILL, Visit
from tests.conftest import ROOT

COUNT = 5 * len(CHAPTERS)
# the copy of the site takes half a minute
pytestmark = pytest.mark.nightly


@pytest.fixture(scope="module")
def address(site, tmp_path_factory):
    copy = tmp_path_factory.mktemp("quiz")
    (copy / "_static").symlink_to(site / "_static")
    for edition in EDITIONS:
        shutil.copytree(site / f"book/{edition}", copy / f"book/{edition}")
    run_path(str(ROOT / "book/quiz/__main__.py"))["write"](copy)
    with serving(copy) as server:
        yield f"{server}quiz/"


def opened(visit, address):
    # its scripts run before the page has loaded
    visit.page.goto(address)
    return visit.page


def asked(page):
    """The one question on the screen."""
    boxes = page.locator(".quick:visible")
    assert boxes.count() == 1, f"one question at a time, got {boxes.count()}"
    return boxes.get_attribute("id")


def answer(page, right):
    page.locator(f".quick:visible > .option{'.right' if right else ':not(.right)'} > summary").first.click()


def left(page):
    return page.locator("[role=status]").inner_text()


@editions("en")
def test_a_wrong_answer_comes_back_and_the_browser_remembers_it(browser, address, edition):
    with Visit(browser, address, **PHONE) as visit:
        page = opened(visit, f"{address}{edition}.html")
        page.locator("select").select_option("npo")
        following = page.locator(".next")
        assert asked(page) == "npo-1"
        assert following.is_disabled(), "a question is answered before the next one"
        answer(page, right=False)
        # the first answer counts
        answer(page, right=True)
        assert "5" in left(page)
        following.click()
        for number in range(2, 6):
            assert asked(page) == f"npo-{number}"
            answer(page, right=True)
            following.click()
        assert asked(page) == "npo-1", "a wrong answer comes back in the same visit"
        assert page.locator("details[open]:visible").count() == 0
        # another visit, in the other edition, begins with it
        other = next(key for key in EDITIONS if key != edition)
        page.goto(f"{address}{other}.html")
        assert asked(page) == "npo-1"
        assert str(COUNT - 4) in left(page)
        page.locator("select").select_option("npo")
        answer(page, right=True)
        assert following.is_disabled()
        assert left(page) == page.locator("[role=status]").get_attribute("data-done").replace("{count}", "5")
        page.reload()
        page.locator("select").select_option("npo")
        assert page.locator(".quick:visible").count() == 0, "what was answered right is not asked again"
        page.locator(".restart").click()
        assert asked(page) == "npo-1"


@pytest.mark.parametrize("file", ["", "-clicker"])
@editions("zh")
def test_without_scripts_all_questions_are_there(browser, address, edition, file):
    with Visit(browser, address, java_script_enabled=False, **PHONE) as visit:
        page = opened(visit, f"{address}{edition}{file}.html")
        assert page.locator(".quick:visible").count() == COUNT
        assert page.locator(":is(.controls, .next, select):visible").count() == 0


@pytest.mark.parametrize("stored", ["no JSON", "[1]", "null", '"text"'])
def test_what_a_browser_kept_cannot_break_the_page(browser, address, stored):
    with Visit(browser, address, **DESKTOP) as visit:
        page = opened(visit, f"{address}en.html")
        page.evaluate("stored => localStorage.setItem('quiz', stored)", stored)
        page.reload()
        assert asked(page) == "intro-1"


def shown(page):
    """The name of the question on the slide, how many of its answers are there, and how many reasons."""
    return asked(page), page.locator(".option:visible").count(), page.locator(".option[open]:visible").count()


@editions("en")
def test_a_slide_shows_the_question_then_the_answers_then_the_reasons(browser, address, edition):
    with Visit(browser, address, **DESKTOP) as visit:
        page = opened(visit, f"{address}{edition}-clicker.html#npo-4")
        answers = page.locator(".quick:visible > .option").count()
        stages = [("npo-4", 0, 0), ("npo-4", answers, 0), ("npo-4", answers, answers)]
        assert shown(page) == stages[0]
        assert page.locator("select").input_value() == "npo"
        # as a presenter's remote control sends them
        for key, expected in zip(["PageDown", " "], stages[1:], strict=True):
            page.keyboard.press(key)
            assert shown(page) == expected
        page.keyboard.press("ArrowRight")
        assert shown(page)[0] == "npo-5" and page.url.endswith("#npo-5")
        page.keyboard.press("PageUp")
        assert shown(page) == stages[2]
        page.keyboard.press("ArrowLeft")
        assert shown(page) == stages[1]
        # the same by touch; a button has the space bar for itself
        page.locator(".next").click()
        assert shown(page) == stages[2]
        page.keyboard.press(" ")
        assert shown(page)[:2] == ("npo-5", 0)
        assert "5" in left(page)
        page.locator("select").select_option("stability")
        page.keyboard.press("ArrowRight")
        assert shown(page)[:1] == ("stability-1",) and shown(page)[1] > 1
        page.reload()
        assert shown(page)[:2] == ("stability-1", 0)


@editions("zh")
def test_the_first_and_the_last_slide_are_the_ends(browser, address, edition):
    with Visit(browser, address, **DESKTOP) as visit:
        page = opened(visit, f"{address}{edition}-clicker.html")
        for key, button, end in (("ArrowLeft", ".back", f"{CHAPTERS[0]}-1"), ("ArrowRight", ".next", None)):
            if end is None:
                end = f"{CHAPTERS[-1]}-5"
                page.goto(f"{address}{edition}-clicker.html#{end}")
                # the page hears of a new hash a moment later
                page.locator(f"#{end}:not(.away)").wait_for()
                page.keyboard.press(key)
                page.keyboard.press(key)
            assert page.locator(button).is_disabled()
            page.keyboard.press(key)
            assert asked(page) == end


@editions("en")
def test_every_slide_fits_the_screen_in_letters_that_can_be_read_at_the_back(browser, address, edition):
    sizes = {}
    with Visit(browser, address, **DESKTOP | {"viewport": {"width": 1280, "height": 720}}) as visit:
        page = opened(visit, f"{address}{edition}-clicker.html")
        for _ in range(COUNT):
            page.keyboard.press("ArrowRight")
            page.keyboard.press("ArrowRight")
            room = page.evaluate("innerHeight - document.documentElement.scrollHeight")
            size = float(
                page.evaluate(
                    "parseFloat(getComputedStyle(document.querySelector('.deck')).getPropertyValue('--size'))"
                )
            )
            sizes[asked(page)] = size, room
            page.keyboard.press("ArrowRight")
    small = {name: found for name, found in sizes.items() if found[0] < 22 or found[1] < 0}
    assert len(sizes) == COUNT and not small, f"questions whose letters must be smaller to fit: {small}"


@pytest.mark.parametrize("file", ["", "-clicker"])
@editions("zh")
def test_it_is_accessible_fits_a_phone_and_needs_no_other_host(browser, address, edition, file):
    with Visit(browser, address.removesuffix("quiz/"), **DESKTOP) as visit:
        page = opened(visit, f"{address}{edition}{file}.html")
        page.add_style_tag(content=STILL)
        if file:
            page.keyboard.press("ArrowRight")
        answer(page, right=False)
        page.evaluate(SHORTEN)
        assert not violations(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[-1]
        assert page.evaluate("document.documentElement.dataset.theme") == "dark", "the theme that axe checked last"
        assert not visit.complaints

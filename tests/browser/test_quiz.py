"""The quiz in a browser: one question at a time, the first answer counts, and a wrong one comes back."""

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
    # its one script runs before the page has loaded
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


@editions("zh")
def test_without_scripts_all_questions_are_there(browser, address, edition):
    with Visit(browser, address, java_script_enabled=False, **PHONE) as visit:
        page = opened(visit, f"{address}{edition}.html")
        assert page.locator(".quick:visible").count() == COUNT
        assert page.locator(":is(.controls, .next, select):visible").count() == 0


@pytest.mark.parametrize("stored", ["no JSON", "[1]", "null", '"text"'])
def test_what_a_browser_kept_cannot_break_the_page(browser, address, stored):
    with Visit(browser, address, **DESKTOP) as visit:
        page = opened(visit, f"{address}en.html")
        page.evaluate("stored => localStorage.setItem('quiz', stored)", stored)
        page.reload()
        assert asked(page) == "intro-1"


@editions("zh")
def test_it_is_accessible_fits_a_phone_and_needs_no_other_host(browser, address, edition):
    with Visit(browser, address.removesuffix("quiz/"), **DESKTOP) as visit:
        page = opened(visit, f"{address}{edition}.html")
        page.add_style_tag(content=STILL)
        answer(page, right=False)
        page.evaluate(SHORTEN)
        assert not violations(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[-1]
        assert page.evaluate("document.documentElement.dataset.theme") == "dark", "the theme that axe checked last"
        assert not visit.complaints

"""The slides in a browser: keys turn them, demos move in them, each fits, and a phone shows them as a page."""

import shutil
from runpy import run_path

import pytest

from tests.book.pages import EDITIONS, editions
from tests.browser.axe import violations
from tests.browser.conftest import serving
from tests.browser.letters import lost_characters
from tests.browser.visit import DESKTOP, PHONE, STILL, Visit, too_wide, wait_until
from tests.conftest import ROOT

# the slides of a copy of the site take half a minute
pytestmark = pytest.mark.nightly
slides = run_path(str(ROOT / "book/slides/__main__.py"))
NAMES = [path.stem for path in slides["SOURCES"]]
SCREEN = {"viewport": {"width": 1280, "height": 720}}
AT = "() => Reveal.getIndices().h"
# what sticks out of its slide, besides what is for screen readers
CUT = """() => {
  const sheet = Reveal.getCurrentSlide().querySelector(".sheet"), edge = sheet.getBoundingClientRect();
  return [...sheet.querySelectorAll("*")].filter((part) => {
    if (part.closest(".katex, svg, .npo-said, .npo-text, details:not([open]) > :not(summary)")) return false;
    const { width, left, right, bottom } = part.getBoundingClientRect();
    return width && (bottom > edge.bottom + 1 || right > edge.right + 1 || left < edge.left - 1);
  }).map((part) => part.outerHTML.slice(0, 100));
}"""


@pytest.fixture(scope="module")
def address(site, tmp_path_factory):
    copy = tmp_path_factory.mktemp("slides")
    for name in ("_static", "_images"):
        (copy / name).symlink_to(site / name)
    for edition in EDITIONS:
        shutil.copytree(site / f"book/{edition}", copy / f"book/{edition}")
    slides["write"](copy)
    with serving(copy) as server:
        yield f"{server}slides/"


def opened(visit, address):
    visit.page.goto(address)
    wait_until(visit.page, "() => window.Reveal?.isReady()")
    return visit.page


@pytest.mark.parametrize("edition", EDITIONS)
def test_keys_turn_the_slides_and_the_notes_follow(browser, address, edition):
    with Visit(browser, address.removesuffix("slides/"), **SCREEN) as visit:
        page = opened(visit, f"{address}{edition}/lecture-1-forgetting.html")
        assert page.evaluate("document.documentElement.lang") == EDITIONS[edition]
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        assert page.evaluate(AT) == 2
        wait_until(page, "() => location.hash === '#/3'")
        with page.expect_popup() as popup:
            page.keyboard.press("s")
        notes = popup.value
        wait_until(notes, "() => location.hash === '#3'")
        page.keyboard.press("ArrowLeft")
        wait_until(notes, "() => document.querySelector('li:target')?.id === '2'")
        assert not visit.complaints


@editions("en")
def test_a_demo_moves_and_gives_the_keys_back(browser, address, edition):
    with Visit(browser, address.removesuffix("slides/"), **SCREEN) as visit:
        page = opened(visit, f"{address}{edition}/lecture-3-npo.html#/8")
        slider = page.locator("section.present .npo-explorer input[type=range]").first
        slider.wait_for()
        curve = "() => document.querySelector('section.present .npo-explorer').outerHTML"
        before, at = page.evaluate(curve), page.evaluate(AT)
        slider.focus()
        page.keyboard.press("ArrowRight")
        assert page.evaluate(curve) != before, "the arrow keys move the slider"
        assert page.evaluate(AT) == at
        page.keyboard.press("Escape")
        page.keyboard.press("ArrowRight")
        assert page.evaluate(AT) == at + 1
        assert not visit.complaints


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("name", NAMES)
def test_every_slide_fits(browser, address, name, edition):
    with Visit(browser, address.removesuffix("slides/"), **SCREEN) as visit:
        page = opened(visit, f"{address}{edition}/{name}.html")
        for _ in range(page.evaluate("Reveal.getTotalSlides()")):
            if page.locator("section.present .shows-demo").count():
                page.locator("section.present .npo-explorer").wait_for()
            # the size is found with the next frame
            page.wait_for_timeout(100)
            assert not page.evaluate(CUT), page.url
            assert page.evaluate("Number(Reveal.getCurrentSlide().querySelector('.what')?.dataset.scale ?? 1)") > 0.5
            page.evaluate("Reveal.next()")
        assert not visit.complaints
        assert not list(lost_characters(page)), "the site's fonts of formulas must have every character of the slides"


@editions("zh")
def test_a_phone_shows_them_as_a_page(browser, address, edition):
    with Visit(browser, address.removesuffix("slides/"), **PHONE) as visit:
        for name in NAMES:
            for end in ("", "-notes"):
                visit.page.goto(f"{address}{edition}/{name}{end}.html")
                assert not too_wide(visit.page), f"{name}{end}"
                lost = list(lost_characters(visit.page))
                assert not lost, f"{name}{end}: the site's fonts of formulas must have every character, got {lost}"
        assert not visit.page.evaluate("Boolean(window.Reveal?.isReady())")
        assert not visit.complaints


@editions("en")
def test_on_paper_each_slide_is_a_page(browser, address, edition):
    with Visit(browser, address.removesuffix("slides/"), **SCREEN) as visit:
        page = opened(visit, f"{address}{edition}/lecture-2-pairs.html?print-pdf")
        wait_until(page, "() => document.querySelector('.pdf-page')")
        assert page.locator(".pdf-page").count() == page.locator(".pdf-page section").count() == 17
        assert not visit.complaints


@editions("zh")
@pytest.mark.parametrize("end", ["", "-notes"])
def test_they_are_accessible(browser, address, edition, end):
    with Visit(browser, address.removesuffix("slides/"), **DESKTOP) as visit:
        visit.page.goto(f"{address}{edition}/lecture-1-forgetting{end}.html")
        visit.page.add_style_tag(content=STILL)
        assert not violations(visit.page, widths=(1280,))

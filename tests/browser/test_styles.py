"""Pages look the same with the reduced style sheet as with all the sheets it was made from, to the pixel.

This module compares pages of each kind; `test_pages` checks every page for lost rules and for lost characters of
formulas.
"""

import re

import pytest

from tests.browser.letters import lost_characters
from tests.browser.styles import assets, lost_rules, whole_sheet
from tests.browser.visit import DESKTOP, PHONE, STILL, Visit, wait_until

LOADED = """() => {
  const number = (selector) => document.querySelectorAll(selector).length;
  const demos = number("script[type*=widget-view]") === number(".npo-explorer") && !number(".npo-chart:not([viewBox])");
  return demos && [...document.images].every((image) => image.complete || !image.offsetParent);
}"""
REPLACE = """(link, text) => {
  const sheet = document.createElement("style");
  sheet.textContent = text;
  link.replaceWith(sheet);
}"""
DARK = PHONE | {"color_scheme": "dark"}
SHOWN = [
    ("index", DESKTOP),
    ("book/api", DARK),
    ("book/en/index", DESKTOP),
    ("book/en/npo", DESKTOP),
    ("book/en/homework", DARK),
    ("book/zh/stability", DARK),
    ("book/zh/faq", DESKTOP),
    ("book/zh/how-to-run", DESKTOP),
]


def still_picture(page):
    """The page once two pictures are equal: on a busy machine a frame may draw late."""
    before, now = None, page.screenshot(timeout=60_000)
    for _ in range(10):
        if now == before:
            break
        before, now = now, page.screenshot(timeout=60_000)
    return now


def looks_the_same(browser, own, name, whole, options, pictures=10):
    """Whether a page looks the same with the whole sheet in place of the joined one."""
    with Visit(browser, own, **options) as visit:
        page = visit.open(f"{own}{name}.html")
        page.add_style_tag(content=STILL)
        # the whole page at once, so that demos and images load before the first picture and not between the two
        page.evaluate("document.documentElement.classList.add('laid-out')")
        height = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": options["viewport"]["width"], "height": height})
        wait_until(page, LOADED)
        page.wait_for_load_state("networkidle")
        # a frame may draw after two pictures in which it was empty
        for frame in page.frames[1:]:
            frame.wait_for_load_state("networkidle")
            frame.locator(".npo-explorer, svg").first.wait_for()
            frame.evaluate("document.fonts.ready")
        page.evaluate("document.fonts.ready")
        seen = still_picture(page)
        link = page.locator(f'link[href*="{assets.SHEET}"]')
        link.evaluate(REPLACE, re.sub(r"url\((?![\"']?(?:data:|#))", f"url({own}_static/", whole))
        # what a busy machine draws late is waited for, and what is lost never comes
        return any(page.screenshot(timeout=60_000) == seen for _ in range(pictures))


@pytest.mark.nightly
@pytest.mark.parametrize(("name", "options"), SHOWN, ids=[name for name, _ in SHOWN])
def test_a_page_looks_the_same_with_the_whole_sheets(browser, server, name, options):
    assert looks_the_same(browser, server, name, whole_sheet(), options)


def test_a_lost_rule_is_found(browser, server):
    # a check that cannot fail is worthless
    rule = "article strong:hover, article #main-content:not(.x, .y) { letter-spacing: .01px; }"
    with Visit(browser, server, **DESKTOP) as visit:
        page = visit.open(f"{server}book/en/npo.html")
        assert lost_rules(page) == []
        assert lost_rules(page, whole_sheet() + rule) == ["lost its rules for article strong:hover"]
    lost = whole_sheet() + "article strong { letter-spacing: .01px; }"
    # none of the pictures will be the same: two, because only the first could be one that was drawn late
    assert not looks_the_same(browser, server, "book/en/npo", lost, DESKTOP, pictures=2)


def test_a_lost_character_is_found(browser, server):
    drawn = "<span class='katex'><span class='katex-html'><span class='mathbb'>{}</span></span></span>"
    with Visit(browser, server, **DESKTOP) as visit:
        page = visit.open(f"{server}book/en/npo.html")
        assert not [*lost_characters(page)]
        # the site uses this letter for expectations, and never for the rational numbers
        for letter in "EQ":
            page = visit.open(f"{server}book/en/npo.html")
            page.evaluate(
                "(html) => document.querySelector('article').insertAdjacentHTML('beforeend', html)",
                drawn.format(letter),
            )
            assert [lost.split()[1] for lost in lost_characters(page)] == ["'Q'"] * (letter == "Q")

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
# the whole sheet behind the joined one; one of them at a time has an effect
ADD = """(link, text) => {
  const sheet = document.createElement("style");
  sheet.textContent = text;
  sheet.id = "whole-sheet";
  sheet.media = "not all";
  link.id = "joined-sheet";
  link.after(sheet);
}"""
CHOOSE = """(chosen) => {
  for (const name of ["joined", "whole"])
    document.getElementById(`${name}-sheet`).media = name === chosen ? "all" : "not all";
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


def looks_the_same(browser, own, name, whole, options, attempts=5):
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
        link = page.locator(f'link[href*="{assets.SHEET}"]')
        link.evaluate(ADD, re.sub(r"url\((?![\"']?(?:data:|#))", f"url({own}_static/", whole))
        for _ in range(attempts):
            seen = []
            for sheet in ("joined", "whole"):
                page.evaluate(CHOOSE, sheet)
                seen.append(still_picture(page))
            # a busy machine may have drawn one of them late, and what is lost never comes
            if seen[0] == seen[1]:
                return True
        return False


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
    assert not looks_the_same(browser, server, "book/en/npo", lost, DESKTOP, attempts=1)


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

"""The style sheet that was joined and cut shows every page as the sheets do that it was made from, to the pixel."""

import json
import re
import sys

import pytest

from tests.book.pages import all_pages
from tests.browser.test_pages import DESKTOP, PHONE, Visit
from tests.conftest import ROOT

sys.path.append(str(ROOT / "book/_ext"))
import joined_files

# both would differ from one picture to the next
STILL = "*, ::before, ::after { transition: none !important; animation: none !important; caret-color: transparent; }"
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


@pytest.fixture(scope="module")
def whole(site):
    """All that was joined, as it was before it was cut."""
    files = json.loads((ROOT / "_build/.doctrees/joined-files.json").read_text())["css_files"]
    static = site / "_static"
    return "\n".join(joined_files.sheet(static, name.removeprefix("_static/")) for name in sorted(files, key=files.get))


def differences(browser, own, whole, pages, **options):
    """The pages that look otherwise with the whole sheet, which takes the joined one's place while they are shown."""
    found = []
    with Visit(browser, own, **options) as visit:
        for name in pages:
            page = visit.open(own + name)
            page.add_style_tag(content=STILL)
            link = page.locator(f'link[href*="{joined_files.SHEET}"]')
            if not link.count():
                continue
            # all of the page at once, so that demos and images come before the first picture and not between the two
            height = page.evaluate("document.documentElement.scrollHeight")
            page.set_viewport_size({"width": options["viewport"]["width"], "height": height})
            page.wait_for_function(LOADED)
            page.wait_for_load_state("networkidle")
            seen = page.screenshot(timeout=60_000)
            link.evaluate(REPLACE, re.sub(r"url\((?![\"']?(?:data:|#))", f"url({own}_static/", whole))
            page.evaluate("document.fonts.ready")
            if page.screenshot(timeout=60_000) != seen:
                found.append(name)
            page.evaluate("localStorage.clear()")
    return found


@pytest.mark.parametrize(
    ("other", "options"), [("zh", DESKTOP), ("en", PHONE | {"color_scheme": "dark"})], ids=["wide-light", "phone-dark"]
)
def test_every_page_looks_as_with_the_whole_sheets(browser, site, server, whole, other, options):
    # a page and its twin in the other language are made of the same things: one is seen so, the other so
    pages = [name for name in all_pages(site) if f"/{other}/" not in name]
    assert not differences(browser, server, whole, pages, **options)


def test_a_lost_rule_is_seen(browser, server, whole):
    # a check that cannot fail is none
    lost = whole + "article strong { letter-spacing: .01px; }"
    assert differences(browser, server, lost, ["book/en/npo.html"], **DESKTOP) == ["book/en/npo.html"]

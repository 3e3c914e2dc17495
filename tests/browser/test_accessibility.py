"""Axe finds nothing wrong with any page, with all folds opened, in light and dark, wide and narrow.

Every run checks each page in light and at one width (test_pages), and what buttons open here; the rest is nightly.
"""

from pathlib import Path

import pytest

from npo_tutorial import demos
from npo_tutorial.explore import save_html
from tests.book.pages import CHAPTERS, EDITIONS, NAMES, all_pages
from tests.browser.axe import RULES, SHORTEN, WIDTHS, opened, violations
from tests.browser.conftest import ARGUMENTS
from tests.browser.demos import mounted
from tests.browser.test_panels import run_and_plane
from tests.browser.visit import DESKTOP, UNFOLD, Visit
from tests.conftest import nightly

SHARED = ["index.html", "404.html", "genindex.html", "book/api.html"]
ADDRESSES = [f"book/{edition}/{name}.html" for edition in EDITIONS for name in NAMES] + SHARED
# buttons, what they open, and where they are
OPENED = [
    (".primary-toggle", "#pst-primary-sidebar-modal[open]", 390),
    (".secondary-toggle", "#pst-secondary-sidebar-modal[open]", 390),
    (".dropdown-launch > button", ".dropdown-launch .dropdown-menu.show", 1280),
    (".dropdown-download-buttons > button", ".dropdown-download-buttons .dropdown-menu.show", 1280),
]


def test_every_page_is_checked(site):
    # the map and the embeddable pages have tests of their own
    pages = {page for page in all_pages(site) if not page.startswith("embed/")}
    assert pages == {*ADDRESSES, "NPO.html"}, "a page without a source in book/en must be in SHARED"


@pytest.mark.parametrize("address", nightly(*ADDRESSES))
def test_page_with_its_demos(browser, server, address):
    with opened(browser, server, server + address) as page:
        if Path(address).stem in CHAPTERS:
            mounted(page, Path(address).stem)
        page.evaluate(UNFOLD)
        page.evaluate(SHORTEN)
        assert not violations(page)


@pytest.mark.parametrize("address", ["book/zh/npo.html", *nightly("book/en/divergence.html")])
def test_every_formula_is_read_once(chromium, browser, server, address):
    # distant blocks are in the accessibility tree only if a screen reader is active
    listening = browser.browser_type.launch(
        executable_path=chromium, args=[*ARGUMENTS, "--force-renderer-accessibility"]
    )
    with listening, opened(listening, server, server + address) as page:
        page.evaluate(UNFOLD)
        shown = page.locator("math").evaluate_all("all => all.filter((math) => math.checkVisibility()).length")
        tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
        spoken = [node["role"]["value"] for node in tree if not node["ignored"]]
        assert shown > 5
        assert spoken.count("MathMLMath") == shown, "a screen reader must find each formula once"


@pytest.mark.parametrize(("edition", "all_of_it"), [("zh", False), *nightly(("zh", True), ("en", True))])
@pytest.mark.parametrize(("button", "shown", "width"), OPENED)
def test_what_a_button_opens(browser, server, edition, button, shown, width, all_of_it):
    with opened(browser, server, f"{server}book/{edition}/npo.html") as page:
        page.set_viewport_size({"width": width, "height": 900})
        page.locator(f"{button}:visible").first.click()
        page.wait_for_selector(shown)
        page.evaluate(SHORTEN)
        # by day what was opened, because test_pages checks the rest
        assert not violations(page, [width], part=None if all_of_it else shown)


# by day at one width each: a phone opens the list, and test_pages checks the map that a desktop opens
@pytest.mark.parametrize(
    ("edition", "view", "widths"),
    [
        ("en", "map", WIDTHS[1:]),
        ("en", "list", WIDTHS[1:]),
        ("en", "panel", WIDTHS[:1]),
        *nightly(*((edition, view, WIDTHS) for edition in EDITIONS for view in ("map", "list", "panel"))),
    ],
)
def test_concept_map(browser, server, edition, view, widths):
    with opened(browser, server, f"{server}NPO.html?lang={edition}") as page:
        if view == "panel":
            page.click(".node[data-concept=npo]")
            page.locator("#npo .npo-explorer").first.wait_for()
        else:
            page.click(f"[data-do={view}]")
        assert not violations(page, widths)


# by day at one width; test_pages checks those of the chapters on a phone
@pytest.mark.parametrize(("lang", "widths"), [("zh", WIDTHS[:1]), *nightly(("zh", WIDTHS), ("en", WIDTHS))])
def test_explorers_by_themselves(browser, tmp_path, lang, widths):
    shown = [demos.softmax_policy(), demos.divergence(), demos.digits(), run_and_plane()]
    save_html(shown, tmp_path / "page.html", title="Demos", language=lang)
    own = tmp_path.as_uri() + "/"
    with opened(browser, own, own + "page.html") as page:
        page.locator(".npo-explorer").nth(len(shown) - 1).wait_for()
        assert not violations(page, widths)


def test_violations_are_found(browser, tmp_path):
    # a check that cannot fail is worthless
    (tmp_path / "page.html").write_text('<p style="color: #777; background: #888">faint</p><img src="data:,">', "utf-8")
    own = tmp_path.as_uri() + "/"
    with Visit(browser, own, **DESKTOP) as visit:
        page = visit.open(own + "page.html")
        found = " ".join(violations(page))
        in_a_part = " ".join(violations(page, part="p"))
    for theme in RULES:
        for width in WIDTHS:
            for rule in ("color-contrast", "image-alt", "html-has-lang")[: 3 if theme == "light" else 1]:
                assert f"{theme}, {width} px: {rule}: " in found
    assert ": color-contrast: " in in_a_part and ": image-alt: " not in in_a_part

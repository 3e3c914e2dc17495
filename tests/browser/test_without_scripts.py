"""Every page with JavaScript off: all text is there, links lead everywhere, and no control pretends to work."""

import re

import pytest

from tests.book.pages import TWINS, all_pages, editions
from tests.browser.checks import KINDS, chapter
from tests.browser.demos import demos_of
from tests.browser.visit import DESKTOP, PHONE, Visit, crawl, too_wide
from tests.conftest import nightly

SCREENS = {"desktop": DESKTOP, "phone": PHONE}
OFF = {"java_script_enabled": False}
LIGHTNESS = "e => getComputedStyle(e).{}.match(/[\\d.]+/g).slice(0, 3).reduce((sum, c) => sum + Number(c), 0) / 765"
# elements that only work with a script
NEEDS_SCRIPTS = (
    ".search-button__button, .theme-switch-button, button.sidebar-toggle, .btn-download-pdf-button, .copybtn, "
    "dialog, .npo-explorer"
)

# elements that readers neither see nor can unfold; a picture that did not load has no width of its own
HIDDEN = """() => [...document.querySelectorAll("article.bd-article :is(p:not(:empty), .math, h1, h2, h3, table, img)")]
  .filter(e => !e.closest("details, .sd-tab-content") && !(e.getBoundingClientRect().height
    && e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && (e.naturalWidth ?? 1)))
  .map(e => e.outerHTML.slice(0, 120))"""


def lightness(element, name):
    return element.evaluate(LIGHTNESS.format(name))


def shown(page, selector):
    return [element for element in page.locator(selector).all() if element.is_visible()]


def whole(visit, name, site):
    """Nothing may stick out or pretend to work, all text must be there, and a picture must replace each demo."""
    page = visit.page
    yield from too_wide(page)
    yield from (f"shows {element}" for element in shown(page, NEEDS_SCRIPTS))
    if name in TWINS:
        yield from (f"hides {element}" for element in page.evaluate(HIDDEN))
    if chapter(name):
        pictures = page.locator(".widget-stand-in img").all()
        if len(pictures) != len(demos_of(chapter(name))):
            yield f"has {len(pictures)} pictures of demos, not {len(demos_of(chapter(name)))}"
        for picture in pictures:
            picture.scroll_into_view_if_needed()
            if picture.bounding_box()["width"] < 240 or len(picture.get_attribute("alt")) <= 20:
                yield f"has a picture that is small or says little: {picture.get_attribute('alt')}"


# by day each kind is opened on one screen, and there is a chapter on both
@pytest.mark.parametrize(
    ("screen", "pages"),
    [("desktop", KINDS[::2]), ("phone", KINDS[1::2]), *nightly(("desktop", None), ("phone", None))],
    ids=["desktop-kinds", "phone-kinds", "desktop-all", "phone-all"],
)
def test_pages_are_whole(browser, site, server, pages, screen):
    crawl(browser, site, server, pages or all_pages(site), [whole], **OFF, **SCREENS[screen])


@pytest.mark.parametrize(
    ("edition", "screen"), [("zh", "desktop"), ("en", "phone"), *nightly(("zh", "phone"), ("en", "desktop"))]
)
def test_links_lead_everywhere(browser, site, server, edition, screen):
    with Visit(browser, server, **OFF, **SCREENS[screen]) as visit:
        page = visit.open(f"{server}book/{edition}/npo.html")
        if screen == "phone":
            page.click(".to-primary-sidebar")
        chapter = page.locator("#pst-primary-sidebar a[href='stability.html']")
        assert chapter.is_visible()
        chapter.click()
        page.wait_for_url(f"{server}book/{edition}/stability.html")
        page.click(".prev-next-footer .right-next")
        page.wait_for_url(f"{server}book/{edition}/divergence.html")
        page.click(".prev-next-footer .left-prev")
        page.wait_for_url(f"{server}book/{edition}/stability.html")
        if screen == "phone":
            page.click(".to-secondary-sidebar")
        section = page.locator("#pst-secondary-sidebar a[href^='#']").last
        section.click()
        assert "#" in page.url
        other = {"zh": "en", "en": "zh"}[edition]
        page.click(f"a.edition-switch[data-edition={other}]")
        page.wait_for_url(re.compile(f"{server}book/{other}/stability.html"))
        # the menus contain links, and one of them is the notebook
        page.locator(".dropdown-download-buttons button").first.click()
        assert page.locator(".btn-download-notebook-button").is_visible()
        assert not visit.complaints


@pytest.mark.parametrize("name", ["npo", *nightly("preference-optimization", "gradient-ascent")])
@editions("en")
def test_solutions_and_folded_parts_can_be_read(browser, server, edition, name):
    with Visit(browser, server, **OFF, **DESKTOP) as visit:
        page = visit.open(f"{server}book/{edition}/{name}.html")
        for box in page.locator("div.solution, div.proof, div.admonition").all():
            # but not what is folded inside it
            assert box.locator(":is(p, .math):not(details *)").last.is_visible()
        for fold in page.locator("article details").all():
            fold.locator("> summary").click()
            # the lines of folded code are in front of the fold
            content = fold.locator("> :not(summary)").or_(fold.locator("..").locator("> .highlight-ipython3 .hll"))
            # visible; a busy machine opens it late
            content.first.wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_are_those_that_the_system_prefers(browser, server, scheme):
    looks = {}
    for name, scripts in (("with", True), ("without", False)):
        with Visit(browser, server, java_script_enabled=scripts, color_scheme=scheme, **DESKTOP) as visit:
            page = visit.open(server + "book/en/npo.html")
            looks[name] = [
                page.locator(selector).first.evaluate(f"e => getComputedStyle(e).{prop}")
                for selector, prop in (
                    ("body", "backgroundColor"),
                    ("article p", "color"),
                    ("article p a", "color"),
                    ("article .highlight", "backgroundColor"),
                    ("article .highlight .kn", "color"),
                    ("article figure img", "filter"),
                )
            ]
            dark = lightness(page.locator("body"), "backgroundColor") < 0.5
            assert dark == (scheme == "dark")
            page.emulate_media(media="print", color_scheme="light")
            assert lightness(page.locator("article p").first, "color") < 0.4
    assert looks["with"] == looks["without"]


def test_with_scripts_no_style_for_readers_without_them_is_fetched(browser, server):
    asked = []
    with Visit(browser, server, **PHONE) as visit:
        visit.page.on("request", lambda request: asked.append(request.url))
        page = visit.open(server + "book/en/npo.html")
        assert asked and not [address for address in asked if "without-scripts" in address]
        assert page.locator("button.primary-toggle").is_visible()
        assert not shown(page, ".to-primary-sidebar, #pst-primary-sidebar")

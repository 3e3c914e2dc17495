"""axe finds nothing wrong with chapters and demos, concept map, saved explorers: light and dark, wide and narrow."""

from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe

from npo_tutorial import demos
from npo_tutorial.explore import save_html
from tests.book.pages import CHAPTERS, EDITIONS
from tests.browser.test_demos import mounted
from tests.browser.test_pages import DESKTOP, Visit
from tests.browser.test_panels import run_and_plane

# KaTeX draws each formula once for the eye, in the colour of the text around it, and has MathML for all others
CONTEXT = {"exclude": [".katex-html"]}
# without preload: it would ask for style sheets at wrong addresses, for the sake of a rule that is off
OPTIONS = {"resultTypes": ["violations"], "preload": False}
# the themes differ in colours only
RULES = {"light": {}, "dark": {"runOnly": ["color-contrast", "link-in-text-block"]}}
BOTH = [(theme, width) for width in (1280, 390) for theme in RULES]
# else colours would be measured on their way from one theme to the other
STILL = "*, ::before, ::after { transition: none !important; animation: none !important; }"


@contextmanager
def opened(browser, own, address):
    with Visit(browser, own, **DESKTOP) as visit:
        page = visit.open(address)
        page.add_style_tag(content=STILL)
        yield page
        assert not visit.complaints


def violations(page):
    """What axe finds at every theme and width, each with theme, width, rule and element."""
    found = []
    for theme, width in BOTH:
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": 900})
        # the theme looks a while after a resize for what now scrolls, and lets a keyboard reach it
        page.wait_for_timeout(500)
        for violation in Axe().run(page, CONTEXT, OPTIONS | RULES[theme]).response["violations"]:
            found += [f"{theme}, {width} px: {violation['id']}: {node['html'][:200]}" for node in violation["nodes"]]
    return found


@pytest.mark.parametrize("name", CHAPTERS)
@pytest.mark.parametrize("edition", EDITIONS)
def test_chapter_with_its_demos(browser, server, edition, name):
    with opened(browser, server, f"{server}book/{edition}/{name}.html") as page:
        mounted(page, name)
        assert not violations(page)


@pytest.mark.parametrize("view", ["map", "list", "panel"])
@pytest.mark.parametrize("edition", EDITIONS)
def test_concept_map(browser, server, edition, view):
    with opened(browser, server, f"{server}NPO.html?lang={edition}") as page:
        page.locator(".widget .npo-explorer").first.wait_for(state="attached")
        if view == "panel":
            page.click(".node[data-concept=npo]")
        else:
            page.click(f"[data-do={view}]")
        assert not violations(page)


@pytest.mark.parametrize("lang", EDITIONS)
def test_explorers_by_themselves(browser, tmp_path, lang):
    shown = [demos.softmax_policy(), demos.divergence(), demos.digits(), run_and_plane()]
    save_html(shown, tmp_path / "page.html", title="Demos", lang=lang)
    own = tmp_path.as_uri() + "/"
    with opened(browser, own, own + "page.html") as page:
        page.locator(".npo-explorer").nth(len(shown) - 1).wait_for()
        assert not violations(page)


def test_what_is_wrong_is_found(browser, tmp_path):
    # a check that cannot fail is none
    (tmp_path / "page.html").write_text('<p style="color: #777; background: #888">faint</p><img src="data:,">')
    own = tmp_path.as_uri() + "/"
    with Visit(browser, own, **DESKTOP) as visit:
        found = " ".join(violations(visit.open(own + "page.html")))
    for theme, width in BOTH:
        for rule in ("color-contrast", "image-alt", "html-has-lang")[: 3 if theme == "light" else 1]:
            assert f"{theme}, {width} px: {rule}: " in found

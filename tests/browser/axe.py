"""What axe finds wrong with a page, in every theme and at every width."""

from contextlib import contextmanager

from axe_playwright_python.sync_playwright import Axe

from tests.browser.visit import DESKTOP, STILL, Visit

# what KaTeX draws for the eye is hidden from all others, and has the colour of the text around it
CONTEXT = {"exclude": [".katex-html"]}
# without preload: it would ask for style sheets at wrong addresses, for the sake of a rule that is off
OPTIONS = {"resultTypes": ["violations"], "preload": False}
# the themes differ in colours only
RULES = {"light": {}, "dark": {"runOnly": ["color-contrast", "link-in-text-block"]}}
WIDTHS = (1280, 390)


@contextmanager
def opened(browser, own, address):
    with Visit(browser, own, **DESKTOP) as visit:
        page = visit.open(address)
        page.add_style_tag(content=STILL)
        yield page
        assert not visit.complaints


def violations(page, widths=WIDTHS):
    """What axe finds in every theme and at every width, each with theme, width, rule and element."""
    found = []
    # what is far away learns whether it scrolls when it is laid out, as it is for whoever uses the keyboard
    page.evaluate("document.documentElement.classList.add('laid-out')")
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        # the theme looks a while after a resize for what now scrolls, and lets a keyboard reach it
        page.wait_for_timeout(500)
        for theme, rules in RULES.items():
            page.emulate_media(color_scheme=theme)
            # the page hears of it with its next picture
            page.wait_for_timeout(100)
            for broken in Axe().run(page, CONTEXT, OPTIONS | rules).response["violations"]:
                found += [f"{theme}, {width} px: {broken['id']}: {node['html'][:200]}" for node in broken["nodes"]]
    return found

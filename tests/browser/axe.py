"""What axe finds wrong with a page, in every theme and at every width."""

from contextlib import contextmanager

from axe_playwright_python.sync_playwright import Axe

from tests.browser.visit import DESKTOP, STILL, Visit, next_picture, wait_until

# KaTeX hides the visual copy of a formula from screen readers, and it has the colour of the text around it
CONTEXT = {"exclude": [".katex-html"]}
# preload would request style sheets at wrong addresses, for a rule that is off
OPTIONS = {"resultTypes": ["violations"], "preload": False}
# the themes differ in colours only
RULES = {"light": {}, "dark": {"runOnly": ["color-contrast", "link-in-text-block"]}}
WIDTHS = (1280, 390)
# Axe takes a minute over the thousands of elements of a page's formulas, which test_site checks by itself. Here each
# formula becomes a word for screen readers, and boxes of the same size for the eye.
SHORTEN = """() => {
  const parts = [...document.querySelectorAll(".katex-base")];
  const sizes = parts.map((part) => part.getBoundingClientRect());
  parts.forEach((part, i) => {
    part.replaceChildren();
    part.style = `display: inline-block; width: ${sizes[i].width}px; height: ${sizes[i].height}px`;
  });
  for (const math of document.querySelectorAll(".katex math"))
    math.replaceWith(math.querySelector("annotation").textContent);
}"""
# The theme makes a box focusable a moment after it starts to scroll; until then axe complains about it.
REACHABLE = """(deadline) => performance.now() > deadline || ![...document.querySelectorAll("pre, article div")].some(
  (box) => box.tabIndex < 0 && box.scrollWidth > box.clientWidth
    && ["auto", "scroll"].includes(getComputedStyle(box).overflowX))"""


@contextmanager
def opened(browser, own, address):
    with Visit(browser, own, **DESKTOP) as visit:
        page = visit.open(address)
        page.add_style_tag(content=STILL)
        yield page
        assert not visit.complaints


def violations(page, widths=WIDTHS, themes=tuple(RULES), part=None):
    """The violations that axe finds in the themes and at the widths, each with theme, width, rule and element.

    With the selector `part` axe looks only there.
    """
    found = []
    context = CONTEXT | ({"include": [part]} if part else {})
    # distant blocks get their size, and so may scroll, once they are laid out, as they are for keyboard users
    page.evaluate("document.documentElement.classList.add('laid-out')")
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        next_picture(page)
        wait_until(page, REACHABLE, page.evaluate("performance.now() + 1500"))
        for theme in themes:
            page.emulate_media(color_scheme=theme)
            # the page learns of the change with its next frame
            next_picture(page)
            for broken in Axe().run(page, context, OPTIONS | RULES[theme]).response["violations"]:
                found += [f"{theme}, {width} px: {broken['id']}: {node['html'][:200]}" for node in broken["nodes"]]
    return found

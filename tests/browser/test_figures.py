"""Text in figures has the contrast of text, on the ground where it stands and as a light or dark page shows it."""

import re
from xml.etree import ElementTree

import pytest
from matplotlib.colors import to_rgb

from tests.book.pages import NAMES, article
from tests.browser.visit import DESKTOP, STILL, Visit
from tests.colors import contrast, in_dark_mode

# what CSS does to a figure on a dark page, and the same in Python
FILTERS = {"light": ("none", tuple), "dark": ("invert(1) hue-rotate(180deg)", in_dark_mode)}
# of every figure that is shown: its filter, and the ground of the nearest element around it that has one
STANDING = """() => [...document.querySelectorAll("article img[src$='.svg']")].map((image) => {
  const ground = (e) => getComputedStyle(e).backgroundColor;
  let around = image;
  while (ground(around) === "rgba(0, 0, 0, 0)") around = around.parentElement;
  return [getComputedStyle(image).filter, ground(around)];
})"""


def inks(svg):
    """Colours of all text of a figure: Matplotlib puts each text, whether in letters or as outlines, into a group."""
    found = []
    for group in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}g"):
        if re.match(r"text_\d", group.get("id", "")):
            text = ElementTree.tostring(group, encoding="unicode")
            assert "opacity" not in text
            # what says nothing is black
            found += re.findall(r"(?<![-\w])fill[:=]\W*(#\w+)", text) or ["#000000"]
    return found


@pytest.mark.parametrize("theme", FILTERS)
def test_text_can_be_read(browser, server, site, theme):
    filter, shown = FILTERS[theme]
    standing = set()
    # one figure serves both editions
    for name in (name for name in NAMES if article(site, "en", name).select("img[src$='.svg']")):
        with Visit(browser, server, **DESKTOP, color_scheme=theme) as visit:
            page = visit.open(f"{server}book/en/{name}.html")
            page.add_style_tag(content=STILL)
            standing |= {tuple(found) for found in page.evaluate(STANDING)}
    assert {applied for applied, _ in standing} == {filter}
    figures = list((site / "_images").glob("*.svg"))
    assert len(figures) > 20
    for _, ground in standing:
        paper = [int(channel) / 255 for channel in re.fullmatch(r"rgb\((.+)\)", ground)[1].split(",")]
        for figure in figures:
            for ink in inks(figure.read_text("utf-8")):
                assert contrast(shown(to_rgb(ink)), paper) >= 4.5, (figure.name, ink, ground)


def test_faint_text_is_noticed():
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><g id="text_1"><g style="fill: #949494"/></g><g id="text_2"/></svg>'
    assert inks(svg) == ["#949494", "#000000"]
    assert contrast(to_rgb("#949494"), to_rgb("white")) < 4.5

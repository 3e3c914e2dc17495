"""The drawings in book/_static/drawings: each can be read on a phone and in the dark, and stands in both editions."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from booksite.document.reading_times import estimate
from booksite.page.images import SIZE
from matplotlib.colors import to_rgb
from scipy.special import expit

from tests.book.pages import EDITIONS, NAMES, source
from tests.book.test_chapters import NAMES_IN_FIGURES
from tests.colors import contrast, in_dark_mode
from tests.conftest import ROOT

DRAWINGS = sorted((ROOT / "book/_static/drawings").iterdir())
FIGURE = re.compile(r"^```\{figure\} \.\./_static/drawings/(\S+)\n:name: (\S+)$", re.M)
# as wide as a figure is on a phone of 390 px
PHONE = 340
LEAST_FONT, LEAST_CONTRAST = 9, 4.5
# subscripts that both editions use, and a function
SYMBOLS = NAMES_IN_FIGURES | {"ref", "gen", "chosen", "rejected", "retrained", "log"}
DARK = to_rgb("#121212")


def inherited(element, attributes=()):
    """Every element with the fill and the font size that it inherits."""
    own = dict(attributes) | {key: element.get(key) for key in ("fill", "font-size") if key in element.attrib}
    yield element, own
    for child in element:
        yield from inherited(child, own)


def tag(element):
    return element.tag.removeprefix("{http://www.w3.org/2000/svg}")


def texts(root):
    return [(element, style) for element, style in inherited(root) if tag(element) in ("text", "tspan")]


def too_small(root):
    scale = PHONE / float(root.get("viewBox").split()[2])
    sizes = {float(style["font-size"]) * scale for _, style in texts(root)}
    return [f"a font of {size:.1f} px, where {LEAST_FONT} are needed" for size in sizes if size < LEAST_FONT]


def faint(root):
    found = []
    for ink in {style["fill"] for element, style in inherited(root) if tag(element) in ("text", "tspan", "use")}:
        grounds = {"white": (to_rgb(ink), (1, 1, 1)), "a dark page": (in_dark_mode(to_rgb(ink)), DARK)}
        found += [f"text in {ink} on {ground}" for ground, two in grounds.items() if contrast(*two) < LEAST_CONTRAST]
    return found


def in_a_language(root):
    words = {word for part in root.itertext() for word in re.findall(r"[^\W\d_]{3,}", part)}
    return [f"the word {word!r}" for word in words - SYMBOLS]


def from_elsewhere(root):
    """What an image cannot or must not load, and what runs."""
    found = [f"<{tag(e)}>" for e in root.iter() if tag(e) in ("script", "style", "image", "foreignObject", "a")]
    for element in root.iter():
        for name, value in element.attrib.items():
            if name.startswith("on") or re.search(r"https?:|data:", value) or ("href" in name and value[0] != "#"):
                found.append(f"{name}={value!r}")
    return found


RULES = {
    too_small: "text in a drawing must be 9 px high on a phone",
    faint: "text in a drawing must have a contrast of 4.5 on white and on a dark page",
    in_a_language: "one drawing serves both editions, so its text is symbols and method names only",
    from_elsewhere: "a drawing must load nothing and run nothing",
}


def broken(text):
    root = ElementTree.fromstring(text)
    assert tag(root) == "svg" and root.get("viewBox"), "a drawing must be an <svg> with a viewBox"
    assert SIZE.search(text), 'a drawing must begin with <svg … width="330pt" height="…pt": pages keep its place'
    return {f"{RULES[rule]}: {fault}" for rule in RULES for fault in rule(root)}


@pytest.mark.parametrize("path", DRAWINGS, ids=lambda path: path.name)
def test_a_drawing_keeps_the_rules(path):
    assert not broken(path.read_text("utf-8"))


@pytest.mark.parametrize(
    ("inside", "rule"),
    [
        ('<text font-size="8">x</text>', too_small),
        ('<text fill="#999999">x</text>', faint),
        ('<g fill="#e0a000"><use href="#a"/></g>', faint),
        ("<text>loss</text>", in_a_language),
        ("<text><tspan>x</tspan> 损失下降</text>", in_a_language),
        ("<script/>", from_elsewhere),
        ('<use href="https://example.org/a.svg#a"/>', from_elsewhere),
        ('<g onclick="x()"/>', from_elsewhere),
    ],
)
def test_a_broken_rule_is_found(inside, rule):
    size = 'width="330pt" height="97pt" viewBox="0 0 340 100"'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" {size} fill="#111111" font-size="15">{{}}</svg>'
    assert not broken(svg.format("<text>x</text>"))
    found = broken(svg.format(inside))
    assert found and all(fault.startswith(RULES[rule]) for fault in found)


def test_every_drawing_stands_in_both_editions():
    used = {}
    for edition in EDITIONS:
        found = [match for name in NAMES for match in FIGURE.findall(source(edition, name))]
        assert all(label == f"{edition}-fig-{Path(file).stem}" for file, label in found), (
            f"a drawing NAME.svg must have the label {edition}-fig-NAME, got {found}"
        )
        used[edition] = sorted(file for file, _ in found)
    files = [path.name for path in DRAWINGS]
    assert used == dict.fromkeys(EDITIONS, files), "each drawing must stand once in each edition"


def strokes(name, pattern):
    """The numbers of each match of a pattern in the paths of a drawing."""
    paths = ElementTree.parse(ROOT / f"book/_static/drawings/{name}.svg").iter("{http://www.w3.org/2000/svg}path")
    return [[float(number) for number in found] for path in paths for found in re.findall(pattern, path.get("d"))]


def arrows(name):
    """The lengths of the vertical arrows of a drawing, in the order of its file."""
    return [abs(end - start) for start, end in strokes(name, r"M[\d.]+ ([\d.]+)V([\d.]+)")]


def test_arrows_are_as_long_as_the_captions_say():
    # up at the chosen response, down at the rejected one; then the legend
    weights = expit(-0.5 * np.array([-4.0, 0.0, 4.0]))
    np.testing.assert_allclose(arrows("pull-and-push")[:6], 60 * np.tile(weights, 2), atol=0.1)
    # DPO's pull and push, NPO at u = 0, −1/β and −2/β, GA
    npo = 2 * expit(-np.arange(3.0))
    np.testing.assert_allclose(arrows("fading-push"), 46 * np.array([0.5, 0.5, *npo, 1, 1, 1]), atol=0.1)
    # the bars, then the pushes
    policy = np.array([0.7, 0.2, 0.1])
    pushes = np.abs(policy - [1, 0, 0])
    np.testing.assert_allclose(arrows("three-answers"), 180 * np.array([*policy, *pushes]), atol=0.1)


def test_marks_stand_where_the_captions_say():
    npo = [x for x, _ in strokes("two-timetables", r"M([\d.]+) 90V(102)")]
    np.testing.assert_allclose(npo, 62 + 62 * np.log1p([0, 1, 2, 5, 10, 20, 50]), atol=0.1)
    small = [x for x, _ in strokes("two-timetables", r"M([\d.]+) 90v(7)")]
    np.testing.assert_allclose(small, 62 + 62 * np.log1p([3, 4, 6, 7, 8, 9, 30, 40, 60, 70]), atol=0.5)


def test_an_alternative_text_takes_no_reading_time():
    assert estimate("word " * 200 + "\n:alt: " + "word " * 400)[0] == 1

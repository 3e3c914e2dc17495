"""Opens explorers, reads back what they show, and compares it with Python's numbers and passages."""

import re
from contextlib import contextmanager

import numpy as np

from npo_tutorial.explore.kinds import KINDS
from npo_tutorial.explore.texts import in_language
from tests.browser.visit import DESKTOP, Visit

PAPER = """e => {
  const style = (e, name) => getComputedStyle(e)[name].match(/[\\d.]+/g).slice(0, 3).map(n => n / 255);
  const paper = style(e, "backgroundColor");
  return [[e, "color"], ...[...e.querySelectorAll(".npo-line, .npo-marker")].map(p => [p, "stroke"]),
    ...[...e.querySelectorAll("text, .npo-points")].map(p => [p, "fill"]), [e.querySelector(".npo-stops"), "color"]]
    .map(([part, name]) => [style(part, name), paper]);
}"""
THEMES = {
    "light": ({}, None),
    "dark system": ({"color_scheme": "dark"}, None),
    "dark book": ({}, "document.documentElement.dataset.theme = 'dark'"),
    "light book on a dark system": ({"color_scheme": "dark"}, "document.documentElement.dataset.theme = 'light'"),
    "dark JupyterLab": ({}, "document.body.dataset.jpThemeLight = 'false'"),
    "light JupyterLab on a dark system": ({"color_scheme": "dark"}, "document.body.dataset.jpThemeLight = 'true'"),
}


@contextmanager
def opened(browser, folder, name="en.html", **options):
    own = folder.as_uri() + "/"
    with Visit(browser, own, **DESKTOP | options) as visit:
        page = visit.open(own + name)
        if visit.runs_scripts:
            page.wait_for_function("performance.getEntriesByName('widgets-ready').length")
            page.wait_for_function("document.querySelectorAll('.npo-chart[viewBox]').length")
        yield page
        assert not visit.complaints


def drawing(explorer):
    return explorer.locator(".npo-chart").inner_html()


def path_numbers(d, kind):
    """Rows of pixels of a path, one for each channel."""
    if kind == "marker":
        return [[float(re.match(r"M(\S+) 0V", d)[1])]]
    points = np.array([[float(n) for n in pair] for pair in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", d)])
    if kind == "line":
        return [points[:, 1]]
    if kind in ("points", "path"):
        return [points[:, 0], points[:, 1]]
    half = len(points) // 2
    return [points[:half, 1], points[half:, 1][::-1]]


def assert_drawn(figure, chart, index, curves, *, linear=False, panel=0):
    """A panel's pixels at a position must be those of the curves, to a hundredth pixel and the 16 bits of the state."""
    frame = int(np.ravel_multi_index(index, [len(grid["values"]) for grid in chart["grids"]]))
    rows_of_images = figure.locator(".npo-images").all()
    if panel:
        del rows_of_images[: sum(curve["kind"] == "images" for curve in chart["curves"])]
        chart = chart["beside"]
    scale = {axis: np.log10 if chart[axis]["scale"] == "log" else np.asarray for axis in "xy"}
    # how a linear axis changes the numbers of the state
    undo = {axis: (lambda v: 10**v) if linear and scale[axis] is np.log10 else np.asarray for axis in "xy"}
    limits = chart["linear"] if linear else {axis: chart[axis]["limits"] for axis in "xy"}
    ends = {"x": limits["x"], "y": limits["y"][frame if len(limits["y"]) > 1 else 0]}
    if not linear:
        ends = {axis: scale[axis](ends[axis]) for axis in "xy"}
    plot = figure.locator(".npo-plot").nth(panel)
    size = {"x": float(plot.get_attribute("width")), "y": float(plot.get_attribute("height"))}
    unit = {axis: size[axis] / (ends[axis][1] - ends[axis][0]) for axis in "xy"}
    origin, sign = {"x": 0, "y": size["y"]}, {"x": 1, "y": -1}

    def pixels(axis, numbers):
        return origin[axis] + sign[axis] * unit[axis] * (undo[axis](numbers) - ends[axis][0])

    found = plot.locator("path.npo-curve").evaluate_all(
        "all => all.map(e => [e.getAttribute('style'), e.getAttribute('d')])"
    )
    paths = {style.rstrip(";"): d for style, d in found}
    for curve in chart["curves"]:
        returned = np.atleast_2d(np.array(curves[curve["name"]], float))
        if curve["kind"] == "images":
            opacities = rows_of_images.pop(0).locator("img").evaluate_all("all => all.map(e => +e.style.opacity)")
            np.testing.assert_allclose(opacities, 0.1 + 0.9 * returned[0], atol=1e-5)
            continue
        d = paths[f"--npo-color: var(--npo-curve-{curve['look']})"]
        channels = zip(KINDS[curve["kind"]].channels, path_numbers(d, curve["kind"]), returned, strict=True)
        for axis, drawn, row in channels:
            row = scale[axis](row)
            # half a hundredth of a pixel, and half a step of 16 bits
            step = np.ptp(row) / 131070
            precision = 0.005 + np.abs(pixels(axis, row + step) - pixels(axis, row)) + 1e-6
            assert (np.abs(drawn - pixels(axis, row)) <= 1.01 * precision).all(), (curve["name"], index)
        if curve["kind"] in ("line", "band"):
            x = [float(n) for n in re.findall(r"[ML](-?[\d.]+) ", d)]
            there = pixels("x", scale["x"](chart["x"]["values"]))
            # around a region and back
            whole = there if curve["kind"] == "line" else np.concatenate([there, there[::-1]])
            assert np.abs(x - whole).max() <= 0.0051
    # a second panel's elements come later
    assert panel == 0 or not rows_of_images


def put(slider, position):
    """What a browser does when a reader moves a slider to a position."""
    slider.evaluate("(e, v) => { e.value = v; e.dispatchEvent(new Event('input', { bubbles: true })); }", position)


def stand(figure, index):
    """What a browser does when a reader moves every slider, and chooses every name, of a position."""
    for k, position in enumerate(index):
        inputs = figure.locator(f"input[name$='-{k}']")
        if inputs.first.get_attribute("type") == "radio":
            inputs.nth(position).check()
        else:
            put(inputs, position)


# passages as drawn: text for screen readers, pieces with their numbers, and the opacity of each piece's background
DRAWN = """figure => [...figure.querySelectorAll("dd")].map(place => ({
  said: [...place.querySelectorAll(".npo-said")].map(e => e.textContent),
  pieces: [...place.querySelectorAll(".npo-piece")].map(e => [...e.children].map(part => part.textContent)),
  grounds: [...place.querySelectorAll(".npo-piece")].map(e => {
    const alpha = getComputedStyle(e).backgroundColor.match(/[\\d.]+/g)[3];
    return alpha === undefined ? 1 : Number(alpha);
  }),
}))"""


def marked(piece):
    """A piece as it is displayed: only line ends and pieces of blanks are marked."""
    piece = piece.replace("\r\n", "↵").replace("\n", "↵")
    return piece if piece.strip() else "␣" * len(piece)


def assert_told(figure, passages, lang):
    comma = {"en": ", ", "zh": "、"}[lang]
    titles = [in_language(passage.title, lang) for passage in passages]
    assert figure.locator("dt").all_text_contents() == titles
    for drawn, passage in zip(figure.evaluate(DRAWN), passages, strict=True):
        per_cent = [f"{100 * strength:.0f}" for strength in passage.strengths]
        assert drawn["said"] == ["".join(passage.pieces), comma.join(per_cent)]
        expected = [[number, marked(piece)] for number, piece in zip(per_cent, passage.pieces, strict=True)]
        assert drawn["pieces"] == expected
        np.testing.assert_allclose(drawn["grounds"], 0.36 * np.asarray(passage.strengths), atol=0.004)

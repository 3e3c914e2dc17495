"""Text in Matplotlib's vector graphics, which are groups of outlines."""

import re
from functools import cache
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"


def texts(path):
    """The group of each text in a figure."""
    return [g for g in ElementTree.parse(path).iter(f"{SVG}g") if re.match(r"text_\d", g.get("id", ""))]


@cache
def smallest_letter(path):
    """Size of the smallest letter of a figure, scripts included, as a share of the figure's width; None without text.

    An outline is drawn at 100 units to the em, and the transforms around it scale it.
    """

    def sizes(element, scale):
        scale *= float((re.search(r"scale\(([\d.]+)", element.get("transform", "")) or [0, 1])[1])
        if element.tag == f"{SVG}use":
            yield 100 * scale
        elif element.tag != f"{SVG}defs":
            for child in element:
                yield from sizes(child, scale)

    width = float(ElementTree.parse(path).getroot().get("viewBox").split()[2])
    return min((size / width for group in texts(path) for size in sizes(group, 1)), default=None)

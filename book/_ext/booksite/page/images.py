"""Images are loaded when they come near, and the page keeps their place from the start, so that nothing jumps."""

import re
from pathlib import Path
from xml.etree import ElementTree

IMAGE = re.compile(r'<img (?![^>]*\bloading=)([^>]*?\bsrc="[^"]*/_images/([^"]+)"[^>]*)>')
# of CSS, in a point
PIXELS = 96 / 72


def size(path):
    """Width and height of a drawing of matplotlib in CSS pixels, as attributes."""
    _, root = next(ElementTree.iterparse(path, events=["start"]))
    points = {side: float(root.get(side).removesuffix("pt")) for side in ("width", "height")}
    return " ".join(f'{side}="{round(length * PIXELS)}"' for side, length in points.items())


def wait_for_images(page):
    sources = {name: source for source, name in page.app.builder.images.items()}

    def waiting(image):
        attributes, name = image.groups()
        source = Path(page.app.srcdir, sources[name])
        sized = f"{size(source)} " if source.suffix == ".svg" else ""
        return f'<img loading="lazy" {sized}{attributes}>'

    if "body" in page.context:
        page.context["body"] = IMAGE.sub(waiting, page.context["body"])

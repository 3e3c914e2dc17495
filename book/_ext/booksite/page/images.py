"""Images are loaded when they come near, and the page keeps their place from the start, so that nothing jumps."""

import re
from pathlib import Path

IMAGE = re.compile(r'<img (?![^>]*\bloading=)([^>]*?\bsrc="[^"]*/_images/([^"]+)"[^>]*)>')
# of a drawing of matplotlib, in points
SIZE = re.compile(r'<svg\b[^>]*\swidth="([\d.]+)pt" height="([\d.]+)pt"')
PIXELS_IN_A_POINT = 96 / 72


def size(drawing):
    width, height = (round(float(points) * PIXELS_IN_A_POINT) for points in SIZE.search(drawing).groups())
    return f'width="{width}" height="{height}"'


def wait_for_images(page):
    sources = {name: source for source, name in page.app.builder.images.items()}

    def waiting(image):
        attributes, name = image.groups()
        if name.endswith(".svg"):
            attributes = f"{size(Path(page.app.srcdir, sources[name]).read_text('utf-8'))} {attributes}"
        return f'<img loading="lazy" {attributes}>'

    if "body" in page.context:
        page.context["body"] = IMAGE.sub(waiting, page.context["body"])

"""SVG pictures as a reader sees them: what each element inherits."""


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

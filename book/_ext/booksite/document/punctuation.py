"""A comma after a formula stays on its line, and so does a bracket before one.

To a browser a formula is a box, and a line may break on both sides of a box whatever is next to it, so that lines begin
with a comma. The formula and the signs that touch it go into one element, which the style sheet keeps on one line. A
long formula must be able to break on a phone, and a browser that may break it may break after it as well.
"""

import re

from docutils import nodes

CLOSING = re.compile(r"[,.;:!?)\]’”，。；：、！？）》…]+|[-–][^\W\d_]+")
# TeX characters; a formula of this length fits a line of 320 pixels
SHORT = 45
OPENING = re.compile(r"[(\[‘“（《]+\Z")


def keep_punctuation(document, env):
    for formula in [node for node in document.findall(nodes.math) if len(node.astext()) <= SHORT]:
        before = cut(formula, -1, OPENING.search)
        after = cut(formula, 1, CLOSING.match)
        if before or after:
            group = nodes.inline(classes=["unbroken"])
            formula.replace_self(group)
            group += [*before, formula, *after]
            place = group.parent.index(group) + 1
            # between two such elements Firefox breaks no line unless it is told that it may
            if after and not group.parent[place].astext():
                group.parent[place] = nodes.raw("", "<wbr>", format="html")


def cut(formula, side, find):
    """Take the signs that touch the formula out of the text on one side of it."""
    place = formula.parent.index(formula) + side
    neighbour = formula.parent[place] if 0 <= place < len(formula.parent) else None
    found = find(neighbour) if isinstance(neighbour, nodes.Text) else None
    if not found:
        return []
    rest = neighbour[: found.start()] + neighbour[found.end() :]
    # by place: `replace` would take the first text of the paragraph that reads the same
    formula.parent[place] = nodes.Text(rest)
    return [nodes.Text(found[0])]

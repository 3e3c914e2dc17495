"""Lays out content below the first paragraph lazily: when it is on the screen, or near it.

Formulas are thousands of small boxes, and a phone that lays out all of a chapter before it answers a finger is slow.
Here blocks learn about how high they are; the style sheet does the rest, and `templates/distant-blocks.js` lays out
everything for readers who use the keyboard or come back. Blocks with code are left alone: the theme measures all code
at once, and each block that is not laid out would cost a layout of its own.
"""

from math import ceil, log2
from unicodedata import east_asian_width

from docutils import nodes
from sphinx_proof.nodes import proof_node

# in letters: a paragraph, for what else is on the first screen comes with it, and a line of it
FIRST, LINE = 300, 80
# of TeX, whose commands are longer than what they draw
SHRINKAGE = 3
DISPLAYED = 3 * LINE
# the style sheet knows powers of two up to this one
HIGHEST = 32
WRAPPERS = (nodes.section, proof_node)
UNMARKED = (nodes.title, nodes.container, nodes.raw, nodes.Invisible)


def letters(node):
    """The room that a node takes, in Latin letters."""
    if "dropdown" in getattr(node, "attributes", {}).get("classes", []):
        return LINE
    if isinstance(node, nodes.Text):
        return sum(2 if east_asian_width(sign) in "WF" else 1 for sign in node)
    if isinstance(node, nodes.math):
        return len(node.astext()) / SHRINKAGE
    if isinstance(node, nodes.math_block):
        return DISPLAYED
    if isinstance(node, nodes.literal_block):
        return LINE * len(node.astext().splitlines())
    return sum(map(letters, node.children))


def is_code(node):
    return isinstance(node, nodes.literal_block | nodes.doctest_block)


def mark(node, above):
    """Mark the blocks in a node; `above` is the number of letters above it."""
    for child in node.children:
        whole = above >= FIRST and not next(child.findall(is_code), None)
        if isinstance(child, WRAPPERS) or (isinstance(child, nodes.Admonition) and not whole):
            mark(child, above)
        elif whole and not isinstance(child, UNMARKED):
            lines = 2 ** ceil(log2(max(1, letters(child) / LINE)))
            child["classes"] += ["distant", f"distant-{min(HIGHEST, lines)}"]
        above += letters(child)


def mark_distant_blocks(document, env):
    mark(document, 0)

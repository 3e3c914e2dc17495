"""Marks content below the first paragraph, and about how high it is: it is laid out when it comes near.

Formulas are thousands of small boxes, and a phone that lays out all of a chapter before it answers a finger is slow.
The style sheet does the rest, and `templates/distant-blocks.js` lays out everything for readers who use the keyboard or
come back. Blocks with code stay as they are, because the theme measures all code at once.
"""

from math import ceil, log2
from unicodedata import east_asian_width

from docutils import nodes
from sphinx_proof.nodes import proof_node

# in Latin letters: what is on the first screen with all that stands beside it, and a line
FIRST, LINE = 300, 80
# the style sheet knows powers of two up to this one
HIGHEST = 32
UNMARKED = (nodes.title, nodes.container, nodes.raw, nodes.Invisible)
CODE = (nodes.literal_block, nodes.doctest_block)


def letters(node):
    """The room that a node takes; TeX is longer than what it draws."""
    if isinstance(node, nodes.Text):
        width = sum(1 + (east_asian_width(sign) in "WF") for sign in node)
        return width / 3 if isinstance(node.parent, nodes.math) else width
    folded = isinstance(node, nodes.Admonition) and "dropdown" in node["classes"]
    return LINE if folded else 3 * LINE if isinstance(node, nodes.math_block) else sum(map(letters, node.children))


def mark_distant_blocks(node, env, above=0):
    """Mark the blocks in a node; `above` is the number of letters above it."""
    for child in node.children:
        whole = above >= FIRST and not any(isinstance(block, CODE) for block in child.findall())
        if isinstance(child, nodes.section | proof_node) or (isinstance(child, nodes.Admonition) and not whole):
            mark_distant_blocks(child, env, above)
        elif whole and not isinstance(child, UNMARKED):
            lines = 2 ** ceil(log2(max(1, letters(child) / LINE)))
            child["classes"] += ["distant", f"distant-{min(HIGHEST, lines)}"]
        above += letters(child)

"""Cells as readers need them: nothing that takes results over into the text, and what only draws folded away.

A page, its notebook and the copy button have the same text. The style sheet hides folded lines until a reader asks.
"""

import ast

from docutils import nodes

from booksite.page import is_cell

# below this line a cell only draws, or computes what only its drawing or a sentence needs
DRAWING = "# drawing"


def is_glue(node):
    """Whether a statement only takes results over."""
    if isinstance(node, ast.For):
        return all(map(is_glue, node.body))
    return isinstance(node, ast.stmt) and ast.unparse(node).startswith(("from myst_nb import", "glue("))


def without_glue(source):
    """The source without `glue`; where it takes a figure over, the figure itself, which a notebook shows."""
    lines = source.split("\n")
    for node in filter(is_glue, ast.walk(ast.parse(source))):
        lines[node.lineno - 1 : node.end_lineno] = [None] * (node.end_lineno - node.lineno + 1)
        if ast.unparse(node).startswith("glue('fig-"):
            lines[node.lineno - 1] = ast.get_source_segment(source, node.value.args[1])
    return "\n".join(line for line in lines if line is not None).strip("\n")


def fold_code(document, env):
    say = env.config.booksite.language_of(env.docname).words("code")
    for cell in document.findall(is_cell):
        block = next(cell.findall(nodes.literal_block))
        block.rawsource = source = without_glue(block.astext())
        block[:] = [nodes.Text(source)]
        lines = source.split("\n")
        if DRAWING in lines:
            first = lines.index(DRAWING)
            block["highlight_args"] = {"hl_lines": [*range(first + 1, len(lines) + 1)]}
            part = "rest" if first else "all"
            fold = f'<details class="fold-{part}"><summary>{say[part]}</summary></details>'
            block.parent.append(nodes.raw("", fold, format="html"))

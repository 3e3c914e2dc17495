"""Cells as readers need them: nothing that takes results over into the text, and what only draws folded away.

A page, its notebook and the copy button have the same text. The style sheet hides folded lines until a reader asks.
"""

import ast

from docutils import nodes

from booksite.page import is_cell
from booksite.words import words


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


def folded_lines(source, telling, used):
    """Numbers of the lines that only draw, or compute what only a drawing or a sentence needs.

    Shown is a statement that imports, is in `telling` or calls a function from there, or binds or changes a name in
    `used`: those that statements read which are shown further down. It gets more.
    """
    statements, folded = ast.parse(source).body, []
    # a comment or a blank line belongs to what follows it
    starts = [1, *(statement.end_lineno + 1 for statement in statements)]
    for start, statement in reversed(list(zip(starts, statements, strict=False))):
        inside = list(ast.walk(statement))
        called = {ast.unparse(node.func) for node in inside if isinstance(node, ast.Call)} | {ast.unparse(statement)}
        stored = [ast.unparse(node) for node in inside if isinstance(getattr(node, "ctx", None), ast.Store)]
        bound = {name.partition("[")[0] for name in stored} | {name.removesuffix(".append") for name in called}
        bound.add(getattr(statement, "name", None))
        if called & telling or bound & used or isinstance(statement, ast.Import | ast.ImportFrom):
            used -= bound if isinstance(statement, ast.Assign) else set()
            used |= {node.id for node in inside if isinstance(node, ast.Name)}
        else:
            folded += range(start, statement.end_lineno + 1)
    return folded


def fold_code(document, env):
    blocks = [next(cell.findall(nodes.literal_block)) for cell in document.findall(is_cell)]
    trees = [ast.parse(block.astext()) for block in blocks]
    imports = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    # an expression that the author wrote shows its value
    shown = [ast.unparse(node) for tree in trees for node in tree.body if isinstance(node, ast.Expr)]
    telling, used = {"print", *shown, *(alias.asname or alias.name for node in imports for alias in node.names)}, set()
    say = words(env.config.booksite.language_of(env.docname), "code")
    for block in reversed(blocks):
        block.rawsource = source = without_glue(block.astext())
        block[:] = [nodes.Text(source)]
        if lines := folded_lines(source, telling, used):
            block["highlight_args"] = {"hl_lines": lines}
            part = "all" if len(lines) == source.count("\n") + 1 else "rest"
            fold = f'<details class="fold-{part}"><summary>{say[part]}</summary></details>'
            block.parent.append(nodes.raw("", fold, format="html"))

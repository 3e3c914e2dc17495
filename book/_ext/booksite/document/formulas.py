"""Formulas become HTML and MathML while the page is written, by KaTeX in an embedded JavaScript engine."""

import json
import re
from functools import cache
from pathlib import Path

import quickjs
from docutils import nodes
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

KATEX = Path(__file__).parents[1] / "katex/katex.min.js"
# as JSON, because the engine hands over no string that is put together from pieces
RENDER = ";function render(request) { return JSON.stringify(katex.renderToString(...JSON.parse(request))); }"
# without `strict` Chinese words in a formula are an error; they are drawn in the page's own font
OPTIONS = {"throwOnError": True, "strict": "ignore", "output": "htmlAndMathml"}
# KaTeX would number these by itself, but the numbers are Sphinx's
NUMBERED = re.compile(r"\\(begin|end)\{(align|alignat|gather|equation)\}")
log = logging.getLogger(__name__)


@cache
def engine():
    context = quickjs.Context()
    context.eval(KATEX.read_text("utf-8") + RENDER)
    return context.get("render")


@cache
def render(tex, display):
    """HTML; a ValueError says why where KaTeX does not understand the formula."""
    try:
        html = json.loads(engine()(json.dumps([tex, OPTIONS | {"displayMode": display}])))
    except quickjs.JSException as error:
        # below the first line is where in KaTeX it happened
        raise ValueError(f"{str(error).splitlines()[0]} in {tex!r}") from None
    # KaTeX writes this where an alignment has one column only, and HTML does not allow it
    return html.replace(' columnspacing=""', "")


def to_html(self, node, tex, display):
    try:
        return render(tex, display)
    except ValueError as error:
        log.warning("%s", error, location=node, type="katex")
        return f"<code>{self.encode(tex)}</code>"


def visit_math(self, node):
    self.body.append(self.starttag(node, "span", "", CLASS="math"))
    self.body.append(to_html(self, node, node.astext(), display=False) + "</span>")
    raise nodes.SkipNode


def one_display(tex):
    """What the `math` directive promises: lines may be aligned, and a blank line starts another formula."""
    parts = [part.strip() for part in tex.split("\n\n") if part.strip()]
    for i, part in enumerate(parts):
        # a formula that is one environment aligns its lines itself
        if r"\\" in part and not part.startswith(r"\begin"):
            parts[i] = rf"\begin{{split}}{part}\end{{split}}"
    return parts[0] if len(parts) == 1 else r"\begin{gathered}" + r"\\".join(parts) + r"\end{gathered}"


def visit_math_block(self, node):
    unnumbered = NUMBERED.sub(r"\\\1{\2*}", node.astext())
    tex = re.sub(r"\\label\{[^}]*\}", "", unnumbered) if node.get("nowrap") else one_display(unnumbered)
    self.body.append(self.starttag(node, "div", CLASS="math math-display"))
    self.body.append(f'<div class="math-scroll">{to_html(self, node, tex, display=True)}</div>')
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, _("Link to this equation"))
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode

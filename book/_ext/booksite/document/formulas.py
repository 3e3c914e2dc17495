"""Formulas become HTML and MathML while the page is written, so that a reader needs no script and no other host.

A formula that KaTeX does not understand is a Sphinx warning, hence with `-W` a failed build.
"""

import re

from docutils import nodes
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

from booksite.document.katex import render

# KaTeX would number these by itself, but the numbers are Sphinx's
NUMBERED = re.compile(r"\\(begin|end)\{(align|alignat|gather|equation)\}")
log = logging.getLogger(__name__)


def to_html(self, node, tex, display):
    answer = render(tex, display)
    if "error" in answer:
        log.warning("%s in %r", answer["error"], tex, location=node, type="katex")
        return f"<code>{self.encode(tex)}</code>"
    return answer["html"]


def visit_math(self, node):
    self.body.append(self.starttag(node, "span", "", CLASS="math"))
    self.body.append(to_html(self, node, node.astext(), display=False) + "</span>")
    raise nodes.SkipNode


def one_display(tex):
    """What the `math` directive promises: lines may be aligned, and a blank line starts another formula."""
    parts = [part.strip() for part in tex.split("\n\n") if part.strip()]
    # a formula that is one environment aligns its lines itself
    parts = [
        rf"\begin{{split}}{part}\end{{split}}" if r"\\" in part and not part.startswith(r"\begin") else part
        for part in parts
    ]
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

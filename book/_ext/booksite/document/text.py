"""Text as its authors set it: computed numbers, authors of citations, bars in docstrings; and plain code."""

import re
from functools import reduce

from docutils import nodes
from pygments.formatters import HtmlFormatter
from pygments.token import Name, Punctuation, Text, Whitespace

NUMBER = re.compile(r"(-?)([\d.,]+)(?:e([-+])0*(\d+))?")
WORD = re.compile(r"[^\W\d_]{2}")
SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
# tokens that look like text on light pages and on dark ones
LIKE_TEXT = {Name, Name.Namespace, Name.Other, Punctuation, Punctuation.Marker, Whitespace}
BAR = re.compile(r"(``.*?``|`.*?`)|\|")


def typeset(text):
    """A number as Python writes it as a text has it; a bound, or a value with its spread, stays on one line."""
    if not (found := NUMBER.fullmatch(text)):
        return text if WORD.search(text) else text.replace(" ", "\N{NO-BREAK SPACE}")
    minus, digits, sign, power = found.groups()
    if power:
        digits += "·10" + (sign.strip("+") + power).translate(SUPERSCRIPTS)
    return ("\N{MINUS SIGN}" if minus else "") + digits


def typeset_numbers(document, env):
    for node in document.findall(nodes.inline):
        if "pasted-text" in node["classes"]:
            node[:] = [nodes.Text(typeset(node.astext()))]


def join_authors(document, env):
    """sphinxcontrib-bibtex joins the authors that a citation names in English, on every page."""
    joining = env.config.booksite.language_of(env.docname).words("authors")
    for citation in [node for node in document.findall(nodes.inline) if "bibtex-citation" in node["classes"]]:
        for place, part in enumerate(citation):
            own = reduce(lambda text, pair: text.replace(*pair), joining.items(), part.astext())
            # Chinese has no italics: "et al." loses them; a link has no words to be exchanged
            citation[place] = part if own == part.astext() else nodes.Text(own)


def fold_boxes(document, env):
    """A closed box, of class `dropdown`, is HTML's own: found on the page, opened without scripts."""
    for box in [node for node in document.findall(nodes.Admonition) if "dropdown" in node["classes"]]:
        name = "".join(f' id="{name}"' for name in box["ids"][:1])
        opening = f'<details class="{" ".join(box["classes"])} admonition"{name}><summary class="admonition-title">'
        tags = [nodes.raw("", tag, format="html") for tag in (opening, "</summary>", "</details>")]
        # not by `replace_self`, which would give the class to the tag
        place, parent = box.parent.index(box), box.parent
        parent[place : place + 1] = [tags[0], *box[0].children, tags[1], *box[1:], tags[2]]


def keep_bars(app, what, name, documented, options, lines):
    """Docstrings are written for `help()`, where |u| is an absolute value; Sphinx would take it for a substitution."""
    lines[:] = [line if ">>>" in line else BAR.sub(lambda found: found[1] or r"\|", line) for line in lines]


class PlainCode(HtmlFormatter):
    """No marks that nothing shows: a long chapter would have thousands of them, and each is styled and laid out."""

    def format_unencoded(self, tokensource, outfile):
        tokens = ((Text if kind in LIKE_TEXT else kind, text) for kind, text in tokensource)
        super().format_unencoded(tokens, outfile)

"""A page cut into what a search should find: its sections, theorems, exercises and functions, each with its anchor.

Left out is what is folded away (answers, solutions, code), what cells print, and what the page repeats.
A formula in the line stays as plain text, a displayed one as an ellipsis.
"""

import re
from dataclasses import dataclass

from lxml.html import HTMLParser, fragment_fromstring

SKIPPED_TAGS = {"annotation", "button", "iframe", "noscript", "script", "style", "svg"}
SKIPPED_CLASSES = {
    "cell_output", "embed", "eqno", "fold-all", "fold-rest", "headerlink", "katex-html", "option", "reading-times",
    "short-answer", "site-archive", "solution", "toctree-wrapper",
}  # fmt: skip
HEADING = re.compile(r"h[1-6]")
# words on both sides of these stay together
INLINE = re.compile(r"a|abbr|code|em|i|kbd|m\w+|semantics|span|strong|sub|sup|wbr")
# what stands between the parts of a formula in plain text
BETWEEN = {"mfrac": "/", "msub": "_", "msup": "^"}
# by which KaTeX separates operators
WIDTHLESS = re.compile("[\u200b\u2061\u2062]")
# the module, in small letters, and a name in it, perhaps of a member of a class
CALLABLE = re.compile(r"([a-z\d_.]+)\.(.+)")


@dataclass
class Piece:
    """One result of a search: where it is, what it is called, its words, its code, and the terms that it defines."""

    anchor: str
    title: str = ""
    text: str = ""
    code: str = ""
    terms: str = ""

    def add(self, kind, words):
        """Words of the title, the text or the code."""
        setattr(self, kind, getattr(self, kind) + (words or ""))


def read(element, piece, kind, found):
    """Add the words of an element, of that kind, to its piece; parts of it may begin pieces of their own."""
    piece.add(kind, element.text)
    # a term is bold where it is defined
    if kind == "text" and element.tag == "strong":
        piece.terms += " · " * bool(piece.terms) + " · ".join(element.xpath("text()"))
    for number, part in enumerate(element):
        anchor, classes = part.get("id"), part.get("class", "").split()
        own, own_kind = piece, kind
        if number and element.tag in BETWEEN:
            piece.add(kind, BETWEEN[element.tag])
        elif not INLINE.fullmatch(part.tag):
            piece.add(kind, " ")
        if "math-display" in classes:
            piece.add(kind, " … ")
        elif part.tag not in SKIPPED_TAGS and SKIPPED_CLASSES.isdisjoint(classes):
            if anchor and (part.tag == "section" or "admonition" in classes or (part.tag == "dt" and "sig" in classes)):
                own = Piece(anchor)
                found.append(own)
                if part.tag == "dt":
                    # the name first, because readers search for it, then the module
                    own.title = CALLABLE.sub(r"\2 · \1", anchor)
                    # the description of a name is next to it
                    piece = own
            elif HEADING.fullmatch(part.tag) or ("admonition-title" in classes and not piece.title):
                own_kind = "title"
            elif "cell_input" in classes:
                own_kind = "code"
            read(part, own, own_kind, found)
        if not INLINE.fullmatch(part.tag):
            piece.add(kind, " ")
        piece.add(kind, part.tail)


def pieces(html):
    """The pieces of a page's body, in order; the first of them is the page itself."""
    found = [Piece("")]
    body = html[html.index("<article") : html.rindex("</article>")]
    read(fragment_fromstring(body, parser=HTMLParser(remove_comments=True)), found[0], "text", found)
    for piece in found:
        for kind, words in vars(piece).items():
            setattr(piece, kind, " ".join(WIDTHLESS.sub("", words).split()))
    return [piece for piece in found if piece.title]

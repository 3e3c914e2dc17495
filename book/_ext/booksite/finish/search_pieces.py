"""A page cut into what a search should find: its sections, theorems, exercises and functions, each with its anchor.

Left out is what is folded away (answers, solutions, code), what cells print, and what the page repeats.
A formula in the line stays as plain text, a displayed one as an ellipsis.
"""

import re
from dataclasses import dataclass
from html.parser import HTMLParser

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


@dataclass
class Element:
    tag: str
    piece: Piece
    # the field of the piece that gets the words inside
    kind: str
    has_children: bool = False


class Pieces(HTMLParser):
    def __init__(self):
        super().__init__()
        self.pieces = [Piece("")]
        self.open = [Element("", self.pieces[0], "text")]

    def handle_starttag(self, tag, attributes):
        parent, attributes = self.open[-1], dict(attributes)
        classes, anchor = set((attributes.get("class") or "").split()), attributes.get("id")
        piece, kind = parent.piece, parent.kind
        if tag in SKIPPED_TAGS or classes & SKIPPED_CLASSES:
            kind = ""
        elif anchor and (tag == "section" or "admonition" in classes or (tag == "dt" and "sig" in classes)):
            piece = Piece(anchor)
            self.pieces.append(piece)
            if tag == "dt":
                # the name first, because readers search for it, then the module
                piece.title = CALLABLE.sub(r"\2 · \1", anchor)
                # the description of a name is next to it
                parent.piece = piece
        elif HEADING.fullmatch(tag) or ("admonition-title" in classes and not piece.title):
            kind = kind and "title"
        elif "cell_input" in classes:
            kind = kind and "code"
        if "math-display" in classes:
            self.handle_data(" … ")
            kind = ""
        if parent.has_children and parent.tag in BETWEEN:
            self.handle_data(BETWEEN[parent.tag])
        elif not INLINE.fullmatch(tag):
            self.handle_data(" ")
        parent.has_children = True
        self.open.append(Element(tag, piece, kind))

    def handle_endtag(self, tag):
        # an element like <br> has no end
        while self.open.pop().tag != tag:
            pass
        if not INLINE.fullmatch(tag):
            self.handle_data(" ")

    def handle_data(self, data):
        piece, kind = self.open[-1].piece, self.open[-1].kind
        if kind:
            setattr(piece, kind, getattr(piece, kind) + data)
        # a term is bold where it is defined
        if kind == "text" and self.open[-1].tag == "strong":
            piece.terms += f" · {data}" if piece.terms else data


def pieces(html):
    """The pieces of a page's body, in order; the first of them is the page itself."""
    parser = Pieces()
    parser.feed(html[html.index("<article") : html.rindex("</article>")])
    for piece in parser.pieces:
        for kind, words in vars(piece).items():
            setattr(piece, kind, " ".join(WIDTHLESS.sub("", words).split()))
    return [piece for piece in parser.pieces if piece.title]

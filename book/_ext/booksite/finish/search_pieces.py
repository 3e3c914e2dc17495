"""A page cut into what a search should find: its sections, theorems, exercises and functions, each with its anchor.

Left out is what a reader does not see at first (solutions, folded code), what cells print, and what the page repeats.
A formula in the line stays as plain text, a displayed one as an ellipsis.
"""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
SKIPPED_TAGS = {"annotation", "button", "iframe", "noscript", "script", "style", "svg"}
SKIPPED_CLASSES = {
    "cell_output",
    "embed",
    "eqno",
    "headerlink",
    "katex-html",
    "reading-times",
    "site-archive",
    "solution",
    "toctree-wrapper",
}
HEADING = re.compile(r"h[1-6]")
# words on both sides of these stay together
INLINE = re.compile(r"a|abbr|code|em|i|kbd|m\w+|semantics|span|strong|sub|sup")
# what stands between the parts of a formula in plain text
BETWEEN = {"mfrac": "/", "msub": "_", "msup": "^"}
SEPARATOR = " · "


@dataclass
class Piece:
    """One result of a search: where it is, what it is called, its words, and its code."""

    anchor: str
    title: str = ""
    text: str = ""
    code: str = ""


@dataclass
class Element:
    tag: str
    piece: Piece
    # the field of the piece that gets the words inside
    kind: str
    children: int = field(default=0)


def callable_name(anchor, owner):
    """What is looked for first, the module after it; a member of a class bears the name of the class."""
    if owner.anchor and anchor.startswith(f"{owner.anchor}."):
        name, dot, module = owner.title.partition(SEPARATOR)
        return name + anchor.removeprefix(owner.anchor) + dot + module
    module, _, name = anchor.rpartition(".")
    return name + SEPARATOR + module


class Pieces(HTMLParser):
    def __init__(self):
        super().__init__()
        self.pieces = [Piece("")]
        self.open = [Element("", self.pieces[0], "text")]

    def start_piece(self, anchor):
        self.pieces.append(Piece(anchor))
        return self.pieces[-1]

    def handle_starttag(self, tag, attributes):
        if tag in VOID:
            return
        attributes = dict(attributes)
        classes, anchor = set((attributes.get("class") or "").split()), attributes.get("id")
        parent = self.open[-1]
        piece, kind = parent.piece, parent.kind
        if kind and (tag in SKIPPED_TAGS or classes & SKIPPED_CLASSES):
            kind = ""
        elif anchor and (tag == "section" or "admonition" in classes):
            piece = self.start_piece(anchor)
        elif tag == "dt" and "sig" in classes and anchor:
            # the name and, beside it, what is said of it
            owner = parent.piece
            piece = parent.piece = self.start_piece(anchor)
            piece.title = callable_name(anchor, owner)
        elif HEADING.fullmatch(tag) or ("admonition-title" in classes and not piece.title):
            kind = kind and "title"
        elif "cell_input" in classes:
            kind = kind and "code"
        if "math-display" in classes and kind:
            self.handle_data(" … ")
            kind = ""
        if parent.children and parent.tag in BETWEEN:
            self.handle_data(BETWEEN[parent.tag])
        elif not INLINE.fullmatch(tag):
            self.handle_data(" ")
        parent.children += 1
        self.open.append(Element(tag, piece, kind))

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        self.open.pop()
        if not INLINE.fullmatch(tag):
            self.handle_data(" ")

    def handle_data(self, data):
        element = self.open[-1]
        if element.kind:
            setattr(element.piece, element.kind, getattr(element.piece, element.kind) + data)


def pieces(html):
    """The pieces of a page's body, in order; the first of them is the page itself."""
    parser = Pieces()
    parser.feed(html)
    for piece in parser.pieces:
        for name in ("title", "text", "code"):
            # KaTeX separates operators by characters of no width
            words = re.sub("[\u200b\u2061\u2062]", "", getattr(piece, name))
            setattr(piece, name, " ".join(words.split()))
    return [piece for piece in parser.pieces if piece.title]

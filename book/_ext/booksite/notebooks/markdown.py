"""The article of a page, as it is in HTML, becomes Markdown that any notebook shows, and the code cells between.

HTML and not MyST: there every number is counted, every reference resolved, every result in its sentence.
"""

import re
from textwrap import indent
from urllib.parse import urljoin

from nbformat.v4 import new_code_cell

# what only a page shows
SKIPPED = "script, style, .headerlink, .katex-html, .cell_output, .embed, .sd-tab-set > input"
CELL_PICTURE = re.compile(r"/[0-9a-f]{64}\.svg$")


class Writer:
    """For a page at `address`; `words` holds what the Markdown says by itself, in the page's language."""

    def __init__(self, address, words):
        self.address, self.words = address, words

    def blocks(self, node):
        """Blocks of Markdown, which are strings, and code cells, in the order of the page."""
        return [piece for child in node.find_all(True, recursive=False) for piece in self.block(child)]

    def block(self, node):
        name, classes = node.name, node.get("class", [])
        if re.fullmatch("h[1-6]", name):
            return [f"{'#' * int(name[1])} {self.inline(node)}"]
        if name in ("p", "a", "span"):
            # an empty one is the place that a label names
            return [text] if (text := self.inline_of(node).strip()) else []
        if name == "label":
            # of a tab: in a notebook they stand one below the other
            return [emphasis("strong", self.inline(node))]
        if write := {"ul": self.listing, "ol": self.listing, "table": self.table, "figure": self.figure}.get(name):
            return [write(node)]
        if name == "iframe":
            return [self.link(node["title"], node["src"])]
        if "math-display" in classes:
            return [self.formula(node)]
        if "cell" in classes:
            # the source begins with an empty element, and ends with a newline
            return [new_code_cell(node.select_one(".cell_input pre").get_text().rstrip("\n"))]
        if "highlight" in classes:
            return [f"```\n{node.get_text().strip()}\n```"]
        if "admonition" in classes:
            return self.box(node, classes)
        if name in ("section", "div"):
            return self.blocks(node)
        raise ValueError(f"no Markdown for <{name} class={' '.join(classes)!r}>")

    def box(self, node, classes):
        title = node.find(class_="admonition-title", recursive=False)
        if title is None:
            return [*self.blocks(node), "∎"]
        title.extract()
        inside = self.blocks(node)
        if "dropdown" in classes:
            return details(self.inline(title), inside)
        if number := title.find(class_="caption-number"):
            return quote([f"**{number.extract().get_text().strip()}**{self.text(title).rstrip()}", *inside])
        return quote([emphasis("strong", self.text(title)), *inside])

    def listing(self, node):
        lines = []
        for i, item in enumerate(node.find_all("li", recursive=False), int(node.get("start", 1))):
            mark = "- " if node.name == "ul" else f"{i}. "
            text = "\n\n".join(self.blocks(item)) if item.find("p", recursive=False) else self.inline(item)
            lines.append(mark + indent(text, " " * len(mark)).lstrip())
        return "\n".join(lines)

    def table(self, node):
        rows = [[self.inline(cell) for cell in row.find_all(["th", "td"])] for row in node.find_all("tr")]
        # a bar would end the cell, in a formula as well
        rows = [[re.sub(r"\\\|", r"\\Vert ", cell).replace("|", r"\vert ") for cell in row] for row in rows]
        rows.insert(1, ["---"] * len(rows[0]))
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)

    def figure(self, node):
        number = node.figcaption.find(class_="caption-number").extract().get_text().strip()
        caption = f"**{number}** {self.inline(node.figcaption)}"
        # a cell shows its own picture, whose file is named by its content; a drawing is shown here
        drawing = [] if CELL_PICTURE.search(src := node.img["src"]) else [f"!{self.link(number, src)}"]
        return "\n\n".join([*drawing, caption, *details(self.words["alt"], [escape(node.img["alt"])])])

    def formula(self, node):
        number = node.find(class_="eqno")
        tag = rf" \tag{{{number.get_text().strip('()')}}}" if number else ""
        return f"$${tex(node)}{tag}$$"

    def inline(self, node):
        return self.text(node).strip()

    def text(self, node):
        return "".join(map(self.inline_of, node.children))

    def inline_of(self, node):
        if isinstance(node, str):
            return escape(re.sub(r"\s+", " ", node))
        if "math" in node.get("class", []):
            return f"${tex(node)}$"
        if node.name in ("em", "strong"):
            return emphasis(node.name, self.text(node))
        if node.name == "code":
            return f"`{node.get_text()}`"
        if node.name == "a":
            return self.link(self.inline(node), node["href"])
        if node.name in ("span", "p", "i"):
            return self.text(node)
        raise ValueError(f"no Markdown for <{node.name}> in a line")

    def link(self, text, target):
        return f"[{text}]({urljoin(self.address, target)})"


def tex(node):
    # on one line, because the mark of a quotation at the start of a line would become part of the formula
    return " ".join(node.find("annotation").get_text().split())


def escape(text):
    return re.sub(r"([\\`*_~$])", r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;")


def emphasis(tag, text):
    # Markdown's stars do not close between a punctuation mark and a letter, as in Chinese, nor after a space
    star = {"em": "*", "strong": "**"}[tag]
    return f"{star}{text}{star}" if re.fullmatch(r"\w(.*\w)?", text) else f"<{tag}>{text}</{tag}>"


def grouped(pieces):
    """The same pieces, blocks of text that follow each other made one; a heading begins another."""
    found = []
    for piece in pieces:
        if found and isinstance(piece, str) and isinstance(found[-1], str) and not piece.startswith("#"):
            found[-1] += "\n\n" + piece
        else:
            found.append(piece)
    return found


def quote(pieces):
    for piece in grouped(pieces):
        yield "\n".join(f"> {line}".rstrip() for line in piece.split("\n")) if isinstance(piece, str) else piece


def details(summary, pieces):
    """Closed until asked for. A cell cannot lie inside, so its code is folded and the text goes on after it."""
    for piece in grouped(pieces):
        if isinstance(piece, str):
            yield f"<details>\n<summary>{summary}</summary>\n\n{piece}\n\n</details>"
        else:
            piece.metadata["jupyter"] = {"source_hidden": True}
            yield piece

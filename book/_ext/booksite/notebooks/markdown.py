"""The article of a page, as it is in HTML, becomes Markdown that any notebook shows, and the code cells between.

HTML and not MyST: there every number is counted, every reference resolved, every result in its sentence.
"""

import re
from textwrap import indent
from urllib.parse import urljoin

from booksite.notebooks.pieces import Cell, details, join, quote

# what only a page shows
SKIPPED = "script, style, .headerlink, .katex-html, .cell_output, .embed, .sd-tab-set > input"


class Writer:
    """For a page at `address`; `words` holds what the Markdown says by itself, in the page's language."""

    def __init__(self, address, words):
        self.address, self.words = address, words

    def pieces(self, article):
        """Blocks of Markdown (str) and code cells (Cell), in the order of the page."""
        for element in article.select(SKIPPED):
            element.decompose()
        return self.blocks(article)

    def blocks(self, node):
        found = []
        for child in node.find_all(True, recursive=False):
            found += self.block(child, set(child.get("class", [])))
        return found

    def block(self, node, classes):
        if re.fullmatch("h[1-6]", node.name):
            return [f"{'#' * int(node.name[1])} {self.inline(node)}"]
        if node.name == "p":
            return [self.inline(node)]
        if node.name == "label":
            # of a tab: in a notebook they stand one below the other
            return [emphasis("strong", self.inline(node))]
        if node.name in ("ul", "ol"):
            return [self.listing(node)]
        if node.name == "table":
            return [self.table(node)]
        if node.name == "figure":
            return [self.figure(node)]
        if node.name == "iframe":
            return [self.link(node["title"], node["src"])]
        if node.name in ("a", "span"):
            # an empty one is the place that a label names
            return [text] if (text := self.inline_of(node).strip()) else []
        if "math-display" in classes:
            return [self.formula(node)]
        if "cell" in classes:
            # the source begins with an empty element, and ends with a newline
            return [Cell(node.select_one(".cell_input pre").get_text().rstrip("\n"))]
        if "highlight" in classes:
            return [f"```\n{node.get_text().strip()}\n```"]
        if "admonition" in classes:
            return self.box(node, classes)
        if node.name in ("section", "div"):
            return self.blocks(node)
        raise ValueError(f"no Markdown for <{node.name} class={' '.join(classes)!r}>")

    def box(self, node, classes):
        title = node.find("p", class_="admonition-title", recursive=False)
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
            text = join(self.blocks(item)) if item.find("p", recursive=False) else self.inline(item)
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
        return join([caption, *details(self.words["alt"], [escape(node.img["alt"])])])

    def formula(self, node):
        number = node.find(class_="eqno")
        tag = rf" \tag{{{number.get_text().strip('()')}}}" if number else ""
        return f"$${tex(node)}{tag}$$"

    def inline(self, node):
        return self.text(node).strip()

    def text(self, node):
        return "".join(self.inline_of(child) for child in node.children)

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
        if node.name in ("span", "p", "i", "wbr"):
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

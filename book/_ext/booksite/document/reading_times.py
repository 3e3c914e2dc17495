"""`{reading-times}`: a table of the numbered chapters of the page's edition, with the minutes each one takes."""

import math
import re
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

from booksite.words import words

# readers of technical prose manage about 200 English words or 300 Han characters a minute
PACES = [(r"[A-Za-z]{2,}", 200), (r"[\u4e00-\u9fff]", 300)]
BLOCK, DISPLAY, INLINE = r"^\s*([`:]{3,})\{(?:math|code-cell)\}.*?^\s*\1\s*$", r"\$\$.*?\$\$", r"\$[^$\n]+\$"
# a displayed formula or a cell holds a reader up for half a minute, a formula in the line for three seconds
STOPS = [(BLOCK, 0.5), (DISPLAY, 0.5), (INLINE, 0.05)]
MANY_LINES = re.S | re.M
EXERCISE, MINUTES_PER_EXERCISE = r"^\s*[`:]{3,}\{exercise\}", 6
NO_PROSE = rf"\A---\n.*?\n---\n|{BLOCK}|{DISPLAY}|{INLINE}"


class ReadingTimes(SphinxDirective):
    """An empty table: the chapters are known only when all pages have been read."""

    def run(self):
        # a change in any page of the edition makes Sphinx read this page again
        for source in Path(self.env.doc2path(self.env.docname)).parent.glob("*.md"):
            self.env.note_dependency(str(source))
        return [nodes.table(classes=["reading-times"])]


def estimate(text):
    """Minutes of reading, and number of exercises, of one source."""
    prose = re.sub(NO_PROSE, "", text, flags=MANY_LINES)
    # without options: an alternative text replaces a figure
    minutes = sum(len(re.findall(pattern, re.sub(r"(?m)^:[\w-]+:.*", "", prose))) / pace for pattern, pace in PACES)
    minutes += sum(len(re.findall(pattern, text, MANY_LINES)) * each for pattern, each in STOPS)
    return math.ceil(minutes), len(re.findall(EXERCISE, text, re.M))


def make_tables(document, env):
    edition_of = env.config.booksite.edition_of
    edition = edition_of(env.docname)
    for table in [table for table in document.findall(nodes.table) if "reading-times" in table["classes"]]:
        # an appendix has a letter
        found = ((name, numbers.get("")) for name, numbers in env.toc_secnumbers.items())
        numbers = {name: number for name, number in found if number and isinstance(number[0], int)}
        chapters = [name for name in sorted(numbers, key=numbers.get) if edition_of(name) == edition]
        group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in (4, 1, 1, 1)), cols=4)
        group += nodes.thead("", row(words(edition, "reading_times")))
        group += nodes.tbody("", *(row(about(env, name, numbers[name][0])) for name in chapters))
        table += group


def about(env, chapter, number):
    minutes, exercises = estimate(Path(env.doc2path(chapter)).read_text("utf-8"))
    title = nodes.Text(f"{number}. {env.titles[chapter].astext()}")
    link = make_refnode(env.app.builder, env.docname, chapter, "", title)
    return link, minutes, exercises, minutes + exercises * MINUTES_PER_EXERCISE


def row(cells):
    cells = [cell if isinstance(cell, nodes.Node) else nodes.Text(str(cell)) for cell in cells]
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))

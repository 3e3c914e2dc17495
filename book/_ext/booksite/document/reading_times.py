"""`{reading-times}`: a table of the numbered chapters of the page's edition, with the minutes each one takes.

The minutes are estimated from the sources at each build, so that they stay true when a chapter grows.
"""

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


class reading_times(nodes.Element):
    """Where the table will stand: the chapters are known only when all pages have been read."""


class ReadingTimes(SphinxDirective):
    def run(self):
        # a change in any page of the edition makes Sphinx read this page again
        for source in Path(self.env.doc2path(self.env.docname)).parent.glob("*.md"):
            self.env.note_dependency(str(source))
        return [reading_times()]


def estimate(text):
    """Minutes of reading, and number of exercises, of one source."""
    prose = re.sub(NO_PROSE, "", text, flags=MANY_LINES)
    minutes = sum(len(re.findall(pattern, prose)) / pace for pattern, pace in PACES)
    minutes += sum(len(re.findall(pattern, text, MANY_LINES)) * each for pattern, each in STOPS)
    return math.ceil(minutes), len(re.findall(EXERCISE, text, re.M))


def make_tables(document, env):
    for place in list(document.findall(reading_times)):
        place.replace_self(table(env, env.config.booksite.edition_of(env.docname)))


def table(env, edition):
    numbers = {name: found[""] for name, found in env.toc_secnumbers.items() if found.get("")}
    chapters = [name for name in sorted(numbers, key=numbers.get) if env.config.booksite.edition_of(name) == edition]
    group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in (4, 1, 1, 1)), cols=4)
    group += nodes.thead("", row(nodes.Text(heading) for heading in words(edition, "reading_times")))
    group += nodes.tbody("", *(row(cells(env, name, numbers[name])) for name in chapters))
    return nodes.table("", group, classes=["reading-times"])


def cells(env, chapter, number):
    minutes, exercises = estimate(Path(env.doc2path(chapter)).read_text("utf-8"))
    title = f"{number[0]}. {env.titles[chapter].astext()}"
    link = make_refnode(env.app.builder, env.docname, chapter, "", nodes.Text(title))
    counts = (minutes, exercises, minutes + exercises * MINUTES_PER_EXERCISE)
    return [link, *(nodes.Text(str(count)) for count in counts)]


def row(cells):
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))

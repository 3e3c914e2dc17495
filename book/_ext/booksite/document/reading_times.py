"""`{reading-times}`: a table of the numbered chapters of the page's edition, with the minutes each one takes."""

import math
import re
from pathlib import Path

from sphinx.util.docutils import SphinxDirective

# readers of technical prose manage about 200 English words or 300 Han characters a minute
PACES = [(r"[A-Za-z]{2,}", 200), (r"[\u4e00-\u9fff]", 300)]
BLOCK, DISPLAY, INLINE = r"^\s*([`:]{3,})\{(?:math|code-cell)\}.*?^\s*\1\s*$", r"\$\$.*?\$\$", r"\$[^$\n]+\$"
# a displayed formula or a cell holds a reader up for half a minute, a formula in the line for three seconds
STOPS = [(BLOCK, 0.5), (DISPLAY, 0.5), (INLINE, 0.05)]
MANY_LINES = re.S | re.M
EXERCISE = r"^\s*[`:]{3,}\{exercise\}.*?(\d+) (?:minutes|分钟)"
# an alternative text replaces a figure
NO_PROSE = rf"\A---\n.*?\n---\n|^:[\w-]+:[^\n]*|{BLOCK}|{DISPLAY}|{INLINE}"


class ReadingTimes(SphinxDirective):
    def run(self):
        env, config = self.env, self.config
        folder, _, _ = env.docname.rpartition("/")
        rows = [config.booksite.edition_of(env.docname).words("reading_times"), ["---", *["--:"] * 3]]
        # an appendix has a letter
        numbered = [part for part in env.external_site_map.root.subtrees if part.numbered is True]
        chapters = [name for part in numbered for name in part.items if name.rpartition("/")[0] == folder]
        for number, name in enumerate(chapters, 1):
            minutes, exercises = estimate(Path(env.doc2path(name)).read_text("utf-8"))
            rows.append([f"{number}. [](/{name}.md)", minutes, len(exercises), minutes + sum(exercises)])
        # a change there makes Sphinx read this page again
        for file in (config.external_toc_path, *map(env.doc2path, chapters)):
            env.note_dependency(str(file))
        (table,) = self.parse_text_to_nodes("\n".join("| {} | {} | {} | {} |".format(*row) for row in rows))
        table["classes"].append("reading-times")
        return [table]


def estimate(text):
    """Minutes of reading up to the exercises, and those of each exercise, of one source."""
    before, _, _ = text.partition("{exercise}")
    prose = re.sub(NO_PROSE, "", before, flags=MANY_LINES)
    minutes = sum(len(re.findall(pattern, prose)) / pace for pattern, pace in PACES)
    minutes += sum(len(re.findall(pattern, before, MANY_LINES)) * each for pattern, each in STOPS)
    return math.ceil(minutes), [int(each) for each in re.findall(EXERCISE, text, MANY_LINES)]

"""Docstrings as they stand: they are written for ``help()``, where |u| is an absolute value and [1]_ a plain number.

reStructuredText would take the first for a substitution, and wants the source of the second in the same docstring. The
sources themselves become lines of their own.
"""

import re

LITERAL = r"``.*?``|`.*?`"
BAR = re.compile(rf"({LITERAL})|\|")
REFERENCE = re.compile(r"^\.\. (\[\d+\]) |(\[\d+\])_(?!\w)")


def keep_plain(app, what, name, documented, options, lines):
    for place, line in enumerate(lines):
        if ">>>" not in line:
            line = BAR.sub(lambda found: found[1] or r"\|", line)
            lines[place] = REFERENCE.sub(lambda found: f"| {found[1]} " if found[1] else found[2], line)


def setup(app):
    app.connect("autodoc-process-docstring", keep_plain, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Docstrings as they are: they are written for ``help()``, where |u| is an absolute value.

reStructuredText would take it for a substitution.
"""

import re

BAR = re.compile(r"(``.*?``|`.*?`)|\|")


def keep_bars(app, what, name, documented, options, lines):
    lines[:] = [line if ">>>" in line else BAR.sub(lambda found: found[1] or r"\|", line) for line in lines]

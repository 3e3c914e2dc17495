"""Numbers that cells computed, set in a text as its authors set theirs: a minus sign, a power of ten, all on a line."""

import re

from docutils import nodes

NUMBER = re.compile(r"(-?)([\d.,]+)(?:e([-+])0*(\d+))?")
WORD = re.compile(r"[^\W\d_]{2}")
SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def typeset(text):
    """A number as Python writes it as a text has it; a bound, or a value with its spread, stays on one line."""
    if not (found := NUMBER.fullmatch(text)):
        return text if WORD.search(text) else text.replace(" ", "\N{NO-BREAK SPACE}")
    minus, digits, sign, power = found.groups()
    if power:
        digits += "·10" + (sign.strip("+") + power).translate(SUPERSCRIPTS)
    return ("\N{MINUS SIGN}" if minus else "") + digits


def typeset_numbers(document, env):
    for node in document.findall(nodes.inline):
        if "pasted-text" in node["classes"]:
            text = typeset(node.astext())
            node.clear()
            node += nodes.Text(text)

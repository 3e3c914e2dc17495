"""The joined style sheet, less the rules that no page and no script of the site could ever use.

A selector goes only if it needs a class or an id that is on no page, and that no script has as a word. What is inside
`:is(…)`, `:not(…)`, `:has(…)` or `[…]` is not examined, so that such selectors stay.
"""

import re

import tinycss2

from booksite.finish.assets import SCRIPT, SHEET

NAMES = re.compile(r'\b(?:class|id)="([^"]*)"')
CODE = re.compile(r"<script\b[^>]*>(.*?)</script>", re.S)
WORD = re.compile(r"[\w-]+")
# put together from pieces by Bootstrap
COMPOSED = re.compile("bs-(tooltip|popover)-")
NESTED = {"media", "supports", "layer", "container"}


def names(site):
    """Every class and id of a page, and every word of a script."""
    found = set(WORD.findall(site.read(SCRIPT)))
    for html in site.pages.values():
        found.update(word for value in NAMES.findall(html) for word in value.split())
        found.update(word for code in CODE.findall(html) for word in WORD.findall(code))
    return found


def used_selectors(prelude, used):
    """The parts of a list of selectors that find something, as texts."""
    parts = [[]]
    for token in prelude:
        if token == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    for part in parts:
        needed = [
            token.value
            for before, token in zip([None, *part], part, strict=False)
            if token.type == "hash" or (token.type == "ident" and before == ".")
        ]
        if all(name in used or COMPOSED.match(name) for name in needed):
            yield tinycss2.serialize(part).strip()


def purge(rules, used):
    """The rules as text, less those that need a name that is not in use."""
    kept = []
    for rule in rules:
        if rule.type == "comment":
            # a licence begins with an exclamation mark
            if rule.value.startswith("!"):
                kept.append(rule.serialize())
        elif rule.type == "qualified-rule":
            if selectors := ",".join(used_selectors(rule.prelude, used)):
                kept.append(f"{selectors}{{{tinycss2.serialize(rule.content).strip()}}}")
        elif rule.lower_at_keyword in NESTED and rule.content is not None:
            if text := purge(tinycss2.parse_rule_list(rule.content, skip_whitespace=True), used):
                kept.append(f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{text}}}")
        else:
            kept.append(rule.serialize())
    return "\n".join(kept)


def drop_unused_rules(site):
    rules = tinycss2.parse_stylesheet(site.read(SHEET), skip_whitespace=True)
    site.write(SHEET, purge(rules, names(site)))

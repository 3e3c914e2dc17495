"""The joined style sheet, less the rules that no page and no script of the site could ever use.

A selector goes only if it needs a class or an id that is on no page, and that no script has as a word. What is
inside `:is(…)`, `:not(…)`, `:has(…)` or `[…]` is not examined, so that such selectors stay. A variable goes
only if nothing reads it, or nothing but other variables that go.
"""

import re

import tinycss2

from booksite.finish.assets import SCRIPT, SHEET

NAMES = re.compile(r'\b(?:class|id)="([^"]*)"')
CODE = re.compile(r"<script\b[^>]*>(.*?)</script>", re.S)
WORD = re.compile(r"[\w-]+")
VARIABLE = re.compile(r"var\(\s*(--[\w-]+)")
# put together from pieces by Bootstrap
COMPOSED = re.compile("bs-(tooltip|popover)-")
NESTED = {"media", "supports", "layer", "container"}


def names(site):
    """Every class and id of a page, and every word of a script."""
    found = set(WORD.findall(site.read(SCRIPT)))
    for html in site.pages.values():
        for value in NAMES.findall(html):
            found.update(value.split())
        for code in CODE.findall(html):
            found.update(WORD.findall(code))
    return found


def variables(site):
    """The variables that pages and scripts read."""
    read = {name for html in site.pages.values() for name in VARIABLE.findall(html)}
    for script in (site.root / "_static").rglob("*.js"):
        read.update(word for word in WORD.findall(script.read_text("utf-8")) if word.startswith("--"))
    return read


def needed(selector):
    """The classes and ids without which a selector finds nothing."""
    for before, token in zip([None, *selector], selector, strict=False):
        if token.type == "hash" or (token.type == "ident" and before == "."):
            yield token.value


def selectors(prelude):
    """The parts of a list of selectors."""
    found = [[]]
    for token in prelude:
        if token == ",":
            found.append([])
        else:
            found[-1].append(token)
    return found


def purge(rules, used, read):
    """The rules as text, less what needs a name that is not in use, and less the variables that nothing reads."""
    kept = []
    for rule in rules:
        if rule.type == "comment":
            # with an exclamation mark it is a licence
            if rule.value.startswith("!"):
                kept.append(rule.serialize())
        elif rule.type == "qualified-rule":
            alive = [
                tinycss2.serialize(selector).strip()
                for selector in selectors(rule.prelude)
                if all(name in used or COMPOSED.match(name) for name in needed(selector))
            ]
            parts = tinycss2.parse_declaration_list(rule.content, skip_comments=True, skip_whitespace=True)
            content = [
                part.serialize()
                for part in parts
                if part.type != "declaration" or not part.name.startswith("--") or part.name in read
            ]
            if alive and content:
                kept.append(f"{','.join(alive)}{{{';'.join(content)}}}")
        elif rule.lower_at_keyword in NESTED and rule.content is not None:
            inner = tinycss2.parse_rule_list(rule.content, skip_whitespace=True)
            if text := purge(inner, used, read):
                kept.append(f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{text}}}")
        else:
            kept.append(rule.serialize())
    return "\n".join(kept)


def drop_unused_rules(site):
    used, read = names(site), variables(site)
    before, text = None, site.read(SHEET)
    # a variable may have been read by one that is gone now
    while text != before:
        before = text
        rules = tinycss2.parse_stylesheet(text, skip_whitespace=True)
        text = purge(rules, used, read.union(VARIABLE.findall(text)))
    site.write(SHEET, text)

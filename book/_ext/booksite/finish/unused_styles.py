"""The joined style sheet, less the rules and variables that no page and no script of the site could ever use.

A rule goes only if each of its selectors needs a class or an id that is on no page and is not a word of a script; a
variable, if nothing reads it.
"""

import re

from lightningcss import process_stylesheet

from booksite.finish.assets import SCRIPT, SHEET

ON_A_PAGE = re.compile(r'\b(?:class|id)="([^"]*)"')
INLINE_SCRIPT = re.compile(r"<script\b[^>]*>(.*?)</script>", re.S)
WORD = re.compile(r"[\w-]+")
VARIABLE = re.compile(r"--[\w-]+")
READ = re.compile(r"var\(\s*(--[\w-]+)")
# classes, ids and variables of a sheet, and words that only look like them
NAME = re.compile(r"[.#](-?[A-Za-z_][\w-]*)|(--[\w-]+)")
# an animation may have the name of a class
ANIMATION = re.compile(r"@keyframes\s+([\w-]+)")
# put together from pieces by Bootstrap
COMPOSED = re.compile("bs-(tooltip|popover)-")
# the rules that are left are written as these understand them
BROWSERS = ["chrome 109", "firefox 121", "safari 15.4"]
LICENCE = re.compile(r"/\*!.*?\*/", re.S)


def names_in_use(site):
    """Every class and id of a page, every word of a script, and every variable that either of them reads."""
    used = set(WORD.findall(site.read(SCRIPT)))
    for html in site.pages.values():
        used.update(READ.findall(html))
        for part in (*ON_A_PAGE.findall(html), *INLINE_SCRIPT.findall(html)):
            used.update(WORD.findall(part))
    for script in (site.root / "_static/widgets").glob("*.js"):
        used.update(VARIABLE.findall(script.read_text("utf-8")))
    return used


def drop_unused_rules(site):
    used, sheet = names_in_use(site), site.read(SHEET)
    licences, before = dict.fromkeys(LICENCE.findall(sheet)), None
    # a variable may have been read by a rule that is gone now
    while sheet != before:
        before, kept = sheet, used.union(READ.findall(sheet), ANIMATION.findall(sheet))
        names = {name or variable for name, variable in NAME.findall(sheet)}
        unused = {name for name in names - kept if not COMPOSED.match(name)}
        sheet = process_stylesheet(sheet, filename=SHEET, unused_symbols=unused)
    site.write(SHEET, "\n".join([*licences, process_stylesheet(sheet, browsers_list=BROWSERS)]))

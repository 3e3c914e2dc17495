"""Of the theme's two thousand icons, those that the site shows: their glyphs in the fonts, their rules in the sheet.

An icon is shown where a page or a script names its class, or where another rule of a sheet draws its character. What is
left of the fonts is so little that it stands in the sheet itself.
"""

import re
from pathlib import Path

from booksite.finish.font_subset import subset
from booksite.finish.joined_files import SHEET as JOINED

SHEET = "_static/styles/pydata-sphinx-theme.css"
FONTS = "_static/vendor/fontawesome/webfonts"
NAME = re.compile(r"\bfa-[\w-]+")
# the rule that gives an icon, under all of its names, its character
RULE = re.compile(r'((?:\.fa-[\w-]+:before,?)+)\{content:"([^"]+)"\}')
# written out or as itself, in the area of Unicode that belongs to nobody
CHARACTER = re.compile(r"\\([ef][0-9a-f]{3})\b|([\ue000-\uf8ff])")


def characters(text):
    return {chr(int(code, 16)) if code else itself for code, itself in CHARACTER.findall(text)}


def trim(app, exception):
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    files = [*out.rglob("*.html"), *(out / "_static").rglob("*.js")]
    shown = {name for file in files for name in NAME.findall(file.read_text("utf-8"))}

    def is_shown(rule):
        return shown.intersection(NAME.findall(rule[1]))

    sheet = out / SHEET
    rules = RULE.sub(lambda rule: rule[0] if is_shown(rule) else "", sheet.read_text("utf-8"))
    # not the joined one, which is the last build's
    others = set((out / "_static").rglob("*.css")) - {sheet, out / JOINED}
    drawn = characters(rules).union(*(characters(other.read_text("utf-8")) for other in others))
    for font in (out / FONTS).glob("*.woff2"):
        rules = rules.replace(f"../{font.relative_to(out / '_static')}", subset(font, drawn))
        font.unlink()
    sheet.write_text(rules, "utf-8")


def setup(app):
    # when all pages and scripts are there, and before the sheets are joined
    app.connect("build-finished", trim, priority=800)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

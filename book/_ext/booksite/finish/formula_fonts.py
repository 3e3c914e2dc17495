"""KaTeX's fonts, each with the characters that the site's formulas draw in it, in the style sheet itself.

All formulas are made in the build, so that is known; and it is so little that a page need not wait for twenty files.
"""

import re
import shutil
from collections import defaultdict
from functools import cache
from html import unescape
from pathlib import Path

from booksite.finish.font_subset import subset

SHEET = "_static/katex/katex.min.css"
# no rule of this sheet lies inside another one
RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
FORMULA = '<span class="katex-html" aria-hidden="true">'
# the beginning and the end of an element, and a text; what is drawn as a curve has no text
PIECE = re.compile(r'<span(?: class="([^"]*)")?[^>]*>|(</span>)|([^<]+)|<[^>]*>')
# fonts in a sheet are read when a text is laid out that needs them, and lines would change under a reader's eyes
READ_FIRST = 'for (const font of document.fonts) if (font.family.includes("KaTeX")) font.load();'
DEFAULT = {"font-family": "KaTeX_Main", "font-style": "normal", "font-weight": "400"}


class Fonts:
    """Which font a sheet of KaTeX's gives to a text."""

    def __init__(self, sheet):
        self.files, rules = {}, []
        for selectors, body in RULE.findall(sheet):
            style = dict(declaration.split(":", 1) for declaration in body.split(";") if declaration)
            font = {name: value for name, value in style.items() if name in DEFAULT}
            if selectors == "@font-face":
                self.files[tuple(font[name] for name in DEFAULT)] = re.search(r"url\(([^)]+)\)", style["src"])[1]
            elif font:
                rules += [(selector.count("."), self.classes(selector), font) for selector in selectors.split(",")]
        # what is more specific comes later; what is equally specific stays in order
        self.rules = sorted(rules, key=lambda rule: rule[0])
        self.of = cache(self.of)

    @staticmethod
    def classes(selector):
        """For each element that a selector names the classes that it has; below `.katex` all are somewhere below."""
        return [set(element.split(".")[1:]) for element in re.split("[ >]", selector)]

    def of(self, path):
        """The font of a text in elements of these classes, the outermost first: a key of `files`."""
        elements, style = [{"katex"}, *(set(names.split()) for names in path)], dict(DEFAULT)
        for depth, element in enumerate(elements):
            for _, (*above, last), font in self.rules:
                if last <= element and all(any(one <= other for other in elements[:depth]) for one in above):
                    style |= font
        family, slope, weight = style.values()
        # as a browser does, another font of the family where there is none of this style
        return min(
            (face for face in self.files if face[0] == family),
            key=lambda face: (face[1] != slope, face[2] != weight),
        )


def drawn(html, fonts):
    """Pairs of a font and a text that a formula of a page shows in it."""
    end = 0
    while (start := html.find(FORMULA, end)) >= 0:
        path = [""]
        for piece in PIECE.finditer(html, start + len(FORMULA)):
            names, closes, text = piece.groups()
            if text:
                yield fonts.of(tuple(path)), unescape(text)
            elif closes:
                path.pop()
            elif piece[0].startswith("<span"):
                path.append(names or "")
            if not path:
                break
        end = piece.end()


def embed(app, exception):
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    sheet = out / SHEET
    rules = sheet.read_text("utf-8")
    fonts, shown = Fonts(rules), defaultdict(set)
    for page in out.rglob("*.html"):
        for font, text in drawn(page.read_text("utf-8"), fonts):
            shown[font].update(text)
    for font, file in fonts.files.items():
        if font in shown:
            rules = rules.replace(f"url({file})", f"url({subset(sheet.parent / file, shown[font])})")
        else:
            rules = re.sub(rf"@font-face\{{[^}}]*url\({re.escape(file)}\)[^}}]*\}}", "", rules)
    sheet.write_text(rules, "utf-8")
    shutil.rmtree(sheet.parent / "fonts")


def read_first(app, pagename, templatename, context, doctree):
    if "katex-html" in context.get("body", ""):
        app.add_js_file(None, body=READ_FIRST)


def setup(app):
    app.connect("html-page-context", read_first)
    # when all pages and fonts are there, and before the sheets are joined
    app.connect("build-finished", embed, priority=800)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

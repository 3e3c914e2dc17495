"""Fonts that are so small that they are part of the style sheet: only the characters that the site shows.

Icons are listed. All formulas are made in the build, so the characters that they draw are known.
"""

import logging
import re
import shutil
from base64 import b64encode
from collections import defaultdict
from html import unescape
from io import BytesIO

from fontTools.subset import Options, Subsetter, load_font, save_font

from booksite.finish.assets import SCRIPTS, SHEETS, listed

# of the theme's two thousand icons those that the site shows
ICONS = {
    "angle-left", "angle-right", "arrow-up", "bars", "circle-half-stroke", "code", "download", "file", "file-pdf",
    "github", "list", "magnifying-glass", "moon", "rocket", "sun", "xmark",
}  # fmt: skip
# how an icon looks, not which one it is
LOOKS = {"brands", "fw", "lg", "regular", "solid"}
THEME, WEBFONTS = "_static/styles/pydata-sphinx-theme.css", "_static/vendor/fontawesome/webfonts"
NAME = re.compile(r"\bfa-([\w-]+)")
# the rule that gives an icon, under all of its names, its character
ICON = re.compile(r'((?:\.fa-[\w-]+:before,?)+)\{content:"([^"]+)"\}')
# written out or as itself, in the area of Unicode that has no characters of its own
CHARACTER = re.compile(r"\\([ef][0-9a-f]{3})\b|([\ue000-\uf8ff])")

KATEX = "_static/katex/katex.min.css"
# no rule of KaTeX's sheet lies inside another one
RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
FORMULA = '<span class="katex-html" aria-hidden="true">'
# the beginning and the end of an element, and a text; what is drawn as a curve has no text
PIECE = re.compile(r'<span(?: class="([^"]*)")?[^>]*>|(</span>)|([^<]+)|<[^>]*>')
DEFAULT = {"font-family": "KaTeX_Main", "font-style": "normal", "font-weight": "400"}

# fontTools reports every table that it drops, in a build whose output is read for what went wrong
logging.getLogger("fontTools").setLevel(logging.WARNING)


def subset(path, characters):
    """A font with the glyphs of these characters only, as an address that contains it."""
    options, small = (
        Options(flavor="woff2", hinting=False, ignore_missing_unicodes=True, notdef_outline=True),
        BytesIO(),
    )
    with load_font(str(path), options) as font:
        cutter = Subsetter(options)
        cutter.populate(text="".join(sorted(characters)))
        cutter.subset(font)
        save_font(font, small, options)
    return f"data:font/woff2;base64,{b64encode(small.getvalue()).decode()}"


def subset_icons(site):
    scripts = {name: site.read(f"_static/{name}") for name in listed(site, SCRIPTS)}
    for place, text in (site.pages | scripts).items():
        for name in sorted(set(NAME.findall(text)) - ICONS - LOOKS):
            site.warn(f"{place} shows the icon {name}: add it to ICONS in finish/fonts.py")
    found = set()

    def keep(rule):
        names = ICONS.intersection(NAME.findall(rule[1]))
        found.update(names)
        return rule[0] if names else ""

    rules = ICON.sub(keep, site.read(THEME))
    for name in sorted(ICONS - found):
        site.warn(f"the theme has no icon {name} of ICONS in finish/fonts.py")
    # other rules draw icons by their characters
    sheets = [rules, *(site.read(f"_static/{name}") for name in listed(site, SHEETS) if not THEME.endswith(name))]
    drawn = {chr(int(code, 16)) if code else itself for code, itself in CHARACTER.findall("".join(sheets))}
    for font in sorted((site.root / WEBFONTS).glob("*.woff2")):
        rules = rules.replace(f"../{font.relative_to(site.root / '_static').as_posix()}", subset(font, drawn))
        font.unlink()
    site.write(THEME, rules)


def read_faces(sheet):
    """The font files of KaTeX's sheet by family, style and weight; and its rules: what they set for which classes."""
    faces, rules = {}, []
    for selectors, body in RULE.findall(sheet):
        style = dict(declaration.split(":", 1) for declaration in body.split(";") if declaration)
        font = {name: style[name].strip('"') for name in DEFAULT if name in style}
        if selectors == "@font-face":
            faces[tuple(font.values())] = re.search(r"url\(([^)]+)\)", style["src"])[1]
        elif font:
            rules += [
                ([set(part.split(".")[1:]) for part in re.split("[ >]", one)], font) for one in selectors.split(",")
            ]
    return faces, rules


def faces_of(path, faces, rules):
    """Every face that a text in elements of these classes could have, whichever of the matching rules is stronger."""
    elements = [{"katex"}, *(set(names.split()) for names in path)]
    found = [font for parts, font in rules if all(any(part <= own for own in elements) for part in parts)]
    values = [{font[name] for font in found if name in font} or {default} for name, default in DEFAULT.items()]
    family = [face for face in faces if face[0] in values[0]]
    # where a family has no such style, a browser takes another
    return [face for face in family if face[1] in values[1] and face[2] in values[2]] or family


def drawn(html):
    """The texts of a page's formulas, each with the classes of the elements around it."""
    end = 0
    while (start := html.find(FORMULA, end)) >= 0:
        path = [""]
        for piece in PIECE.finditer(html, start + len(FORMULA)):
            names, closes, text = piece.groups()
            if text:
                yield tuple(path), unescape(text)
            elif closes:
                path.pop()
            elif piece[0].startswith("<span"):
                path.append(names or "")
            if not path:
                break
        end = piece.end()


def subset_formula_fonts(site):
    texts, shown, rules = defaultdict(set), defaultdict(set), site.read(KATEX)
    for html in site.pages.values():
        for path, text in drawn(html):
            texts[path].update(text)
    faces, selectors = read_faces(rules)
    for path, characters in texts.items():
        for face in faces_of(path, faces, selectors):
            shown[face] |= characters
    folder = (site.root / KATEX).parent
    for face, file in faces.items():
        if face in shown:
            rules = rules.replace(f"url({file})", f"url({subset(folder / file, shown[face])})")
        else:
            rules = re.sub(rf"@font-face\{{[^}}]*url\({re.escape(file)}\)[^}}]*\}}", "", rules)
    site.write(KATEX, rules)
    shutil.rmtree(folder / "fonts")

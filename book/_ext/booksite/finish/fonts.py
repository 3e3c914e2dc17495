"""Fonts that are so small that they are part of the style sheet: only the characters that the site shows.

Icons are characters in the rules of the joined sheet, which has lost the rules that no page uses. All formulas are made
in the build, so the characters that they draw are known.
"""

import logging
import re
from base64 import b64encode
from collections import defaultdict
from html import unescape
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

from fontTools.subset import Options, Subsetter, load_font, save_font

from booksite.finish.assets import KATEX, LISTS, SHEET

THEME = Path(find_spec("pydata_sphinx_theme").origin).parent / "theme/pydata_sphinx_theme/static"
FONTS = {path.name: path for path in [*KATEX.glob("fonts/*"), *THEME.glob("vendor/fontawesome/webfonts/*.woff2")]}
FACE = re.compile(r"@font-face\{[^}]*?([\w-]+\.woff2)[^}]*\}")
# in the area of Unicode that has no characters of its own
ICON = re.compile("[\ue000-\uf8ff]")
# a text in a formula has the font of the classes around it, whatever lies further out; the end of "log" is set apart
TEXT = re.compile(r'<span class="((?:m|delim|vlist)[^"]*)"[^>]*>(?:<span>)*([^<]+(?:<span style="[^"]*">[^<]+)?)')
RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
# in KaTeX's sheet the class of the element with the text
LAST_CLASS = re.compile(r"\.([\w-]+)(?:>span)?(?=,|$)")

# fontTools reports every table that it drops, in a build whose output is read for what went wrong
logging.getLogger("fontTools").setLevel(logging.WARNING)


def subset(path, characters):
    """A font with the glyphs of these characters only, as an address that contains it."""
    options = Options(flavor="woff2", hinting=False, ignore_missing_unicodes=True, notdef_outline=True)
    small = BytesIO()
    with load_font(str(path), options) as font:
        cutter = Subsetter(options)
        cutter.populate(text="".join(sorted(characters)))
        cutter.subset(font)
        save_font(font, small, options)
    return f"data:font/woff2;base64,{b64encode(small.getvalue()).decode()}"


def looks():
    """What the classes of a formula do to its fonts: "KaTeX_AMS", "Italic", "Bold"."""
    found = defaultdict(set)
    for selectors, body in RULE.findall((KATEX / "katex.min.css").read_text("utf-8")):
        look = re.findall(r"font-family:(\w+)", body)
        look += ["Italic"] * ("font-style:italic" in body) + ["Bold"] * ("font-weight:700" in body)
        for name in LAST_CLASS.findall(selectors):
            found[name].update(look)
    return found


def characters_of_formulas(pages):
    """The characters that each of KaTeX's fonts could have to draw, whichever class is stronger."""
    of_class, texts, shown = looks(), defaultdict(set), defaultdict(set)
    for html in pages:
        for names, text in TEXT.findall(html):
            texts[names].update(unescape(re.sub("<[^>]*>", "", text)))
    for names, characters in texts.items():
        look = set().union(*(of_class[name] for name in names.split()))
        families = {name for name in look if name.startswith("KaTeX")} or {"KaTeX_Main"}
        for font in FONTS:
            family, _, style = Path(font).stem.partition("-")
            if family in families and {"Italic", "Bold"}.intersection(re.findall("[A-Z][a-z]+", style)) <= look:
                shown[font] |= characters
    return shown


def with_fonts(sheet, pages):
    """A sheet with each font in it; a font without a character goes, and so do its rules."""
    shown, icons = characters_of_formulas(pages), set(ICON.findall(sheet))

    def embed(rule):
        characters = shown[rule[1]] if rule[1].startswith("KaTeX") else icons
        return re.sub("src:[^;}]+", f"src:url({subset(FONTS[rule[1]], characters)})", rule[0]) if characters else ""

    return FACE.sub(embed, sheet)


def embed_fonts(site):
    sheet = site.read(SHEET)
    for icon in sorted({f"{ord(icon):x}" for icon in ICON.findall(sheet)} - LISTS["icons"].keys()):
        site.warn(f"`icons` in assets.yml: {icon} is on a page: add it")
    site.write(SHEET, with_fonts(sheet, site.pages.values()))

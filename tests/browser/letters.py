"""Characters that were cut from the fonts of formulas although a page draws them."""

import re
from base64 import b64decode
from functools import cache
from io import BytesIO

from fontTools.ttLib import TTFont

from tests.conftest import ROOT

KATEX = ROOT / "book/_ext/booksite/katex"
# a page's rules for fonts; and the text of its formulas: families, style, weight, and all characters that look so
LOOKS = """async () => {
  // what is damaged does not load
  await Promise.all([...document.fonts].map((font) => font.load()));
  const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]), looks = {};
  for (const piece of document.querySelectorAll(".katex-html, .katex-html *")) {
    const texts = [...piece.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data);
    if (!texts.some((text) => text.trim())) continue;
    const { fontFamily, fontStyle, fontWeight } = getComputedStyle(piece);
    const characters = (looks[[fontFamily, fontStyle, fontWeight].join("|")] ??= new Set());
    for (const character of texts.join("")) characters.add(character);
  }
  return [
    rules.filter((rule) => rule instanceof CSSFontFaceRule).map((rule) => rule.cssText),
    Object.entries(looks).map(([look, characters]) => [...look.split("|"), [...characters].join("")]),
  ];
}"""
FACE = re.compile(r"@font-face\s*\{[^}]*\}")
ADDRESS = re.compile(r"""url\(["']?(.*?)["']?\)""")


@cache
def said(rule):
    """What a rule for a font says, except where the font is."""
    pairs = re.findall(r"([\w-]+):([^;{}]+)", ADDRESS.sub("", rule))
    found = {name: value.strip("\"' ") for name, value in pairs if name != "src"}
    return {"font-style": "normal", "font-weight": "400"} | found


def by_look(rules):
    """Rules by family, style and weight; the last one of several holds."""
    return {tuple(said(rule)[f"font-{name}"] for name in ("family", "style", "weight")): rule for rule in rules}


@cache
def whole_fonts():
    """The rules for KaTeX's fonts before they were cut."""
    return by_look(FACE.findall((KATEX / "katex.min.css").read_text("utf-8")))


@cache
def widths(rule):
    """The characters of a font, and how wide they are at a size of 1 px."""
    address = ADDRESS.search(rule)[1]
    data = b64decode(address.partition(",")[2]) if address.startswith("data:") else (KATEX / address).read_bytes()
    font = TTFont(BytesIO(data))
    # otherwise a text would not be as wide as its characters together
    assert not {"kern", "GPOS", "GSUB"}.intersection(font.keys()), said(rule)
    return {code: font["hmtx"][name][0] / font["head"].unitsPerEm for code, name in font.getBestCmap().items()}


def drawn(character, families, style, weight, fonts):
    """By which font a browser draws a character, and how wide; None if it must ask the system for one."""
    for family in families:
        # the style matters more than the weight
        order = {
            (its_style != style, abs(int(its_weight) - int(weight))): rule
            for (its_family, its_style, its_weight), rule in fonts.items()
            if its_family == family
        }
        if order and ord(character) in widths(rule := order[min(order)]):
            return " ".join(map(said(rule).get, sorted(said(rule)))), widths(rule)[ord(character)]


def lost_characters(page):
    rules, looks = page.evaluate(LOOKS)
    own = by_look(rules)
    for names, style, weight, characters in looks:
        families = [name.strip("\"' ") for name in names.split(",")]
        for character in characters:
            found, whole = (drawn(character, families, style, weight, fonts) for fonts in (own, own | whole_fonts()))
            if found != whole:
                yield f"draws {character!r} by {found}, with whole fonts by {whole}"

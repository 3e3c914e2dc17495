"""Characters that were cut from the fonts of formulas although a page draws them."""

import re
from base64 import b64encode
from functools import cache

from tests.conftest import ROOT

KATEX = ROOT / "book/_ext/booksite/katex"
# the widths of all pieces of a formula; a character seldom has the same width in another font
WIDTHS = """() => [...document.querySelectorAll(".katex-html span")]
  .filter((piece) => [...piece.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()))
  .map((piece) => [piece.textContent, piece.getBoundingClientRect().width])"""
LOAD_FONTS = "Promise.all([...document.fonts].map((font) => font.load())).then(() => 0)"


@cache
def whole_fonts():
    """KaTeX's fonts before they were cut; their rules override those of the site."""

    def data(address):
        return f"url(data:font/woff2;base64,{b64encode((KATEX / address[1]).read_bytes()).decode()})"

    faces = re.findall(r"@font-face\{[^}]*\}", (KATEX / "katex.min.css").read_text("utf-8"))
    return re.sub(r"url\(([^)]+)\)", data, "".join(faces))


def lost_characters(page):
    page.evaluate("document.documentElement.classList.add('laid-out')")
    page.evaluate(LOAD_FONTS)
    own = page.evaluate(WIDTHS)
    page.add_style_tag(content=whole_fonts())
    page.evaluate(LOAD_FONTS)
    for (text, width), (_, whole) in zip(own, page.evaluate(WIDTHS), strict=True):
        if abs(width - whole) > 0.01:
            yield f"draws {text!r} {width:.2f} px wide, with whole fonts {whole:.2f} px"

"""What was cut from the site's style sheet and from the fonts in it, to be held against pages."""

import json
import re
import sys
from base64 import b64encode
from functools import cache

from tests.conftest import ROOT

sys.path.append(str(ROOT / "book/_ext"))
from booksite.finish import joined_files

# selectors of the whole sheet that the joined one lacks, and that find something in the page, whatever state it is in
LOST = r"""(whole) => {
  const ELEMENTS = /::[\w-]+|:(before|after|first-line|first-letter)(?![\w-])/g;
  const NAMES = "hover focus focus-visible focus-within active visited link target checked disabled valid invalid";
  const STATES = new RegExp(`:(${NAMES.replaceAll(" ", "|")})(?![\\w-])`, "g");
  const EMPTY = /:(not|is|where)\(\s*\)/g;
  const bare = (selector) => [ELEMENTS, STATES, EMPTY].reduce((text, part) => text.replace(part, ""), selector);
  // where nothing else was said of an element
  const found = (selector) => document.querySelector(bare(selector).replace(/([>~+] |^)(?=[ >~+]|$)/g, "$1*"));
  const parts = (selector) => {
    let depth = 0;
    return [...selector].reduce((list, sign) => {
      depth += (sign === "(" || sign === "[") - (sign === ")" || sign === "]");
      if (sign === "," && !depth) list.push("");
      else list[list.length - 1] += sign;
      return list;
    }, [""]).map((part) => part.trim());
  };
  // variables may go with the rules that read them
  const draws = ({ style }) => [...style].some((name) => !name.startsWith("--"));
  const selectors = (rules) =>
    [...rules].flatMap((rule) =>
      rule.selectorText ? (draws(rule) ? parts(rule.selectorText) : []) : selectors(rule.cssRules ?? []),
    );
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(whole);
  const joined = [...document.styleSheets].find(({ href }) => href?.includes("joined.css"));
  if (!joined) return [];
  const kept = new Set(selectors(joined.cssRules));
  return [...new Set(selectors(sheet.cssRules))].filter((selector) => !kept.has(selector)).filter((selector) => {
    try {
      return found(selector);
    } catch {
      return true;
    }
  });
}"""

KATEX = ROOT / "book/_ext/booksite/katex"
# of each piece of a formula; a character is seldom as wide in another font
WIDTHS = """() => [...document.querySelectorAll(".katex-html span")]
  .filter((piece) => [...piece.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()))
  .map((piece) => [piece.textContent, piece.getBoundingClientRect().width])"""
LOAD_FONTS = "Promise.all([...document.fonts].map((font) => font.load())).then(() => 0)"


@cache
def whole_sheet():
    """All that was joined, as it was before it was cut."""
    pages = json.loads((ROOT / "_build/.doctrees/joined-files.json").read_text("utf-8"))
    static = ROOT / "_build/html/_static"
    return "\n".join(joined_files.sheet(static, name) for name in joined_files.names(pages, "css_files"))


def lost_rules(page, whole=None):
    return [f"lost its rules for {selector}" for selector in page.evaluate(LOST, whole or whole_sheet())]


@cache
def whole_fonts():
    """KaTeX's fonts as they were before they were cut; their rules win over those of the site."""

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

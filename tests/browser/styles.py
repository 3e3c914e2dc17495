"""What was cut from the site's style sheet, to be held against pages."""

import re
from base64 import b64encode
from functools import cache
from types import SimpleNamespace

from booksite.finish import assets, fonts

from tests.conftest import ROOT

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


@cache
def whole_sheet():
    """All that was joined, as it was before it was cut."""
    root = ROOT / "_build/html"
    site = SimpleNamespace(root=root, read=lambda name: (root / name).read_text("utf-8"))
    sheets = "\n".join(assets.sheet(site, name) for name in assets.find(site, assets.SHEETS))
    # with its fonts, which are whole as well
    return re.sub(r"url\([\w/.-]*?([\w-]+\.woff2)\)", lambda address: data(fonts.FONTS[address[1]]), sheets)


def data(path):
    return f"url(data:font/woff2;base64,{b64encode(path.read_bytes()).decode()})"


def lost_rules(page, whole=None):
    return [f"lost its rules for {selector}" for selector in page.evaluate(LOST, whole or whole_sheet())]

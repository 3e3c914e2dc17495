"""The rules that were cut from the site's style sheet, to be checked against pages."""

import re
from functools import cache
from importlib.resources import files
from types import SimpleNamespace

from booksite.finish import assets

from tests.conftest import ROOT

# selectors of the whole sheet that the joined one lacks and that match something in the page, whatever its state
LOST = r"""(whole) => {
  const ELEMENTS = /::[\w-]+|:(before|after|first-line|first-letter)(?![\w-])/g;
  const NAMES = "hover focus focus-visible focus-within active visited link target checked disabled valid invalid";
  const STATES = new RegExp(`:(${NAMES.replaceAll(" ", "|")})(?![\\w-])`, "g");
  const EMPTY = /:(not|is|where)\(\s*\)/g;
  const bare = (selector) => [ELEMENTS, STATES, EMPTY].reduce((text, part) => text.replace(part, ""), selector);
  // a part of a selector of which nothing is left becomes *
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
  // variables may be cut together with the rules that use them
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


FACE = re.compile(r"@font-face\s*\{[^}]*\}")


@cache
def whole_sheet():
    """Everything that was joined, before it was cut."""
    root = ROOT / "_build/html"
    site = SimpleNamespace(root=root, read=lambda name: (root / name).read_text("utf-8"))
    # the site does not keep that of MyST-NB, whose name there has a hash
    own = (files("myst_nb.static") / "mystnb.css").read_text("utf-8")
    sheets = "\n".join(own if "*" in name else assets.sheet(site, name) for name in assets.SHEETS)
    # with the fonts as they were cut: whole ones have hints, by which they are drawn a little differently
    return "".join([FACE.sub("", sheets), *FACE.findall(site.read(assets.SHEET))])


def lost_rules(page, whole=None):
    return [f"lost its rules for {selector}" for selector in page.evaluate(LOST, whole or whole_sheet())]

"""The checks of every page: functions of a visit, the page's name and the site that return what is wrong.

The docstring of a check is its rule, which a failing crawl prints.
"""

import re
from functools import cache
from xml.etree import ElementTree

from matplotlib.colors import to_rgb

from tests.book.pages import CHAPTERS, EDITIONS, NAMES
from tests.browser.axe import SHORTEN, violations
from tests.browser.demos import demos_of, mounted
from tests.browser.letters import lost_characters
from tests.browser.styles import lost_rules
from tests.browser.visit import DESKTOP, ENLARGED, PHONE, STILL, UNFOLD, next_picture, too_wide
from tests.browser.weight import too_heavy
from tests.colors import contrast, in_dark_mode
from tests.figures import smallest_letter, texts

# one page of each kind; every run opens these where any page would do
KINDS = [
    "index.html",
    "404.html",
    "NPO.html",
    "book/api.html",
    "book/zh/npo.html",
    "book/en/divergence.html",
    "book/zh/faq.html",
    "embed/en/divergence.html",
]
# axe takes longer over this page than over all others together
LONGEST = "book/api.html"
# the width of A4 without the margins of print.css, in CSS pixels
PAPER = (210 - 2 * 17) * 96 / 25.4
# elements wider than the paper or cut off by a box, except texts for screen readers and KaTeX's roots, which are cut
TOO_WIDE = """paper => [...document.querySelectorAll("article.bd-article *")].filter(element => {
  if (element.closest(".katex-mathml, .katex svg, .npo-said, .npo-text")) return false;
  const { left, right, width } = element.getBoundingClientRect();
  const cut = element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflowX !== "visible";
  return width && (right > paper + 1 || left < -1 || cut);
}).map(element => element.outerHTML.slice(0, 120))"""
# displayed formulas that a reader would have to scroll sideways
CUT = """() => [...document.querySelectorAll(".math-display .math-scroll")]
  .filter(formula => formula.scrollWidth > formula.clientWidth + 1)
  .map(formula => formula.querySelector("annotation").textContent.slice(0, 120))"""
# code and outputs that a reader would have to scroll sideways, by their longest lines; and tables, by their first rows
SCROLLING = """(selector) => [...document.querySelectorAll(selector)]
  .filter((box) => box.scrollWidth > box.clientWidth + 1)
  .map((box) => (box.rows?.[0].innerText ?? box.textContent).split("\\n"))
  .map((lines) => lines.reduce((one, other) => (other.length > one.length ? other : one)))"""
# lines that begin with a closing sign or end with an opening one; titles that break off their last sign or their number
BROKEN = r"""() => {
  const range = document.createRange(), found = [];
  const texts = (root) => {
    const hidden = (node) => node.parentElement.closest(".katex, .headerlink, .sig, pre, script, style, .npo-explorer");
    const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT, (node) => (hidden(node) ? 2 : 1)), all = [];
    while (walk.nextNode()) all.push(walk.currentNode);
    return all;
  };
  const box = (text, i) => {
    range.setStart(text, i);
    range.setEnd(text, i + 1);
    return range.getBoundingClientRect();
  };
  // the block that a text is in, and the boxes of all that is drawn in it
  const block = (element) => (getComputedStyle(element).display === "inline" ? block(element.parentElement) : element);
  const line = (inside, { top, bottom }) => {
    range.selectNodeContents(inside);
    return [...range.getClientRects()].filter((r) => r.width > 1 && r.top < bottom - 4 && r.bottom > top + 4);
  };
  for (const text of [...document.querySelectorAll("article")].flatMap(texts)) {
    // only beside a formula may a browser break a line wrongly
    const [before, after] = [text.previousSibling, text.nextSibling].map((e) => e?.classList?.contains("math"));
    const first = before && /^[,.;:!?)\]’”，。；：、！？）》]/.test(text.data);
    const last = after && /[(\[‘“（《]$/.test(text.data);
    if (!first && !last) continue;
    // a text between two formulas may be in two lines
    const alone = (i, beside) => {
      const sign = box(text, i);
      return !line(block(text.parentElement), sign).some((r) => beside(r, sign));
    };
    const begins = first && alone(0, (r, sign) => r.left < sign.left - 1);
    const ends = last && alone(text.length - 1, (r, sign) => r.right > sign.right + 1);
    if (begins) found.push(`a line begins with ${text.data.slice(0, 40)}`);
    if (ends) found.push(`a line ends with ${text.data.slice(-40)}`);
  }
  for (const title of document.querySelectorAll("article :is(h1, h2, h3, h4, .admonition-title), .prev-next-title")) {
    if (title.querySelector(".math")) continue;
    const signs = texts(title).flatMap((text) => [...text.data].map((sign, i) => [sign, box(text, i)]))
      .filter(([sign, { width }]) => sign.trim() && width);
    // lines of a title may overlap, but their tops are apart
    const end = signs.at(-1)?.[1].top;
    const [above, below] = [true, false].map((up) => signs.filter(([, { top }]) => top < end - 4 === up).length);
    // a Chinese character and the mark after it are one sign
    const marked = /[\u3400-\u9fff][，。；：！？）”]\s*$/.test(title.textContent);
    if (above && below <= 1 + marked) found.push(`a title breaks off its last sign: ${title.textContent}`);
    const first = signs.filter(([, { top }]) => top < signs[0][1].top + 4).map(([sign]) => sign).join("");
    if (above && /^[\d.]+$/.test(first)) found.push(`a title begins a line behind its number: ${title.textContent}`);
  }
  return found;
}"""
# signatures with a line that begins with a comma
COMMAS = """() => [...document.querySelectorAll("dt.sig")].filter((sig) => [...sig.childNodes].some((node) => {
  if (node.nodeType !== Node.TEXT_NODE || !node.data.startsWith(",")) return false;
  const range = document.createRange();
  range.setStart(node, 0);
  range.setEnd(node, 1);
  return range.getBoundingClientRect().top >= [...node.previousSibling.getClientRects()].at(-1).bottom - 4;
})).map((sig) => sig.innerText.slice(0, 80))"""
# formulas in the head of a table, or in the first cell of a row, that take more than one line
SPLIT = """() => [...document.querySelectorAll("article :is(th, td:first-child) span.math")].filter((formula) => {
  const lefts = [...formula.querySelectorAll(".katex-base")]
    .map((base) => base.getBoundingClientRect().left);
  return lefts.some((left, i) => i && left <= lefts[i - 1]);
}).map((formula) => formula.querySelector("annotation").textContent.slice(0, 80))"""
# lines of code with a background of their own
FOLDED = ".cell_input .hll"
HIGHLIGHTED = f"""() => [...document.querySelectorAll("{FOLDED}")]
  .filter((line) => getComputedStyle(line).backgroundColor !== "rgba(0, 0, 0, 0)").map((line) => line.textContent)"""
# buttons and links that stay on the screen when a page scrolls, except those of closed menus
STAYING = """() => [...document.querySelectorAll("body button, body a")]
  .filter((button) => getComputedStyle(button).position === "fixed" && !button.closest("dialog, .skip-link"))
  .map((button) => button.outerHTML.slice(0, 120))"""
# what CSS does to a figure on a dark page, and the same in Python
FILTERS = {"light": ("none", tuple), "dark": ("invert(1) hue-rotate(180deg)", in_dark_mode)}
FIGURES = "article img[src$='.svg']"
# for every visible figure: its file, its filter, and the background of the nearest element around it that has one
STANDING = """() => [...document.querySelectorAll("article img[src$='.svg']")].map((image) => {
  const ground = (e) => getComputedStyle(e).backgroundColor;
  let around = image;
  while (ground(around) === "rgba(0, 0, 0, 0)") around = around.parentElement;
  return [new URL(image.src).pathname.split("/").at(-1), getComputedStyle(image).filter, ground(around)];
})"""
# those that a box around them cuts off
CUT_OFF = """() => [...document.querySelectorAll("article details img")].filter((image) => {
  const [inner, outer] = [image, image.closest("details")].map((element) => element.getBoundingClientRect());
  return inner.width && (inner.left < outer.left || inner.right > outer.right);
}).map((image) => image.src.split("/").at(-1))"""
# items of lists whose numbers, as wide as this text, do not fit in front of them
NUMBERS = """() => [...document.querySelectorAll("article ol > li:last-child")].filter((item) => {
  const list = item.parentElement, pen = document.createElement("canvas").getContext("2d");
  if (!item.offsetWidth || getComputedStyle(item).listStyleType === "none") return false;
  pen.font = getComputedStyle(item).font;
  const room = item.getBoundingClientRect().left - list.getBoundingClientRect().left;
  return pen.measureText(`${list.start + list.children.length - 1}. `).width > room;
}).map((item) => item.textContent.trim().slice(0, 40))"""
# and its width
WIDTHS = """() => [...document.querySelectorAll("article img[src$='.svg']")].map((image) =>
  [new URL(image.src).pathname.split("/").at(-1), image.getBoundingClientRect().width]);"""
ASKED = "matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'"
THEME = f"document.documentElement.dataset.theme ?? ({ASKED})"
# the pages that axe reads on a phone
NARROW = {f"book/{list(EDITIONS)[i % 2]}/{name}.html" for i, name in enumerate(NAMES)}


def chapter(name):
    """The name of a chapter with demos, or None."""
    found = re.fullmatch(r"book/\w\w/([\w-]+)\.html", name)
    return found[1] if found and found[1] in CHAPTERS and demos_of(found[1]) else None


def weight(visit, name, site):
    """Before a reader acts, a page must not load more than tests/browser/weight.py allows."""
    return too_heavy(visit.page, visit.own[0], site)


def styles(visit, name, site):
    """The joined style sheet must have every rule that matches something in a page."""
    return lost_rules(visit.page)


def letters(visit, name, site):
    """The fonts of formulas must have every character that a page draws."""
    return lost_characters(visit.page)


def wider_than_paper(page):
    return page.evaluate(TOO_WIDE, PAPER)


def paper(visit, name, site):
    """Nothing may be cut off on paper: book/_static/print.css opens what folds, and shows in full what scrolls."""
    visit.page.evaluate(UNFOLD)
    visit.page.emulate_media(media="print")
    visit.page.set_viewport_size({"width": int(PAPER), "height": 900})
    found = [f"is wider than the paper, or cut off: {element}" for element in wider_than_paper(visit.page)]
    visit.page.emulate_media(media="screen")
    visit.page.set_viewport_size(DESKTOP["viewport"])
    return found


@cache
def inks(path):
    """Colours of all text in a figure."""
    found = []
    for group in texts(path):
        text = ElementTree.tostring(group, encoding="unicode")
        assert "opacity" not in text, path
        # the default colour is black
        found += re.findall(r"(?<![-\w])fill[:=]\W*(#\w+)", text) or ["#000000"]
    return found


def faint(figure, ground, theme):
    """The text colours of a figure that are unreadable on a background."""
    around = [int(channel) / 255 for channel in re.fullmatch(r"rgb\((.+)\)", ground)[1].split(",")]
    shown = FILTERS[theme][1]
    return [ink for ink in set(inks(figure)) if contrast(shown(to_rgb(ink)), around) < 4.5]


def figures(visit, name, site):
    """Text in figures must have the contrast required of text, on its actual background and with the page's filter."""
    visit.page.add_style_tag(content=STILL)
    for theme in FILTERS if visit.page.locator(FIGURES).count() else ():
        visit.page.emulate_media(color_scheme=theme)
        next_picture(visit.page)
        for file, filter, ground in visit.page.evaluate(STANDING):
            if filter != FILTERS[theme][0]:
                yield f"{theme}: {file} has the filter {filter}, not {FILTERS[theme][0]}"
            for ink in faint(site / "_images" / file, ground, theme):
                yield f"{theme}: text in {ink} of {file} is faint on {ground}"
    visit.page.emulate_media(color_scheme="light")


def letters_of_figures(visit, name, site):
    """No letter of a figure may be smaller than 9 px on a phone, scripts included: draw it by `npo_tutorial.plots`."""
    visit.page.evaluate(UNFOLD)
    for file, width in visit.page.evaluate(WIDTHS):
        share = smallest_letter(site / "_images" / file)
        if share and share * width < 9:
            yield f"{file} is {width:.0f} px wide, and its smallest letter {share * width:.1f} px"


def themes(visit, name, site):
    """A page must use the colours that the system prefers, and follow a change; so must the next page."""
    asked = visit.page.evaluate(ASKED)
    shown = visit.page.evaluate(THEME)
    if shown != asked:
        yield f"is shown {shown}, not {asked}"
    other = {"dark": "light", "light": "dark"}[asked]
    visit.page.emulate_media(color_scheme=other)
    next_picture(visit.page)
    if (shown := visit.page.evaluate(THEME)) != other:
        yield f"stays {shown} when the system turns {other}"


def narrow(visit, name, site):
    """Nothing may scroll sideways on a phone, nor on a screen of 1280 px enlarged to 400%."""
    # a block that is not laid out yet hides what sticks out of it
    visit.page.evaluate("document.documentElement.classList.add('laid-out')")
    for size in (PHONE["viewport"], ENLARGED):
        visit.page.set_viewport_size(size)
        next_picture(visit.page)
        yield from (f"at {size['width']} px: {what}" for what in too_wide(visit.page))
    visit.page.set_viewport_size(PHONE["viewport"])


def demos(visit, name, site):
    """Every demo must load, and everything that folds must open."""
    if chapter(name):
        mounted(visit.page, chapter(name))
    elif name.startswith("embed/"):
        visit.page.locator(".npo-explorer").wait_for()
    visit.page.evaluate(UNFOLD)
    return []


def formulas(visit, name, site):
    """A displayed formula must fit a phone: break it, by `aligned` or `gathered`, over more lines."""
    return [f"is cut off: {formula}" for formula in visit.page.evaluate(CUT)]


def whole_figures(visit, name, site):
    """A fold must not cut off the figures in it."""
    return [f"is cut off: {file}" for file in visit.page.evaluate(CUT_OFF)]


def numbers(visit, name, site):
    """The numbers of a list must have room in front of it: what sticks out of a block is not painted."""
    return [f"has no room for its number: {item}" for item in visit.page.evaluate(NUMBERS)]


def code(visit, name, site):
    """Code breaks its lines; what a cell prints must fit a phone: 44 characters a line, or the tag `wrap-output`."""
    return [f"scrolls: {line}" for line in visit.page.evaluate(SCROLLING, "article pre")]


def folded(visit, name, site):
    """Code that only draws must look like the rest of its cell when its fold is open: no line is highlighted."""
    # most pages have no such line, and a change of the theme takes a while
    for theme in FILTERS if visit.page.locator(FOLDED).count() else ():
        visit.page.emulate_media(color_scheme=theme)
        next_picture(visit.page)
        yield from (f"{theme}: highlighted: {line}" for line in visit.page.evaluate(HIGHLIGHTED))
    visit.page.emulate_media(color_scheme="light")


def tables(visit, name, site):
    """A table must fit a phone: shorten its headings, or write `{.cards}` above it, and each row becomes a card."""
    return [f"scrolls: {row}" for row in visit.page.evaluate(SCROLLING, "article table")]


def lines(visit, name, site):
    """A line must not begin with a comma or end with an opening bracket, nor a title break off its last sign."""
    return visit.page.evaluate(BROKEN)


def signatures(visit, name, site):
    """A line of a signature must not begin with a comma."""
    return [f"begins a line with a comma: {signature}" for signature in visit.page.evaluate(COMMAS)]


def split(visit, name, site):
    """A formula in the head of a table, or that names a row, must stay in one line."""
    return [f"is broken: {formula}" for formula in visit.page.evaluate(SPLIT)]


def covered(visit, name, site):
    """No button may cover the text, as the theme's "Back to top" would: the foot of a page has a link."""
    return [f"stays over the text: {button}" for button in visit.page.evaluate(STAYING)]


def axe(visit, name, site):
    """Axe must find nothing wrong.

    In the dark, where one page of each kind is enough, it checks contrast only. Each chapter is read in one edition, on
    a phone; every night axe reads all pages in both ways.
    """
    width, twin = visit.page.viewport_size["width"], "/zh/" in name or "/en/" in name
    if width == PHONE["viewport"]["width"]:
        chosen = name in NARROW
    else:
        chosen = name not in NARROW and (name in KINDS or not twin)
    if not chosen:
        return []
    visit.page.add_style_tag(content=STILL)
    visit.page.evaluate(SHORTEN)
    return violations(visit.page, [width], ["light", "dark"] if name in KINDS and name != LONGEST else ["light"])


# in this order, because opening folds and replacing fonts or formulas cannot be undone
ON_A_DESKTOP = (weight, styles, figures, paper, letters, demos, code, split, axe)
ON_A_PHONE = (
    weight,
    themes,
    demos,
    formulas,
    letters_of_figures,
    whole_figures,
    numbers,
    code,
    folded,
    tables,
    lines,
    signatures,
    covered,
    narrow,
    axe,
)

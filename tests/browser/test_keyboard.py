"""By keyboard alone: Tab reaches every control and shows where it is, keys operate it, Escape returns."""

import re

import pytest

from tests.book.pages import CHAPTERS, source
from tests.browser.axe import WIDTHS
from tests.browser.demos import mounted
from tests.browser.test_accessibility import OPENED
from tests.browser.visit import DESKTOP, ENLARGED, PHONE, STILL, UNFOLD, Visit, scripts_ready, wait_until
from tests.conftest import nightly

# pages that together have every kind of focusable element
WALKED = [("zh", "npo", DESKTOP), ("zh", "faq", PHONE), ("en", "divergence", PHONE), ("en", "homework", DESKTOP)]
KEYS = ("Tab", "Shift+Tab")
# by day two of them, one of them there and back
WALKS = [
    (*WALKED[0], KEYS[:1]),
    (*WALKED[1], KEYS),
    *nightly((*WALKED[0], KEYS[1:]), *((*page, KEYS) for page in WALKED[2:])),
]
# Tab reaches one radio button of a group. Transparent elements count, because focus makes them visible.
PREPARE = """() => {
  const kinds = "a[href], button, summary, iframe, [tabindex='0'], input:not([type=radio]:not(:checked))";
  window.stops = () => [...document.querySelectorAll(kinds)].filter((e) =>
    e.tabIndex >= 0 && !e.disabled && e.checkVisibility({ visibilityProperty: true }));
  const looks = ["boxShadow", "backgroundColor", "borderColor", "textDecorationLine"];
  const drawn = (e, part) => {
    const style = getComputedStyle(e, part);
    return [style.outlineStyle === "none" ? "" : style.outline, ...looks.map((name) => style[name])].join();
  };
  // the ring may be around the stop's label, or around the box that contains it
  window.look = (e) => [e, e.nextElementSibling, e.closest(".admonition-title")].filter(Boolean).map((near) =>
    ["", "::before", "::after"].map((part) => drawn(near, part)).join()).join();
  window.unfocused = new Map(stops().map((e) => [e, look(e)]));
}"""
# what is wrong with the focused stop; null at the end of the page, or at a stop that was visited before
CHECK = """() => {
  const e = document.activeElement, wrong = [];
  if (e === document.body || (passed.has(e) && !e.matches("iframe"))) return null;
  passed.add(e);
  // the focused element is inside the frame, which has tests of its own
  if (e.matches("iframe")) return wrong;
  let opacity = 1;
  for (let up = e; up; up = up.parentElement) opacity *= getComputedStyle(up).opacity;
  const shown = e.type === "radio" && opacity === 0 ? e.nextElementSibling : e;
  if (shown === e && opacity < 1) wrong.push("is transparent");
  if (unfocused.get(e) === look(e)) wrong.push("looks the same without the focus");
  const { left, top, right, bottom } = shown.getBoundingClientRect();
  // the middle of its visible part
  const x = (Math.max(left, 0) + Math.min(right, innerWidth)) / 2;
  const y = (Math.max(top, 0) + Math.min(bottom, innerHeight)) / 2;
  const front = document.elementFromPoint(x, y);
  if (!front || !(shown.contains(front) || front.contains(shown)))
    wrong.push(`lies behind ${front?.outerHTML.slice(0, 80)}`);
  return wrong.map((what) => `${e.outerHTML.slice(0, 120)} ${what}`);
}"""


def walk(page, key):
    """Walk from one end of the page to the other; returns the faults of the stops, and the stops that were skipped."""
    page.evaluate("window.passed = new Set()")
    wrong = []
    for _ in range(600):
        page.keyboard.press(key)
        found = page.evaluate(CHECK)
        if found is None:
            break
        wrong += found
    left = page.evaluate("stops().filter((e) => !passed.has(e)).map((e) => e.outerHTML.slice(0, 120))")
    return wrong + [f"{stop} is skipped" for stop in left]


@pytest.mark.parametrize(("edition", "name", "screen", "keys"), WALKS)
def test_tab_reaches_everything_and_shows_where_it_is(browser, server, edition, name, screen, keys):
    with Visit(browser, server, **screen) as visit:
        page = visit.open(f"{server}book/{edition}/{name}.html")
        page.add_style_tag(content=STILL + "* { scroll-behavior: auto !important; }")
        if name in CHAPTERS:
            mounted(page, name)
        page.evaluate(UNFOLD)
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_timeout(500)
        page.evaluate(PREPARE)
        assert page.evaluate("stops().length") > 30
        for key in keys:
            if key == "Shift+Tab":
                # back from the end, where a bar at the top could cover a stop that scrolls into view
                page.evaluate("stops().at(-1).focus()")
                page.keyboard.press("Tab")
            faults = walk(page, key)
            assert not faults, f"{key} must reach everything and show where it is:\n" + "\n".join(faults)


@pytest.mark.parametrize(("edition", "pages"), [("en", "On four pages"), ("zh", "四个页面")])
def test_the_statement_on_accessibility_says_what_is_tested(edition, pages):
    statement = source(edition, "about").partition(f"({edition}-sec-accessibility)=")[2]
    assert len(WALKED) == 4 and pages in statement
    for width in (*WIDTHS, ENLARGED["width"]):
        # on the way to its unit, another width or "and one of" may come first
        assert re.search(rf"\b{width}\b[^.。]*(?:pixels|像素)", statement), f"book/{edition}/about.md: {width} pixels"


def test_the_walk_finds_faults(browser, tmp_path):
    # a check that cannot fail is worthless
    (tmp_path / "page.html").write_text(
        "<style>:focus { outline: none } header { position: fixed; inset: 0 0 auto; height: 40px; background: gray }"
        "</style><header></header><button>covered</button><p><a href='#' style='opacity: .5'>faint</a></p>"
        "<a href='#'>fine</a><p><button onfocus='this.blur()'>never</button></p>",
        "utf-8",
    )
    own = tmp_path.as_uri() + "/"
    with Visit(browser, own, **DESKTOP) as visit:
        page = visit.open(own + "page.html")
        page.evaluate(PREPARE)
        found = " ".join(walk(page, "Tab"))
        for what in (
            "covered</button> lies behind <header>",
            "faint</a> is transparent",
            "fine</a> looks the same without the focus",
            "never</button> is skipped",
        ):
            assert what in found


@pytest.mark.parametrize(("button", "shown", "width"), OPENED)
def test_escape_closes_what_a_key_opened(browser, server, button, shown, width):
    with Visit(browser, server, **DESKTOP | {"viewport": {"width": width, "height": 900}}) as visit:
        page = visit.open(server + "book/zh/npo.html")
        opener = page.locator(f"{button}:visible").first
        for key in ("Enter", "Space"):
            opener.focus()
            page.keyboard.press(key)
            page.wait_for_selector(shown)
            page.keyboard.press("ArrowDown" if "menu" in shown else "Tab")
            wait_until(page, "shown => document.querySelector(shown).contains(document.activeElement)", shown)
            page.keyboard.press("Escape")
            page.wait_for_selector(shown, state="detached")
            wait_until(page, "opener => opener === document.activeElement", opener.element_handle())
        assert not visit.complaints


@pytest.mark.parametrize(
    ("edition", "key"), [("zh", "Enter"), ("en", "Space"), *nightly(("zh", "Space"), ("en", "Enter"))]
)
def test_keys_operate_the_controls_of_a_chapter(browser, server, edition, key):
    with Visit(browser, server, **DESKTOP) as visit:
        visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = visit.open(server + f"book/{edition}/npo.html")

        def press(control):
            control.focus()
            page.keyboard.press(key)
            page.wait_for_timeout(300)

        modes = set()
        for _ in range(3):
            press(page.locator(".theme-switch-button:visible"))
            modes.add(page.evaluate("document.documentElement.dataset.mode"))
        assert modes == {"auto", "dark", "light"}
        sidebar = page.locator("#pst-primary-sidebar")
        for shown in (False, True):
            press(page.locator(".primary-toggle:visible"))
            assert sidebar.is_visible() == shown
        solution = page.locator("details.solution").first
        for shown in (True, False):
            press(solution.locator("> summary"))
            assert solution.locator("section").first.is_visible() == shown
        embed = page.locator("details.embed").first
        press(embed.locator("summary"))
        assert embed.locator("pre").is_visible()
        press(page.locator("button.copybtn").first)
        assert "import" in page.evaluate("navigator.clipboard.readText()")
        mounted(page, "npo")
        figure = page.locator(".npo-explorer").first
        slider, reset = figure.locator("input[type=range]").first, figure.locator(".npo-reset")
        start = slider.input_value()
        slider.press("ArrowLeft")
        assert slider.input_value() != start
        press(reset)
        assert slider.input_value() == start
        assert not visit.complaints


def test_links_and_tabs(browser, server):
    with Visit(browser, server, **DESKTOP) as visit:
        page = visit.open(server + "book/en/how-to-run.html")
        tabs = page.locator(".sd-tab-set").first.locator("input")
        panes = page.locator(".sd-tab-set").first.locator(".sd-tab-content")
        tabs.first.focus()
        page.keyboard.press("ArrowRight")
        assert [panes.nth(i).is_visible() for i in range(2)] == [False, True]
        # the first stop of a page skips everything before its text
        page.reload()
        scripts_ready(page)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('main') !== null")
        heading = page.locator("article h2 a.headerlink").first
        heading.focus()
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("#"))
        page.locator("a.edition-switch").focus()
        page.keyboard.press("Enter")
        page.wait_for_url(server + "book/zh/how-to-run.html**")
        assert not visit.complaints

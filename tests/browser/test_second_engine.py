"""Firefox shows what Chromium shows: no complaints; the same words, formulas, curves and search results."""

import re

import pytest

from tests.book.pages import CHAPTERS, EDITIONS, all_pages, editions
from tests.browser.checks import BROKEN, KINDS
from tests.browser.demos import demos_of
from tests.browser.visit import DESKTOP, UNFOLD, Visit
from tests.conftest import nightly

# one Firefox for all of them: each worker would take a while to start its own
pytestmark = pytest.mark.xdist_group("second engine")
# half of the chapters in one language, half in the other: the drawings are the same in both
PAGES = [(list(EDITIONS)[i % 2], name) for i, name in enumerate(CHAPTERS)]
SOME = [("zh", "npo"), ("en", "gradient-ascent")]
PAGES = [*SOME, *nightly(*(page for page in PAGES if page not in SOME))]
FORMULAS = "[...document.querySelectorAll('article .katex-html')].map((e) => e.textContent)"
# each demo loads when it is near; the expected values are read from the page as soon as they are there
MOUNTED = """(async () => {
  for (const place of document.querySelectorAll(".widget-stand-in")) {
    place.scrollIntoView();
    while (!place.querySelector(".npo-plot path.npo-curve")) await new Promise((soon) => setTimeout(soon, 30));
  }
  return document.querySelectorAll(".npo-explorer").length;
})()"""
# a width that does not depend on fonts: charts are as wide as the columns, whose widths are set in letters
SAME_WIDTH = "document.head.append(Object.assign(document.createElement('style'), { textContent: "
SAME_WIDTH += (
    "'.npo-explorer { width: 600px !important; } .npo-explorer * { font: 16px/20px monospace !important; }' }))"
)
FOCUS = "[...document.querySelectorAll('.npo-explorer input[type=range]')][{}].focus({{ preventScroll: true }})"
LOOK = """[...document.querySelectorAll(".npo-explorer")].map((e) => ({
  said: [...e.querySelectorAll(".npo-sentence, output, dd")].map((part) => part.textContent),
  sizes: [...e.querySelectorAll(".npo-plot")].map((plot) => [plot.width.baseVal.value, plot.height.baseVal.value]),
  drawn: [...e.querySelectorAll("path.npo-curve")].map((path) => path.getAttribute("d")),
}))"""
SEARCH = """(async () => {
  document.querySelector("#pst-search-dialog").showModal();
  const input = document.querySelector("#pst-search-dialog input");
  input.focus();
  input.value = "%s";
  input.dispatchEvent(new Event("input", { bubbles: true }));
  const links = () => [...document.querySelectorAll(".search-results > li > a")];
  while (!links().length) await new Promise((soon) => setTimeout(soon, 30));
  await new Promise((soon) => setTimeout(soon, 300));
  return links().slice(0, 5).map((link) => link.href);
})()"""


def numbers(path):
    return [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", path)]


def same(one, other):
    for figure, twin in zip(one, other, strict=True):
        assert figure["said"] == twin["said"]
        assert figure["sizes"] == twin["sizes"]
        for path, its_twin in zip(figure["drawn"], twin["drawn"], strict=True):
            assert re.sub(r"[-\d.e]+", "#", path) == re.sub(r"[-\d.e]+", "#", its_twin)
            # rounded to a hundredth of a pixel, after functions whose last digit depends on the engine
            assert numbers(path) == pytest.approx(numbers(its_twin), abs=0.0101)


@pytest.mark.parametrize("pages", [KINDS, *nightly(None)], ids=["kinds", "all"])
def test_pages_open_without_complaints(firefox, site, server, pages):
    wrong = []
    for name in pages or all_pages(site):
        firefox.open(server + name)
        wrong += [f"{name}: {complaint}" for complaint in firefox.complaints()]
    assert not wrong, "Firefox complains:\n" + "\n".join(wrong)


@pytest.mark.parametrize(("edition", "name"), PAGES)
def test_formulas_and_demos_are_those_of_chromium(firefox, browser, server, edition, name):
    address = f"{server}book/{edition}/{name}.html"
    with Visit(browser, server, **DESKTOP) as visit:
        page = visit.open(address)
        firefox.open(address)
        assert firefox.evaluate(FORMULAS) == page.evaluate(FORMULAS)
        assert firefox.evaluate(MOUNTED) == page.evaluate(MOUNTED) == len(demos_of(name))
        for engine in (firefox, page):
            engine.evaluate(f"void {SAME_WIDTH}")
        n_sliders = page.locator(".npo-explorer input[type=range]").count()
        for i in range(n_sliders):
            for engine, press in ((firefox, firefox.press), (page, page.keyboard.press)):
                engine.evaluate(FOCUS.format(i))
                for key in ("Home", "ArrowRight", "ArrowRight"):
                    press(key)
            page.wait_for_timeout(50)
            same(firefox.evaluate(LOOK), page.evaluate(LOOK))
        assert not firefox.complaints()


@pytest.mark.parametrize(("edition", "query"), [("zh", "灾难性崩溃"), *nightly(("en", "gradient ascent"))])
def test_search_finds_the_same(firefox, browser, server, edition, query):
    address = f"{server}book/{edition}/npo.html"
    with Visit(browser, server, **DESKTOP) as visit:
        expected = visit.open(address).evaluate(SEARCH % query)
    firefox.open(address)
    assert firefox.evaluate(SEARCH % query) == expected
    assert not firefox.complaints()


def test_demos_move_from_files(firefox, site):
    firefox.open((site / "book/zh/stability.html").as_uri())
    assert firefox.evaluate(MOUNTED) == len(demos_of("stability"))
    before = firefox.evaluate(LOOK)
    firefox.evaluate(FOCUS.format(0))
    firefox.press("End")
    assert firefox.evaluate(LOOK) != before
    assert not firefox.complaints()


@pytest.mark.parametrize(("edition", "name"), PAGES)
def test_nothing_scrolls_sideways_on_a_phone(firefox, server, edition, name):
    firefox.open(f"{server}book/{edition}/{name}.html", width=390)
    firefox.evaluate(MOUNTED)
    assert firefox.evaluate("document.documentElement.scrollWidth") <= 390


@editions("zh")
@pytest.mark.parametrize(
    "name", ["beyond", "stability", *nightly("divergence-proof", "divergence", "preference-optimization")]
)
def test_no_line_begins_with_a_comma_on_a_phone(firefox, server, edition, name):
    firefox.open(f"{server}book/{edition}/{name}.html", width=390)
    firefox.evaluate("document.documentElement.classList.add('laid-out')")
    firefox.evaluate(f"({UNFOLD})()")
    assert not firefox.evaluate(f"({BROKEN})()")


def test_complaints_are_recorded(firefox, server):
    firefox.open(server + "book/en/npo.html")
    firefox.evaluate("void (document.head.append(Object.assign(document.createElement('script'), { text: '1' })))")
    firefox.evaluate("void setTimeout(() => null.x)")
    firefox.evaluate("void console.error('loud')")
    heard = " ".join(firefox.complaints())
    for word in ("script-src-elem", "null", "loud"):
        assert word in heard

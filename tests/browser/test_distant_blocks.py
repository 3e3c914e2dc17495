"""Blocks far below the screen are laid out late, which readers do not notice, however they get there."""

import pytest

from tests.book.pages import editions
from tests.browser.visit import DESKTOP, PHONE, SHIFT, Visit, scripts_ready, wait_until

LAID_OUT = "block => block.firstElementChild.checkVisibility({ contentVisibilityAuto: true })"
# the distance of a place from the upper edge of the window, once the page is at rest
REST = """(id) => {
  const top = document.getElementById(id).getBoundingClientRect().top;
  const rests = Math.abs(top - window.lastTop) < 1 && document.readyState === "complete";
  window.lastTop = top;
  return rests;
}"""
# text that is not folded away with a solution
LAST_BLOCK = ".bd-article .distant:is(p, ul):has(> *):not(.solution *) >> nth=-1"


def top(page, place):
    for _ in range(3):
        wait_until(page, f"() => ({REST})({place!r})")
        page.wait_for_timeout(150)
    return page.locator(f"[id={place!r}]").evaluate("place => place.getBoundingClientRect().top")


@pytest.mark.parametrize("view", [DESKTOP, PHONE], ids=["wide", "phone"])
@editions("zh")
def test_only_nearby_blocks_are_laid_out(browser, server, edition, view):
    with Visit(browser, server, **view) as visit:
        page = visit.open(f"{server}book/{edition}/divergence.html")
        last = page.locator(LAST_BLOCK)
        assert not last.evaluate(LAID_OUT)
        last.scroll_into_view_if_needed()
        page.wait_for_timeout(200)
        assert last.evaluate(LAID_OUT)


@pytest.mark.parametrize("view", [DESKTOP, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("name", ["npo", "divergence", "faq"])
def test_nothing_jumps_while_a_page_loads(browser, server, name, view):
    with Visit(browser, server, **view) as visit:
        page = visit.open(f"{server}book/zh/{name}.html")
        assert page.locator(".distant").evaluate_all("all => all.map(block => block.getBoundingClientRect().top)")
        assert page.evaluate(SHIFT) < 0.02
        # a check that cannot fail is worthless
        page.evaluate("document.querySelector('article').prepend(document.createElement('hr'))")
        page.locator("article hr").first.evaluate("line => { line.style.height = '200px'; }")
        page.wait_for_timeout(200)
        assert page.evaluate(SHIFT) > 0.02


@editions("en")
def test_links_lead_to_their_places(browser, server, edition):
    with Visit(browser, server, **DESKTOP) as visit:
        page = visit.open(f"{server}book/{edition}/divergence.html")
        link = page.locator("#pst-page-toc-nav a").last
        place = link.get_attribute("href").removeprefix("#")
        link.click()
        by_click = top(page, place)
        assert 0 <= by_click < 200
    with Visit(browser, server, **DESKTOP) as visit:
        page = visit.open(f"{server}book/{edition}/divergence.html#{place}")
        assert top(page, place) == pytest.approx(by_click, abs=5)


@pytest.mark.parametrize("read", [True, False], ids=["read", "jumped"])
@editions("zh")
def test_returning_readers_find_their_place(browser, server, edition, read):
    with Visit(browser, server, **PHONE) as visit:
        page = visit.open(f"{server}book/{edition}/divergence.html")
        page.add_style_tag(content="* { scroll-behavior: auto !important; }")
        heading = page.locator("article h2").last
        place = heading.locator("xpath=..").get_attribute("id")
        if read:
            while page.evaluate("scrollY + 2 * innerHeight < document.body.scrollHeight"):
                page.evaluate("scrollBy(0, innerHeight)")
                page.wait_for_timeout(30)
        page.evaluate("place => { document.getElementById(place).scrollIntoView(); scrollBy(0, 120); }", place)
        before = top(page, place)
        page.reload()
        scripts_ready(page)
        # after a jump, the heights above are estimates
        exact = 5 if read else 80
        assert top(page, place) == pytest.approx(before, abs=exact)
        page.goto(f"{server}book/{edition}/npo.html")
        page.go_back()
        scripts_ready(page)
        assert top(page, place) == pytest.approx(before, abs=exact)
        # another page opens at its top
        page.goto(f"{server}book/{edition}/npo.html")
        assert page.evaluate("scrollY") == 0


def test_distant_text_can_be_found_and_copied(browser, server):
    with Visit(browser, server, **DESKTOP) as visit:
        page = visit.open(f"{server}book/en/divergence.html")
        text = page.locator(LAST_BLOCK).evaluate("block => block.textContent.trim().slice(0, 30)")
        page.keyboard.press("Control+a")
        assert text in page.evaluate("getSelection().toString()")
        page.evaluate("getSelection().removeAllRanges()")
        assert page.evaluate("words => window.find(words)", text.split("\n")[0])

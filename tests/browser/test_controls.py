"""The theme's controls work on the site's own joined script and sheet, in both editions."""

from urllib.parse import quote

import pytest

from tests.book.pages import BASE, editions
from tests.browser.visit import DESKTOP, Visit, wait_until

# for what depends on the content
in_a_long_chapter = pytest.mark.parametrize("name", ["divergence"])


@pytest.fixture
def name():
    """A chapter that opens soon, for what all chapters have."""
    return "digits"


@pytest.fixture
def page(browser, server, edition, name):
    with Visit(browser, server, **DESKTOP) as visit:
        yield visit.open(f"{server}book/{edition}/{name}.html")
        assert not visit.complaints


@editions("zh")
def test_menus_announce_that_they_are_open(page):
    for kind in ("rocket", "download"):
        menu = page.locator(f".dropdown:has(> button .fa-{kind})")
        button, entries = menu.locator("button").first, menu.locator(".dropdown-menu")
        button.click()
        assert button.get_attribute("aria-expanded") == "true"
        # a menu stays open while the mouse is over it
        page.mouse.move(600, 600)
        page.keyboard.press("Escape")
        entries.wait_for(state="hidden")
        assert button.get_attribute("aria-expanded") == "false"


@editions("en")
def test_a_button_without_text_shows_its_label(page):
    button = page.locator(".theme-switch-button:visible")
    label = button.get_attribute("aria-label")
    button.hover()
    tooltip = page.locator(".tooltip:visible")
    tooltip.wait_for()
    assert tooltip.inner_text().strip() == label
    box, under = tooltip.bounding_box(), button.bounding_box()
    assert box["y"] >= under["y"] + under["height"] - 2
    page.mouse.move(600, 600)
    tooltip.wait_for(state="detached")


@editions("zh")
def test_contents_link_to_the_sections_and_follow_the_reader(page):
    links = page.locator("#pst-secondary-sidebar .nav-link:visible")
    last = links.nth(links.count() - 1)
    last.click()
    heading = page.locator(f"{last.get_attribute('href')} > :is(h2, h3)").first
    wait_until(page, "title => title.getBoundingClientRect().top < innerHeight", heading.element_handle())
    assert heading.bounding_box()["y"] > 0
    page.locator("#pst-secondary-sidebar .nav-link.active").first.wait_for()


@editions("en")
def test_the_sidebar_collapses_and_comes_back(page):
    sidebar, button = page.locator("#pst-primary-sidebar"), page.locator(".primary-toggle:visible").first
    place = "document.querySelector('article.bd-article').getBoundingClientRect().x"
    beside = page.evaluate(place)
    button.click()
    wait_until(page, f"{place} < {beside}")
    sidebar.locator("a").first.wait_for(state="hidden")
    button.click()
    wait_until(page, f"{place} === {beside}")
    assert sidebar.locator("a").first.is_visible()


@in_a_long_chapter
@editions("zh")
def test_nothing_covers_the_text_when_a_reader_scrolls_up(page):
    page.set_viewport_size({"width": 390, "height": 844})
    page.mouse.move(200, 500)
    page.mouse.wheel(0, 3000)
    # distant blocks grow when they come near, and the page keeps its place
    wait_until(page, "scrollY > 2500")
    page.mouse.wheel(0, -300)
    page.wait_for_timeout(300)
    bar = page.locator(".bd-header-article").bounding_box()
    lines = range(int(bar["y"] + bar["height"]) + 20, 844, 40)
    for x in (40, 195, 350):
        for y in lines:
            assert page.evaluate("([x, y]) => !!document.elementFromPoint(x, y).closest('.bd-content')", [x, y])
    page.locator(".page-footer a[href='#']").click()
    wait_until(page, "scrollY === 0")


# in Chinese an address with words depends on where a browser believes that words end
@in_a_long_chapter
@pytest.mark.parametrize("edition", ["en"])
def test_folds_are_found_and_open(page, server, edition, name):
    boxes = page.locator("details.admonition")
    assert boxes.count() >= 5 and page.locator("details.admonition[open]").count() == 0
    first = boxes.first
    title = first.locator("> summary")
    title.scroll_into_view_if_needed()
    for is_open in (True, False):
        title.click()
        assert first.evaluate("box => box.open") == is_open
        assert first.locator("p, .math-display").last.is_visible() == is_open
    # a browser finds text in closed boxes, and opens them: what an address with words does as well
    words = page.locator("details.solution section").last.evaluate(
        """section => [...section.querySelectorAll("p")].flatMap((p) => [...p.childNodes])
        .filter((node) => node.nodeType === 3).map((node) => node.data.trim())
        .reduce((longest, text) => text.length > longest.length ? text : longest, "")"""
    )
    page.goto("about:blank")
    page.goto(f"{server}book/{edition}/{name}.html#:~:text={quote(' '.join(words.split()[:6]))}")
    page.locator("details.solution[open]").wait_for()
    assert page.locator("details.admonition[open]").count() == 1


@in_a_long_chapter
@editions("en")
def test_code_that_only_draws_is_folded_and_copied_whole(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    cells = page.locator(".cell_input:has(> .fold-rest)")
    assert cells.count()
    cell = cells.first
    fold, folded = cell.locator("> details > summary"), cell.locator(".hll").last
    whole = cell.locator("pre").evaluate("pre => pre.textContent.trimEnd()")
    assert folded.inner_text().strip() or folded.text_content().strip() in whole
    cell.scroll_into_view_if_needed()

    def copied():
        cell.locator("pre").hover()
        cell.locator("button.copybtn").click()
        page.wait_for_timeout(200)
        return page.evaluate("navigator.clipboard.readText()").rstrip()

    assert not folded.is_visible() and copied() == whole
    fold.click()
    assert folded.is_visible() and copied() == whole
    assert "glue" not in page.locator("article").evaluate("article => article.textContent")


@in_a_long_chapter
@editions("en")
def test_a_copied_formula_is_its_tex_and_a_copied_paragraph_is_text(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    def copied(start, end):
        page.evaluate(
            """([start, end]) => {
              const range = document.createRange();
              range.setStart(document.querySelector(start), 0);
              const last = document.querySelector(end);
              range.setEnd(last, last.childNodes.length);
              getSelection().removeAllRanges();
              getSelection().addRange(range);
            }""",
            [start, end],
        )
        page.keyboard.press("Control+c")
        page.wait_for_timeout(100)
        return page.evaluate("navigator.clipboard.readText()")

    formula = ".math-display .katex-html"
    tex = page.locator(".math-display annotation").first.text_content().strip()
    assert copied(formula, formula).strip() == f"$${tex}$$"
    paragraph = "article section > p:has(.math)"
    text = copied(paragraph, paragraph)
    inline = page.locator(f"{paragraph} annotation").first.text_content().strip()
    assert f"${inline}$" in text and "\n" not in text.strip() and "#" not in text
    # two paragraphs, or a paragraph and a formula, stand apart
    whole = copied("article h1", "article section > section p:has(.math)")
    assert "\n\n" in whole and page.locator(".copied").count() == 0


@editions("zh")
def test_a_page_says_how_to_cite_it(page, edition, name):
    cite = page.locator(".page-footer .cite")
    cite.locator("summary").click()
    entry = cite.locator("pre").inner_text()
    author = {"zh": "npo-tutorial 作者", "en": "the npo-tutorial authors"}[edition]
    assert entry.startswith(f"@misc{{npo-tutorial-{edition}-{name},") and f"author = {{{{{author}}}}}" in entry
    assert f"url    = {{{BASE}book/{edition}/{name}.html}}" in entry
    assert cite.locator("button.copybtn").count() == 1


@editions("zh")
def test_the_menu_prints_all(page):
    menu = page.locator(".dropdown-download-buttons")
    menu.locator("button").first.click()
    entries = menu.locator(".dropdown-item")
    assert all(len(words) > 4 for words in entries.all_inner_texts())
    closed = "document.querySelectorAll('details.admonition:not([open])').length"
    page.evaluate(f"window.print = () => {{ window.closed = {closed}; }}")
    assert page.evaluate(closed) >= 5
    entries.last.click()
    assert page.evaluate("window.closed") == 0
    page.evaluate("dispatchEvent(new Event('beforeprint')); dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.admonition[open]").count() == 0


@editions("zh")
def test_colours_cycle(page):
    modes = []
    for _ in range(3):
        page.locator(".theme-switch-button:visible").click()
        modes.append(page.evaluate("document.documentElement.dataset.mode"))
    assert sorted(modes) == ["auto", "dark", "light"]


@editions("en")
def test_code_is_copied(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("div.highlight").first.hover()
    page.locator("button.copybtn").first.click()
    page.wait_for_timeout(200)
    assert "import" in page.evaluate("navigator.clipboard.readText()")


@editions("zh")
def test_tabs_change_what_is_shown(browser, server, edition):
    with Visit(browser, server, **DESKTOP) as visit:
        page = visit.open(f"{server}book/{edition}/how-to-run.html")
        tabs = page.locator(".sd-tab-set").first
        labels, panels = tabs.locator(".sd-tab-label"), tabs.locator(".sd-tab-content")
        assert labels.count() > 1
        for i in range(labels.count()):
            labels.nth(i).click()
            assert [panel.is_visible() for panel in panels.all()].count(True) == 1
            assert panels.nth(i).is_visible()
        assert not visit.complaints

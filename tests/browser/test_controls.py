"""The theme's controls work on the site's own joined script and sheet, in both editions."""

import pytest

from tests.book.pages import editions
from tests.browser.visit import DESKTOP, Visit, wait_until


@pytest.fixture
def page(browser, server, edition):
    with Visit(browser, server, **DESKTOP) as visit:
        yield visit.open(f"{server}book/{edition}/divergence.html")
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


@editions("zh")
def test_the_button_back_to_the_top(page):
    button = page.locator("#pst-back-to-top")
    # the theme omits it where there is room for the contents next to the text
    page.set_viewport_size({"width": 1000, "height": 800})
    page.mouse.move(500, 500)
    page.mouse.wheel(0, 3000)
    # distant blocks grow when they come near, and the page keeps its place
    wait_until(page, "scrollY > 2500")
    # it appears with the first scroll upwards
    page.mouse.wheel(0, -300)
    button.wait_for(state="visible")
    button.click()
    wait_until(page, "scrollY === 0")


@editions("en")
def test_remarks_and_solutions_open(page):
    buttons = page.locator("article button.toggle-button").all()
    assert buttons
    for button in buttons:
        box = page.locator(f"[id='{button.get_attribute('data-target')}']")
        assert "toggle-hidden" in box.get_attribute("class")
        # distant blocks are laid out when they come into view, which takes less time than a reader's hand
        button.scroll_into_view_if_needed()
        page.wait_for_timeout(200)
        button.click()
        assert "toggle-hidden" not in box.get_attribute("class")
        assert button.get_attribute("aria-expanded") == "true"
    # the whole title is a button
    solution = page.locator("div.solution").first
    solution.scroll_into_view_if_needed()
    page.wait_for_timeout(200)
    solution.locator(".admonition-title").first.click()
    assert "toggle-hidden" in solution.get_attribute("class")


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

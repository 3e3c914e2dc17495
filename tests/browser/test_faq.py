"""The cards of the questions: closed at first, open by a click, on paper and without JavaScript."""

import pytest

from tests.book.pages import EDITIONS

CARDS, EXPLANATIONS = "div.admonition.claim", "div.admonition.claim > p:not(.admonition-title)"


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_click_opens_a_card_and_paper_shows_all(browser, server, edition):
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(f"{server}book/{edition}/faq.html")
    cards, explanations = page.locator(CARDS), page.locator(EXPLANATIONS)
    page.wait_for_selector(f"{CARDS} .toggle-button")
    assert cards.count() == explanations.count() >= 9
    assert not any(explanations.nth(i).is_visible() for i in range(cards.count()))
    cards.nth(1).locator(".toggle-button").click()
    assert [explanations.nth(i).is_visible() for i in range(3)] == [False, True, False]
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert all(explanations.nth(i).is_visible() for i in range(cards.count()))
    page.close()


@pytest.mark.parametrize("edition", EDITIONS)
def test_without_javascript_every_card_is_open(browser, server, edition):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server}book/{edition}/faq.html")
    explanations = page.locator(EXPLANATIONS)
    assert explanations.count() >= 9
    assert all(explanations.nth(i).is_visible() for i in range(explanations.count()))
    context.close()

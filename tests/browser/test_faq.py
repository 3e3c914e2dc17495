"""The cards of the questions: closed at first, opened by a click and on paper."""

from tests.book.pages import editions
from tests.browser.visit import PHONE, Visit

CARDS, EXPLANATIONS = "div.admonition.claim", "div.admonition.claim > p:not(.admonition-title)"


@editions("zh")
def test_a_click_opens_a_card_and_paper_shows_all(browser, server, edition):
    with Visit(browser, server, viewport=PHONE["viewport"]) as visit:
        page = visit.open(f"{server}book/{edition}/faq.html")
        cards, explanations = page.locator(CARDS), page.locator(EXPLANATIONS)
        assert cards.count() == explanations.count() >= 9
        assert not any(explanations.nth(i).is_visible() for i in range(cards.count()))
        cards.nth(1).locator(".toggle-button").click()
        assert [explanations.nth(i).is_visible() for i in range(3)] == [False, True, False]
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert all(explanations.nth(i).is_visible() for i in range(cards.count()))

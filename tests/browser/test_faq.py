"""The cards of the questions: closed at first, opened by a click, and all of them by the menu that prints them."""

from tests.book.pages import editions
from tests.browser.visit import PHONE, PRINT_ALL, Visit

CARDS, EXPLANATIONS = "details.admonition.claim", "details.admonition.claim > p"


@editions("zh")
def test_a_click_opens_a_card_and_the_menu_prints_all(browser, server, edition):
    with Visit(browser, server, viewport=PHONE["viewport"]) as visit:
        page = visit.open(f"{server}book/{edition}/faq.html")
        cards, explanations = page.locator(CARDS), page.locator(EXPLANATIONS)
        assert cards.count() == explanations.count() >= 9
        assert not any(explanations.nth(i).is_visible() for i in range(cards.count()))
        cards.nth(1).locator("> summary").click()
        assert [explanations.nth(i).is_visible() for i in range(3)] == [False, True, False]
        page.evaluate("window.print = () => {}; " + PRINT_ALL)
        assert all(explanations.nth(i).is_visible() for i in range(cards.count()))

"""Quick questions in a browser: rows for a thumb, answered by a tap without scripts, a sign for right and for wrong."""

from tests.book.pages import editions
from tests.browser.visit import PHONE, PRINT_ALL, Visit

SIGN = "row => getComputedStyle(row.querySelector('summary'), '::after').content"


@editions("zh")
def test_a_click_answers_without_scripts(browser, server, edition):
    with Visit(browser, server, java_script_enabled=False, **PHONE) as visit:
        page = visit.open(f"{server}book/{edition}/npo.html")
        question = page.locator("div.quick").first
        question.scroll_into_view_if_needed()
        rows = question.locator("> details")
        for i in range(rows.count()):
            row = rows.nth(i)
            assert row.locator("summary").bounding_box()["height"] >= 44, "a thumb needs rows of 44 px"
            assert not row.locator("> p").is_visible(), "an answer must be closed at first"
            row.locator("summary").tap()
            assert row.locator("> p").is_visible(), "a tap must open an answer"


@editions("en")
def test_right_and_wrong_differ_by_a_sign_and_only_when_open(browser, server, edition):
    with Visit(browser, server, **PHONE) as visit:
        page = visit.open(f"{server}book/{edition}/npo.html")
        rows = page.locator("div.quick").first.locator("> details")
        closed = {rows.nth(i).evaluate(SIGN) for i in range(rows.count())}
        assert len(closed) == 1, f"closed answers must look alike, got {closed}"
        page.evaluate("window.print = () => {}; " + PRINT_ALL)
        right = page.locator("div.quick > .right[open]").first.evaluate(SIGN)
        wrong = page.locator("div.quick > .option[open]:not(.right)").first.evaluate(SIGN)
        assert len({right, wrong, *closed}) == 3, "colour alone must not tell right from wrong"

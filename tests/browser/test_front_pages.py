"""The first page of an edition shows the idea at once: a demo that plays, and the way to chapter 1."""

import pytest

from tests.browser.visit import DESKTOP, PHONE, Visit

PLAY = {"zh": "播放", "en": "Play"}
INSIDE = """main => main.ownerDocument.documentElement.scrollHeight - main.ownerDocument.defaultView.innerHeight"""


LEFTS = (
    "(selectors) => selectors.map(s => document.querySelector(s)).map(e => Math.round(e.getBoundingClientRect().left))"
)


@pytest.mark.parametrize("screen", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("name", ["index", "book/en/index"])
def test_title_cards_and_foot_begin_at_one_edge(browser, server, name, screen):
    with Visit(browser, server, **screen) as visit:
        page = visit.open(f"{server}{name}.html")
        lefts = page.evaluate(LEFTS, ["article h1", "article .sd-card", ".page-footer"])
        assert len(set(lefts)) == 1, f"title, cards and foot begin at {lefts} px"


@pytest.mark.parametrize(("edition", "screen"), [("zh", PHONE), ("en", PHONE), ("zh", DESKTOP), ("en", DESKTOP)])
def test_the_first_page_plays_a_demo_and_leads_to_chapter_1(browser, site, edition, screen):
    own = site.as_uri() + "/"
    with Visit(browser, own, **screen) as visit:
        page = visit.open(f"{own}book/{edition}/index.html")
        frame = page.locator("iframe.live")
        assert frame.bounding_box()["y"] < screen["viewport"]["height"] * 0.75, (
            "the demo must begin on the first screen"
        )
        frame.scroll_into_view_if_needed()
        inside = frame.content_frame
        inside.locator(".npo-plot path.npo-curve").first.wait_for()
        assert inside.locator("main").evaluate(INSIDE) <= 0, "site.css: the frame must be as tall as the demo"
        for end in ("middle", "end"):
            numbers = inside.locator(f".npo-chart text[text-anchor={end}]").all_inner_texts()
            assert len(numbers) > 1, f"one number alone, {numbers}, does not tell the scale of an axis"
        before = inside.locator(".npo-sentence").first.inner_text()
        inside.get_by_role("button", name=PLAY[edition]).click()
        inside.locator(".npo-sentence", has_not_text=before).first.wait_for()
        # on paper nothing moves
        page.emulate_media(media="print")
        assert not page.locator("iframe:visible, .live:visible, .start:visible").count(), (
            f"book/{edition}/index.md: paper must leave out the demo with its {{.live}}, and the button, {{.start}}"
        )
        page.emulate_media(media="screen")
        page.locator(".start a").click()
        page.wait_for_url(f"{own}book/{edition}/intro.html")
        assert not visit.complaints

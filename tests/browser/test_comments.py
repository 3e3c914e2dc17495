"""Comments in a browser: fetched only when opened, in the page's language and colours, harmless if unavailable."""

import re

import pytest

from tests.book.pages import COMMENTS, editions, needs_comments
from tests.browser.comments import HOST, Comments
from tests.browser.visit import DESKTOP, PHONE, Visit
from tests.conftest import nightly

pytestmark = needs_comments
PAGE = "book/{}/references.html"
LANGUAGES = {"zh": "zh-CN", "en": "en"}


@editions("zh")
def test_opening_fetches_them_with_the_settings_of_the_configuration(browser, server, edition):
    with Comments(browser, server) as visit:
        page = visit.open(server + PAGE.format(edition))
        page.locator(".comments").scroll_into_view_if_needed()
        page.wait_for_timeout(500)
        assert not visit.requests
        summary = page.locator(".comments summary")
        assert summary.inner_text() == {"zh": "评论", "en": "Comments"}[edition]
        summary.focus()
        page.keyboard.press("Enter")
        page.frame_locator(".giscus iframe").get_by_text("three comments").wait_for()
        assert visit.requests == ["/client.js", "/widget"]
        words = {
            re.sub("[A-Z]", lambda m: "-" + m[0].lower(), key): value for key, value in page.evaluate("asked").items()
        }
        expected = {key: str(value) for key, value in COMMENTS.items() if key != "host"}
        # a reader who has chosen neither light nor dark gets the configured theme
        assert words == expected | {"lang": LANGUAGES[edition]}
        assert not page.locator(".comments p:visible").count()
        # they are still there after closing and opening again
        summary.click()
        summary.click()
        page.wait_for_timeout(200)
        assert len(visit.requests) == 2
        assert not visit.complaints


@pytest.mark.parametrize("screen", [DESKTOP, PHONE])
def test_they_are_as_wide_as_the_text(browser, server, screen):
    with Comments(browser, server, **screen) as visit:
        page = visit.open(server + PAGE.format("zh"))
        edges = "e => [e.getBoundingClientRect().left, e.getBoundingClientRect().right]"
        heading = page.locator("article.bd-article h1")
        assert page.locator("details.comments").evaluate(edges) == heading.evaluate(edges)


def test_they_follow_the_switch_of_colours(browser, server):
    with Comments(browser, server, color_scheme="dark") as visit:
        page = visit.open(server + PAGE.format("en"))
        switch = page.locator(".theme-switch-button:visible")
        while page.evaluate("document.documentElement.dataset.mode") != "light":
            switch.click()
        visit.open_comments()
        page.frame_locator(".giscus iframe").get_by_text("three comments").wait_for()
        assert page.evaluate("asked.theme") == "light"
        expected = []
        for _ in range(3):
            switch.click()
            mode = page.evaluate("document.documentElement.dataset.mode")
            expected.append(COMMENTS["theme"] if mode == "auto" else mode)
        page.wait_for_timeout(200)
        assert set(expected) == {"dark", "light", COMMENTS["theme"]}
        assert visit.heard()[-3:] == expected
        assert not visit.complaints


@pytest.mark.parametrize(
    ("edition", "host"), [("zh", "refuses"), ("en", "is silent"), *nightly(("en", "refuses"), ("zh", "is silent"))]
)
def test_an_unreachable_host_is_reported_and_does_no_harm(browser, server, edition, host):
    with Comments(browser, server, host) as visit:
        page = visit.open(server + PAGE.format(edition))
        visit.open_comments()
        failed = page.locator("[role=status] .comments-failed")
        failed.wait_for()
        host_name = HOST.removeprefix("https://")
        assert {"zh": f"连不上 {host_name}", "en": f"{host_name} cannot be reached"}[edition] in failed.inner_text()
        assert failed.locator("a").get_attribute("href") == f"https://github.com/{COMMENTS['repo']}/discussions"
        assert not page.locator(".comments-waiting").is_visible()
        assert not [complaint for complaint in visit.complaints if complaint.startswith("script: ")]
        # the reader may try again, and the host may be back
        visit.host = "answers"
        visit.open_comments()
        visit.open_comments()
        page.frame_locator(".giscus iframe").get_by_text("three comments").wait_for()
        assert not failed.is_visible()


def test_a_page_from_files_sends_no_request(browser, site):
    own = site.as_uri() + "/"
    with Comments(browser, own) as visit:
        page = visit.open(own + PAGE.format("zh"))
        visit.open_comments()
        page.locator(".comments-failed").wait_for()
        assert not visit.requests
        assert not visit.complaints


def test_readers_who_return_from_signing_in_find_them_open(browser, server):
    with Comments(browser, server) as visit:
        address = server + PAGE.format("en")
        visit.open(address)
        visit.open_comments()
        visit.page.frame_locator(".giscus iframe").get_by_text("three comments").wait_for()
        visit.open(address + "?giscus=session")
        visit.page.frame_locator(".giscus iframe").get_by_text("three comments").wait_for()
        assert not visit.complaints


def test_other_messages_are_ignored(browser, server):
    with Comments(browser, server, "is silent") as visit:
        page = visit.open(server + PAGE.format("en"))
        visit.open_comments()
        for data in (None, "text", {"giscus": {"resizeHeight": 1}}):
            page.evaluate("data => postMessage(data, '*')", data)
        page.wait_for_timeout(300)
        assert page.locator(".comments-waiting").is_visible()
        assert not visit.complaints


def test_they_are_a_link_without_javascript_and_hidden_in_print(browser, server):
    with Visit(browser, server, java_script_enabled=False, **DESKTOP) as visit:
        page = visit.open(server + PAGE.format("en"))
        page.locator(".comments summary").click()
        assert page.locator(".comments a").first.is_visible()
    with Comments(browser, server) as visit:
        page = visit.open(server + PAGE.format("en"))
        page.pdf()
        page.emulate_media(media="print")
        assert not page.locator(".comments").is_visible()
        assert not visit.requests


def test_an_address_does_not_open_them(browser, server):
    with Comments(browser, server) as visit:
        visit.open(server + PAGE.format("zh"))
        visit.open_comments()
        visit.page.frame_locator(".giscus iframe").get_by_text("three comments").wait_for()
        visit.requests.clear()
        # from another site, or from another page than the one whose comments were opened
        for tab in (visit.context.new_page(), visit.page):
            tab.goto(server + PAGE.format("en") + "?giscus=session")
            tab.wait_for_timeout(500)
            assert not tab.locator("details.comments[open]").count()
        assert not visit.requests
        assert not visit.complaints

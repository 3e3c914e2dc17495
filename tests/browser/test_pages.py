"""Every built page in a real browser, all other hosts blocked: under a sub-path, from files, on a phone, dark."""

import shutil

import pytest

from tests.book.pages import EDITIONS
from tests.browser.styles import lost_characters, lost_rules
from tests.browser.visit import DESKTOP, ENLARGED, PHONE, UNFOLD, Visit, crawl, too_wide
from tests.browser.weight import too_heavy


def test_every_page_under_a_sub_path(browser, site, server):
    def check(page):
        return [*too_heavy(page, server, site), *lost_rules(page), *lost_characters(page)]

    assert not crawl(browser, site, server, check, **DESKTOP)


def test_every_page_from_files(browser, site):
    assert not crawl(browser, site, site.as_uri() + "/", **DESKTOP)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_on_a_phone(browser, site, server, scheme):
    def check(page):
        theme = page.evaluate(
            "document.documentElement.dataset.theme ?? matchMedia('(prefers-color-scheme: dark)').matches"
        )
        wrong = [] if theme in (scheme, scheme == "dark") else [f"is shown {theme}, not {scheme}"]
        wrong += too_heavy(page, server, site)
        if scheme == "light":
            page.evaluate(UNFOLD)
            # and on a screen of 1280 px that is enlarged to four times as much
            page.set_viewport_size(ENLARGED)
            wrong += [f"at 320 px: {what}" for what in too_wide(page)]
            page.set_viewport_size(PHONE["viewport"])
        return wrong + too_wide(page)

    assert not crawl(browser, site, server, check, **PHONE, color_scheme=scheme)


@pytest.mark.parametrize("edition", EDITIONS)
def test_enlarged_to_400_per_cent_all_is_in_reach(browser, server, edition):
    def in_reach(link):
        link.scroll_into_view_if_needed()
        box = link.bounding_box()
        return box["y"] >= 0 and box["y"] + box["height"] <= ENLARGED["height"]

    with Visit(browser, server, viewport=ENLARGED) as visit:
        page = visit.open(f"{server}book/{edition}/npo.html")
        page.evaluate("scrollTo(0, 2000)")
        # what stays at the top leaves room for the text
        assert page.locator(".bd-header-article").bounding_box()["height"] <= ENLARGED["height"] / 4
        for side in ("primary", "secondary"):
            page.locator(f".{side}-toggle:visible").click()
            dialog = page.locator(f"#pst-{side}-sidebar-modal[open]")
            assert in_reach(dialog.locator("a:visible").last)
            page.keyboard.press("Escape")
            dialog.wait_for(state="detached")
        page.keyboard.press("Control+k")
        page.locator("#pst-search-dialog input").fill("NPO")
        results = page.locator(".search-results[aria-busy=false]")
        assert in_reach(results.locator("a").last)
        assert results.bounding_box()["height"] >= 100
        assert not visit.complaints


def test_the_crawl_hears_what_is_wrong(browser, site, server, tmp_path):
    # a check that cannot fail is none
    shutil.copy(site / "robots.txt", tmp_path)
    (tmp_path / "index.html").write_text(
        '<img src="https://example.invalid/a.png"><script>console.error("x"); null.y</script>'
        '<meta name="viewport" content="width=device-width"><div style="width:9999px">wide</div>',
        "utf-8",
    )
    heard = " ".join(crawl(browser, tmp_path, tmp_path.as_uri() + "/", too_wide, **PHONE))
    for complaint in ("foreign: https://example.invalid/a.png", "console: x", "script: ", "sticks out sideways"):
        assert complaint in heard


def test_unknown_address_shows_the_404_page_at_any_depth(browser, server):
    with Visit(browser, server, **DESKTOP) as visit:
        page = visit.open(server + "no/such/page.html")
        assert page.title().startswith("404")
        page.click("a[href*='book/en/index']")
        page.wait_for_url(server + "book/en/index.html")


def test_switching_keeps_the_place_and_the_door_remembers(browser, server):
    with Visit(browser, server, **DESKTOP) as visit:
        page = visit.open(server + "index.html")
        assert page.url == server + "index.html"
        page.goto(server + "book/en/npo.html#en-sec-npo")
        page.click("a.edition-switch")
        page.wait_for_url(server + "book/zh/npo.html#zh-sec-npo")
        assert page.locator("html").get_attribute("lang") == "zh-Hans"
        page.goto(server + "index.html")
        page.wait_for_url(server + "book/zh/index.html")
        page.goto(server + "index.html#languages")
        page.wait_for_timeout(300)
        assert page.url == server + "index.html#languages"
        assert not visit.complaints

"""Every built page in a real browser, all other hosts blocked: under a sub-path, from files, on a phone, dark."""

import shutil

import pytest

from tests.book.pages import EDITIONS, NAMES, all_pages
from tests.browser.styles import lost_rules
from tests.browser.weight import too_heavy

DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
# what is left of 1280 x 1024 px at 400 %
ENLARGED = {"width": 320, "height": 256}
# all that folds, but the comments, which come from another host
UNFOLD = """() => {
  for (const fold of document.querySelectorAll("details:not(.comments)")) fold.open = true;
  for (const button of document.querySelectorAll(".toggle-button-hidden")) button.click();
}"""


class Visit:
    """A page opened with every other host blocked; `complaints` is what a reader's console and network would show."""

    def __init__(self, browser, own, **options):
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(10_000)
        self.complaints = []
        self.own = own
        self.context.route("**/*", self.guard)
        self.page = self.context.new_page()
        self.page.on(
            "console", lambda m: m.type in ("error", "warning") and self.complaints.append(f"console: {m.text}")
        )
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on("requestfailed", self.failed)
        self.page.on("response", lambda r: r.status >= 400 and self.complaints.append(f"{r.status}: {r.url}"))

    def failed(self, request):
        # leaving a page cancels what it was still loading
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"failed: {request.url} {request.failure}")

    def guard(self, route):
        if route.request.url.startswith((self.own, "data:", "blob:")):
            route.continue_()
        else:
            self.complaints.append(f"foreign: {route.request.url}")
            route.abort()

    def open(self, address):
        self.page.goto(address, wait_until="networkidle")
        return self.page

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.context.close()


def wait_until(page, expression, argument=None):
    """Until an expression holds. Playwright's own wait evaluates a string in the page, which its policy forbids."""
    for _ in range(100):
        if page.evaluate(expression, argument):
            return
        page.wait_for_timeout(100)
    pytest.fail(f"does not come true: {expression}")


def crawl(browser, site, own, check=None, **options):
    """Open every page; every complaint, with the page it is about."""
    complaints = []
    with Visit(browser, own, **options) as visit:
        for name in all_pages(site):
            # the door sends a reader who has been here before to his edition: forget him
            visit.context.clear_cookies()
            page = visit.open(own + name)
            complaints += [f"{name}: {complaint}" for complaint in visit.complaints]
            visit.complaints.clear()
            if check:
                complaints += [f"{name}: {complaint}" for complaint in check(page)]
            if not own.startswith("file:"):
                page.evaluate("localStorage.clear()")
    return complaints


def too_wide(page):
    """What sticks out sideways; nothing, if the page does not scroll that way."""
    # a phone widens its window to what sticks out, but not its screen
    wide = page.evaluate(
        """() => document.documentElement.scrollWidth <= screen.width ? [] : ["the page",
        ...[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > screen.width + 1)
        .slice(-3).map(e => e.outerHTML.slice(0, 120))]"""
    )
    return [f"sticks out sideways: {element}" for element in wide]


def test_every_page_under_a_sub_path(browser, site, server):
    def check(page):
        return [*too_heavy(page, server, site), *lost_rules(page)]

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
        '<meta name="viewport" content="width=device-width"><div style="width:9999px">wide</div>'
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


@pytest.mark.parametrize("edition", EDITIONS)
def test_controls_of_the_page_work(browser, server, edition):
    with Visit(browser, server, **DESKTOP) as visit:
        visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = visit.open(server + f"book/{edition}/npo.html")
        # theme switch: three states, then round again
        modes = []
        for _ in range(3):
            page.locator(".theme-switch-button:visible").click()
            modes.append(page.evaluate("document.documentElement.dataset.mode"))
        assert sorted(modes) == ["auto", "dark", "light"]
        # a solution opens
        title = page.locator("div.solution.dropdown .admonition-title, div.solution.dropdown summary").first
        body = page.locator("div.solution.dropdown .solution-content, div.solution.dropdown section").first
        before = body.is_visible()
        title.click()
        page.wait_for_timeout(200)
        assert body.is_visible() != before
        # copy button
        page.locator("div.highlight").first.hover()
        page.locator("button.copybtn").first.click()
        page.wait_for_timeout(200)
        assert "import" in page.evaluate("navigator.clipboard.readText()")
        assert not visit.complaints


def test_sidebars_open_on_a_phone(browser, server):
    with Visit(browser, server, **PHONE) as visit:
        page = visit.open(server + "book/zh/npo.html")
        for toggle, dialog in (
            ("primary", "#pst-primary-sidebar-modal"),
            ("secondary", "#pst-secondary-sidebar-modal"),
        ):
            page.locator(f".{toggle}-toggle:visible").first.click()
            page.wait_for_selector(f"{dialog}[open]")
            page.keyboard.press("Escape")
            page.wait_for_selector(f"{dialog}:not([open])", state="attached")
        assert not visit.complaints


def test_names_are_read(site):
    assert len(NAMES) >= 11
    assert len(all_pages(site)) >= 2 * len(NAMES)

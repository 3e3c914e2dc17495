"""Pages as readers open them, with what they do in every test and on every screen."""

import pytest

from tests.book.pages import all_pages

DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
SMALL_PHONE = PHONE | {"viewport": {"width": 320, "height": 640}}
# what is left of 1280 x 1024 px at 400 %
ENLARGED = {"width": 320, "height": 256}
# all that folds, but the comments, which come from another host
UNFOLD = """() => {
  for (const fold of document.querySelectorAll("details:not(.comments)")) fold.open = true;
  for (const button of document.querySelectorAll(".toggle-button-hidden")) button.click();
}"""
# else colours would be measured on their way from one theme to the other, and one picture would differ from the next
STILL = "*, ::before, ::after { transition: none !important; animation: none !important; caret-color: transparent; }"
# Pages of the site ask for their script after the first paint, and all of it runs in one task. Pages that stand alone
# have their scripts in them.
READY = "!document.querySelector('link[href*=\"joined.css\"]') || 'bootstrap' in window"
# what is painted and then moves, as browsers count it
SHIFT = """new Promise((done) => new PerformanceObserver((list, watch) => {
  watch.disconnect();
  done(list.getEntries().reduce((sum, { value }) => sum + value, 0));
}).observe({ type: "layout-shift", buffered: true }) ?? setTimeout(() => done(0), 300))"""


class Visit:
    """A page opened with every other host blocked; `complaints` is what a reader's console and network would show."""

    def __init__(self, browser, own, **options):
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(10_000)
        self.complaints = []
        self.own = own
        self.runs_scripts = options.get("java_script_enabled", True)
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
        self.page.goto(address)
        # on a busy machine a long file may still be read when nothing has been asked for in half a second
        self.page.wait_for_load_state("networkidle")
        if self.runs_scripts:
            scripts_ready(self.page)
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


def scripts_ready(page):
    """Until the controls of a page work."""
    wait_until(page, READY)


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

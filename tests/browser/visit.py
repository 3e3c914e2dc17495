"""Pages as readers open them, and the actions that all tests share, on all screens."""

import time

import pytest

# milliseconds: more than a busy machine needs
PATIENCE = 30_000
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
SMALL_PHONE = PHONE | {"viewport": {"width": 320, "height": 640}}
# the remainder of 1280 x 1024 px at 400%
ENLARGED = {"width": 320, "height": 256}
# everything that folds, except the comments, which come from another host
UNFOLD = """() => {
  for (const fold of document.querySelectorAll("details:not(.comments)")) fold.open = true;
}"""
# the entry of the menu that prints closed boxes as well
PRINT_ALL = "[...document.querySelectorAll('.btn-download-pdf-button')].at(-1).click()"
# otherwise colours would be measured during the transition between themes, and screenshots would differ
STILL = "*, ::before, ::after { transition: none !important; animation: none !important; caret-color: transparent; }"
# Pages of the site request their script after the first paint, and all of it runs in one task. Self-contained pages
# include their scripts.
READY = "!document.querySelector('link[rel~=stylesheet][href*=_static]') || 'bootstrap' in window"
# content that moves after it was painted, as browsers count it
SHIFT = """new Promise((done) => new PerformanceObserver((list, watch) => {
  watch.disconnect();
  done(list.getEntries().reduce((sum, { value }) => sum + value, 0));
}).observe({ type: "layout-shift", buffered: true }) ?? setTimeout(() => done(0), 300))"""
PICTURE = """new Promise((done) => {
  requestAnimationFrame(() => requestAnimationFrame(() => done(true)));
  setTimeout(() => done(false), 10000);
})"""


class Visit:
    """A page opened where no other host can be reached; `complaints` is what a reader's console and network would show.

    Requests are listened to, not routed, because routing switches the browser's cache off.
    """

    def __init__(self, browser, own, **options):
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(PATIENCE)
        self.complaints = []
        self.own = (own, "data:", "blob:")
        self.runs_scripts = options.get("java_script_enabled", True)
        self.page = self.context.new_page()
        self.context.on("request", self.asked)
        self.context.on("requestfailed", self.failed)
        self.context.on(
            "console", lambda m: m.type in ("error", "warning") and self.complaints.append(f"console: {m.text}")
        )
        self.context.on("weberror", lambda e: self.complaints.append(f"script: {e.error}"))
        self.context.on("response", lambda r: r.status >= 400 and self.complaints.append(f"{r.status}: {r.url}"))

    def asked(self, request):
        if not request.url.startswith(self.own):
            self.complaints.append(f"foreign: {request.url}")

    def failed(self, request):
        foreign = f"foreign: {request.url}"
        if request.failure == "csp" and foreign in self.complaints:
            # the page's policy stopped the request, and the console says so
            self.complaints.remove(foreign)
        # leaving a page cancels its pending requests
        elif request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"failed: {request.url} {request.failure}")

    def open(self, address, idle=False):
        """Open a page, and wait until its controls work; with `idle` also until it sends no more requests."""
        self.page.goto(address, wait_until="networkidle" if idle else "load")
        if self.runs_scripts:
            scripts_ready(self.page)
        return self.page

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.context.close()


def wait_until(page, expression, argument=None):
    """Wait until an expression holds; Playwright's own wait evaluates a string, which the page's policy forbids."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(expression, argument):
        if time.monotonic() > deadline:
            pytest.fail(f"does not become true: {expression}")
        page.wait_for_timeout(20)


def next_picture(page):
    """Wait until the page has drawn once more; on a machine that is starved, headless Chromium may stop drawing."""
    if not page.evaluate(PICTURE):
        # makes it draw, or fails after its own time
        page.screenshot()


def scripts_ready(page):
    """Wait until the controls of a page work."""
    wait_until(page, READY)


def crawl(browser, site, own, pages, checks=(), idle=False, **options):
    """Open pages and check each; fails with all faults, one line `page: check: element` each, and the broken rules."""
    wrong = []
    rules = {check.__name__: check.__doc__ for check in checks}
    rules["complaint"] = (
        "A page asks no other host for anything, all that it asks for comes, and its console is silent."
    )
    with Visit(browser, own, **options) as visit:
        for name in pages:
            # the front page sends returning readers to their edition: forget it
            visit.context.clear_cookies()
            page = visit.open(own + name, idle)
            for check in checks:
                wrong += [f"{name}: {check.__name__}: {what}" for what in check(visit, name, site)]
            # messages that the page has just sent arrive before the answer
            page.title()
            wrong += [f"{name}: complaint: {complaint}" for complaint in visit.complaints]
            visit.complaints.clear()
            if visit.runs_scripts and not own.startswith("file:"):
                page.evaluate("localStorage.clear()")
    broken = [f"{name}: {rule}" for name, rule in rules.items() if any(f": {name}: " in fault for fault in wrong)]
    if wrong:
        pytest.fail("\n".join([f"{len(wrong)} faults:", *wrong[:60], "", *broken]), pytrace=False)


def too_wide(page):
    """The elements that stick out sideways; none if the page does not scroll that way."""
    # a phone widens its window to fit what sticks out, but not its screen
    wide = page.evaluate(
        """() => document.documentElement.scrollWidth <= screen.width ? [] : ["the page",
        ...[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > screen.width + 1)
        .slice(-3).map(e => e.outerHTML.slice(0, 120))]"""
    )
    return [f"sticks out sideways: {element}" for element in wide]

"""The policy of a page stops what it does not name, and does not affect the page itself."""

import pytest

from tests.book.pages import needs_comments
from tests.browser.comments import HOST, Comments
from tests.browser.visit import DESKTOP, Visit, wait_until
from tests.conftest import nightly

RECORD = """window.stopped = [];
document.addEventListener("securitypolicyviolation", (e) => stopped.push(e.effectiveDirective));"""
# what an attacker might write into a page, and the rule that stops each
INTRUDERS = {
    "script-src-elem": "add('script', { src: 'https://example.invalid/x.js' })",
    "script-src-elem ": "add('script', { text: 'window.intruded = 1' })",
    "script-src-attr": "document.body.insertAdjacentHTML('beforeend', '<b onclick=\"window.intruded = 1\">x</b>')",
    "script-src": "setTimeout('window.intruded = 1')",
    "img-src": "new Image().src = 'https://example.invalid/x.png'",
    "style-src-elem": "add('link', { rel: 'stylesheet', href: 'https://example.invalid/x.css' })",
    "frame-src": "add('iframe', { src: 'https://example.invalid' })",
    "connect-src": "fetch('https://example.invalid/x').catch(() => 0)",
    "object-src": "add('embed', { src: 'https://example.invalid/x.pdf' })",
    "base-uri": "add('base', { href: 'https://example.invalid/' })",
}
INTRUDE = f"""() => {{
  const add = (tag, attributes) => document.body.append(Object.assign(document.createElement(tag), attributes));
  {"; ".join(INTRUDERS.values())};
}}"""


@pytest.mark.parametrize("place", ["server", *nightly("files")])
def test_injected_content_is_blocked(browser, site, server, place):
    own = server if place == "server" else site.as_uri() + "/"
    for name in ("book/zh/npo.html", "index.html", "NPO.html", "embed/en/divergence.html"):
        with Visit(browser, own, **DESKTOP) as visit:
            visit.context.add_init_script(RECORD)
            page = visit.open(own + name)
            assert page.evaluate("stopped") == [], name
            page.evaluate(INTRUDE)
            # a busy browser reports some of them late
            wait_until(page, "(number) => stopped.length >= number", len(INTRUDERS))
            page.wait_for_timeout(200)
            assert sorted(page.evaluate("stopped")) == sorted(rule.strip() for rule in INTRUDERS), name
            assert not page.evaluate("window.intruded")
            # stopped in the page, before any request
            assert not [complaint for complaint in visit.complaints if complaint.startswith("foreign: ")]


@needs_comments
def test_only_pages_with_comments_may_load_the_comments_style(browser, server):
    bring = f"""() => new Promise(resolve => {{
      const link = Object.assign(document.createElement("link"), {{ rel: "stylesheet", href: "{HOST}/default.css" }});
      link.onload = link.onerror = () => setTimeout(resolve, 100);
      document.head.append(link);
    }}).then(() => stopped)"""
    for name, stopped in (("book/en/npo.html", []), ("book/en/index.html", ["style-src-elem"])):
        with Comments(browser, server) as visit:
            visit.context.add_init_script(RECORD)
            page = visit.open(server + name)
            assert page.evaluate(bring) == stopped

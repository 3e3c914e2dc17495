"""The policy of every page: a single one, early, strict, and with a hash for each script in the page."""

import base64
import hashlib

import pytest

from tests.book.pages import COMMENTS, all_pages, parse

SOURCES = {"'none'", "'self'", "file:", "data:", "blob:", "'wasm-unsafe-eval'", "'unsafe-inline'"}
POLICY = "meta[http-equiv='Content-Security-Policy']"


def directives(soup):
    content = soup.select_one(POLICY)["content"]
    return {name: sources.split() for name, _, sources in (part.strip().partition(" ") for part in content.split(";"))}


def sha256(script):
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@pytest.fixture(scope="module")
def pages(site):
    return {page: parse(site / page) for page in all_pages(site)}


def test_every_page_has_one_before_everything_that_it_governs(pages):
    for page, soup in pages.items():
        assert len(soup.select("meta[http-equiv]")) == 1, page
        first = [tag for tag in soup.head.find_all(True) if tag.name != "meta" or tag.get("http-equiv")]
        assert first[0] is soup.select_one(POLICY), f"{page}: {first[0]} comes before the policy"


def test_charset_is_in_the_first_kilobyte(site, pages):
    for page in pages:
        assert b"<meta charset=" in (site / page).read_bytes()[:1024], page


def test_only_the_scripts_of_a_page_are_allowed_by_their_hashes(pages):
    for page, soup in pages.items():
        inline = [tag.string for tag in soup.select("script:not([src])") if "json" not in tag.get("type", "")]
        handlers = [tag[name] for tag in soup.find_all(True) for name in tag.attrs if name.startswith("on")]
        assert not handlers, f"{page}: the policy forbids scripts in attributes, got {handlers}: let a script listen"
        allowed = {source for source in directives(soup)["script-src"] if source.startswith("'sha256-")}
        assert allowed == {sha256(script) for script in inline}, page


def test_only_what_is_needed_is_allowed(pages):
    for page, soup in pages.items():
        rules = directives(soup)
        strict = {name: rules[name] for name in ("object-src", "form-action", "default-src", "base-uri")}
        none, own = ["'none'"], ["'self'", "file:"]
        expected = {"object-src": none, "form-action": none, "default-src": own, "base-uri": own}
        assert strict == expected, f"{page}: finish/policy.py must allow nothing else by these, got {strict}"
        used = {source for sources in rules.values() for source in sources}
        hosts = {COMMENTS["host"]} if soup.select(".comments") else set()
        foreign = {source for source in used - SOURCES if not source.startswith("'sha256-")}
        assert foreign == hosts, (
            f"{page}: of other hosts finish/policy.py must allow {hosts or 'none'}, got {foreign}; "
            "a new host, or a new way to run code, goes there and here"
        )
        inline = [name for name, sources in rules.items() if "'unsafe-inline'" in sources]
        assert inline == ["style-src"], (
            f"{page}: finish/policy.py must allow no script by 'unsafe-inline', got {inline}"
        )

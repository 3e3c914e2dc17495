"""What a page makes a reader load before he scrolls or touches: bytes as a server sends them, requests, fonts."""

import gzip
import re
from functools import cache
from urllib.parse import unquote, urlparse

import pytest

from tests.book.pages import all_pages, parse
from tests.browser.conftest import serving
from tests.browser.test_pages import DESKTOP, PHONE, Visit

SCRIPTS, ALL = 60_000, 250_000
# of one demo's numbers, and of one page in a frame
STATE, FRAME = 40_000, 60_000
REQUESTS = 25
# formulas and icons; text is shown in what the reader's system has
FONTS = ("KaTeX_", "Font Awesome 6")
COMPRESSED = {".html", ".css", ".js", ".svg", ".json"}


@cache
def weight(path):
    """Bytes of a file as a server sends it."""
    content = path.read_bytes()
    return len(gzip.compress(content)) if path.suffix in COMPRESSED else len(content)


def inline_scripts(path):
    return sum(len(gzip.compress(tag.encode())) for tag in parse(path).select("script:not([src], [type])"))


def files(page, own, site):
    """The page itself and all that it has loaded, as files of the site."""
    addresses = page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
    local = [address for address in addresses if address.startswith(own)]
    return [site / unquote(urlparse(address).path.removeprefix(urlparse(own).path)) for address in [page.url, *local]]


def faults(page, own, site):
    loaded = files(page, own, site)
    states = [path for path in loaded if path.parent.name == "widgets"]
    scripts = sum(weight(path) for path in loaded if path.suffix == ".js" and path not in states)
    scripts += inline_scripts(loaded[0])
    total = sum(map(weight, loaded))
    if scripts > SCRIPTS:
        yield f"{scripts} bytes of scripts"
    if total > ALL:
        yield f"{total} bytes"
    if len(loaded) > REQUESTS:
        yield f"{len(loaded)} requests"
    for path in states:
        if weight(path) > STATE:
            yield f"{weight(path)} bytes of numbers in {path.name}"
    for path in loaded[1:]:
        if path.suffix == ".html" and weight(path) > FRAME:
            yield f"{weight(path)} bytes in the frame {path.name}"
    fonts = page.evaluate("[...document.fonts].filter(font => font.status === 'loaded').map(font => font.family)")
    for font in fonts:
        if not font.strip('"').startswith(FONTS):
            yield f"text in the font {font}"


@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_page_is_light(browser, site, server, device):
    found = []
    with Visit(browser, server, **device) as visit:
        for name in all_pages(site):
            visit.context.clear_cookies()
            page = visit.open(server + name)
            found += [f"{name}: {fault}" for fault in faults(page, server, site)]
            page.evaluate("localStorage.clear()")
        assert not visit.complaints
    assert not found, "\n".join(found)


def test_what_is_heavy_is_found(browser, tmp_path, rng):
    # a check that cannot fail is none
    noise = f"// {rng.bytes(200_000).hex()}"
    place = tmp_path / "_static/widgets"
    place.mkdir(parents=True)
    for file in (tmp_path / "own.js", place / "state.js"):
        file.write_text(noise)
    (tmp_path / "frame.html").write_text(f"<!-- {noise} -->")
    pictures = [tmp_path / f"{i}.svg" for i in range(REQUESTS)]
    for picture in pictures:
        picture.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    parts = ["<script src='own.js'></script><script src='_static/widgets/state.js'></script>"]
    parts += ["<iframe src='frame.html'></iframe>", *(f"<img src='{picture.name}'>" for picture in pictures)]
    (tmp_path / "page.html").write_text("<!doctype html><link rel=icon href=0.svg>" + "".join(parts))
    with serving(tmp_path) as own, Visit(browser, own, **DESKTOP) as visit:
        found = list(faults(visit.open(own + "page.html"), own, tmp_path))
    kinds = ["of scripts", "bytes$", "requests", "of numbers in state.js", "in the frame frame.html"]
    assert len(found) == len(kinds)
    assert all(re.search(kind, fault) for kind, fault in zip(kinds, found, strict=True)), found

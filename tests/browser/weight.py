"""What a page makes a reader load before they scroll or touch: bytes as a server sends them, requests, fonts."""

import gzip
import re
from functools import cache
from urllib.parse import unquote, urlparse

SCRIPTS, ALL = 60_000, 250_000
# of one demo's numbers, and of one embeddable page
STATE, FRAME = 40_000, 60_000
REQUESTS = 25
# formulas and icons; text uses the reader's own fonts
FONTS = ("KaTeX_", "Font Awesome 6")
COMPRESSED = {".html", ".css", ".js", ".svg", ".json"}
SCRIPT = re.compile(r"""<script\b((?:"[^"]*"|'[^']*'|[^>"'])*)>.*?</script>""", re.S | re.I)
# in its attributes, without their values: it is elsewhere, or of another type
OTHER = re.compile(r"\s(?:src|type)(?:[\s=]|$)", re.I)
VALUE = re.compile(r"""=\s*(?:"[^"]*"|'[^']*')""")


@cache
def weight(path):
    """The number of bytes of a file as a server sends it."""
    content = path.read_bytes()
    return len(gzip.compress(content)) if path.suffix in COMPRESSED else len(content)


def inline_scripts(path):
    # a tree of each page would stay in the memory of each worker
    scripts = SCRIPT.finditer(path.read_text("utf-8"))
    return sum(len(gzip.compress(tag[0].encode())) for tag in scripts if not OTHER.search(VALUE.sub("= ", tag[1])))


def files(page, own, site):
    """The page itself and everything that it has loaded, as files of the site."""
    addresses = page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
    local = [address for address in addresses if address.startswith(own)]
    return [site / unquote(urlparse(address).path.removeprefix(urlparse(own).path)) for address in [page.url, *local]]


def too_heavy(page, own, site):
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

"""The check of what pages weigh, which `test_pages` applies to every page, finds pages that are too heavy."""

import re

from tests.browser.conftest import serving
from tests.browser.visit import DESKTOP, Visit
from tests.browser.weight import REQUESTS, too_heavy


def test_heavy_pages_are_found(browser, tmp_path, rng):
    # a check that cannot fail is worthless
    noise = f"// {rng.bytes(200_000).hex()}"
    place = tmp_path / "_static/widgets"
    place.mkdir(parents=True)
    for file in (tmp_path / "own.js", place / "state.js"):
        file.write_text(noise, "utf-8")
    (tmp_path / "frame.html").write_text(f"<!-- {noise} -->", "utf-8")
    pictures = [tmp_path / f"{i}.svg" for i in range(REQUESTS)]
    for picture in pictures:
        picture.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>', "utf-8")
    parts = ["<script src='own.js'></script><script src='_static/widgets/state.js'></script>"]
    parts += ["<iframe src='frame.html'></iframe>", *(f"<img src='{picture.name}'>" for picture in pictures)]
    (tmp_path / "page.html").write_text("<!doctype html><link rel=icon href=0.svg>" + "".join(parts), "utf-8")
    with serving(tmp_path) as own, Visit(browser, own, **DESKTOP) as visit:
        found = list(too_heavy(visit.open(own + "page.html"), own, tmp_path))
    kinds = ["of scripts", "bytes$", "requests", "of numbers in state.js", "in the frame frame.html"]
    assert len(found) == len(kinds)
    assert all(re.search(kind, fault) for kind, fault in zip(kinds, found, strict=True)), found

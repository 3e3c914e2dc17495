"""Runs every cell of the book in its page, as a reader would, and compares what it prints with what the book prints.

The site is the copy with Python in its pages, made by `python book/in_page`. A row for each cell: seconds, and what
differs. With --write, what the cells need or cost goes into book/in_page/marks.json, which the pages show before a cell
is run. The cells of both editions are the same.
"""

import json
import re
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.benchmarks import make_parser
from tests.benchmarks.lighthouse import serve
from tests.browser.conftest import ARGUMENTS
from tests.conftest import ROOT, find_chromium

sys.path.insert(0, str(ROOT / "book/in_page"))

from publish import MARKS, key_of  # noqa: E402

# a cell that takes longer says so before it is run
SLOW = 20
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
RECORDED = """place => [...(place.querySelector(":scope > .cell_output:not(.live)")?.querySelectorAll("pre") ?? [])]
  .filter(pre => !pre.closest(".widget-stand-in")).map(pre => pre.textContent).join("")"""
SAID = """place => [...place.querySelectorAll(".live .run-text")].map(pre => pre.textContent).join("")"""


def same(recorded, said):
    """Whether two outputs have the same words, and numbers that agree to one unit of their last printed digit."""
    if " ".join(NUMBER.sub("#", recorded).split()) != " ".join(NUMBER.sub("#", said).split()):
        return False
    pairs = zip(NUMBER.findall(recorded), NUMBER.findall(said), strict=True)
    return all(abs(float(a) - float(b)) <= 1.01 * unit(a) for a, b in pairs)


def unit(number):
    digits, _, power = number.partition("e")
    return 10.0 ** (int(power or 0) - len(digits.partition(".")[2]))


def run_cells(page, patience=600_000):
    """Press Run at every cell of an open page: (cell, seconds, error, recorded text, text) of each."""
    page.evaluate("document.querySelectorAll('article details').forEach(fold => (fold.open = true))")
    for place in page.locator("article .cell:has(.run-bar):not([data-check])").all():
        button, status = place.locator(".run-bar button").first, place.locator(".run-status")
        if button.is_disabled():
            continue
        recorded, name = place.evaluate(RECORDED), button.inner_text()
        button.click()
        page.wait_for_function(
            "([button, name]) => button.textContent === name", arg=[button.element_handle(), name], timeout=patience
        )
        error = place.locator('.live [data-kind="error"]')
        seconds = re.search(r"([\d.]+) (?:s|秒)", status.inner_text())
        failed = error.inner_text().strip().splitlines()[-1] if error.count() else "" if seconds else status.inner_text()
        yield place, float(seconds[1]) if seconds else 0.0, failed, recorded, place.evaluate(SAID)


def main():
    parser = make_parser("tests.benchmarks.in_page", __doc__)
    parser.add_argument("pages", nargs="*", help="such as book/en/npo.html (default: every English page with cells)")
    parser.add_argument("--site", type=Path, default=ROOT / "_build/published", help="default: _build/published")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if not (options.site / "python/parts.json").is_file():
        parser.error(f"{options.site} has no Python in its pages: run `python book/in_page` first")
    every = [path.relative_to(options.site).as_posix() for path in sorted(options.site.glob("book/en/*.html"))]
    chosen = options.pages or [page for page in every if "python/page.js" in (options.site / page).read_text("utf-8")]
    marks, address = json.loads(MARKS.read_text("utf-8")), serve(options.site)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        for name in chosen:
            page, own = browser.new_page(), Path(name).stem
            page.goto(address + name)
            # those that are marked as well
            page.evaluate("document.querySelectorAll('.run-bar button').forEach(button => (button.disabled = false))")
            found = {}
            for place, seconds, error, recorded, said in run_cells(page):
                differs = "" if error or same(recorded, said) else f"differs: {said!r}, recorded {recorded!r}"
                code = place.locator(".cell_input pre").first.inner_text()
                print(f"{name:40} {seconds:7.1f} s  {code.strip().splitlines()[0]:40.40} {error or differs}", flush=True)
                mark = {"needs": "torch"} if "torch" in error else {}
                if seconds > SLOW:
                    mark = {"seconds": round(seconds, -1)}
                if mark:
                    found[key_of(code)] = {"page": own} | mark
            marks = {key: mark for key, mark in marks.items() if mark["page"] != own} | found
            page.close()
        browser.close()
    if options.write:
        MARKS.write_text(json.dumps(marks, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()

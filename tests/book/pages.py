"""The configuration of the site, the sources of its pages, and the built pages, parsed once."""

import json
import re
from functools import cache
from itertools import count
from pathlib import Path
from string import ascii_uppercase

import pytest
import yaml
from bs4 import BeautifulSoup

from tests.conftest import ROOT

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
BASE = CONFIG["html"]["baseurl"]
REPOSITORY = CONFIG["repository"]["url"]
# {} or false in sites without comments
COMMENTS = CONFIG["sphinx"]["config"]["booksite"].get("comments") or {}
needs_comments = pytest.mark.skipif(not COMMENTS, reason="_config.yml has no comments")
EDITIONS = {"zh": "zh-Hans", "en": "en"}
NAMES = sorted(path.stem for path in (ROOT / "book/en").glob("*.md"))
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
# the part of the table of contents that is numbered throughout; appendices have letters
CHAPTERS = [
    page["file"].removeprefix("book/en/")
    for part in TOC["parts"]
    if part.get("numbered") is True
    for page in part["chapters"]
    if page["file"].startswith("book/en/")
]
TWINS = [f"book/{edition}/{name}.html" for edition in EDITIONS for name in NAMES]
MODULES = {"npo_tutorial", "numpy", "myst_nb", "sklearn", "scipy", "torch", "math", "dataclasses"}
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", re.S | re.M)
# elements whose address a browser fetches by itself; it fetches <a href> only after a click
LOADED = [
    ("img", "src"),
    ("script", "src"),
    ("iframe", "src"),
    ("source", "src"),
    ("source", "srcset"),
    ("link", "href"),
]


def editions(always, name="edition"):
    """Both editions, for a test where the language hardly matters: `always` in every run, the other one at night."""
    marks = {edition: () if edition == always else pytest.mark.nightly for edition in EDITIONS}
    return pytest.mark.parametrize(name, [pytest.param(edition, marks=marks[edition]) for edition in EDITIONS])


def page_numbers(edition):
    """The numbered pages of an edition by the table of contents: chapters have numbers, appendices letters."""
    numbers = {}
    for part in TOC["parts"]:
        files = [page["file"] for page in part["chapters"]]
        if "numbered" in part and files[0].startswith(f"book/{edition}/"):
            marks = ascii_uppercase if part.get("style") == "alphaupper" else map(str, count(1))
            numbers |= zip((file.rpartition("/")[2] for file in files), marks, strict=False)
    return numbers


def read(path):
    """The text of a page, or of its source; if it is missing, the message states the rule."""
    name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.as_posix()
    assert path.is_file(), f"{name} is missing: a page must exist in both editions and in _toc.yml"
    return path.read_text("utf-8")


def source(edition, name):
    return read(ROOT / f"book/{edition}/{name}.md")


def cells(edition, name, in_page=False):
    """The code cells of a page's source; with `in_page` without those that the page leaves out."""
    found = CELL.findall(source(edition, name))
    if in_page:
        found = [cell for cell in found if not cell.startswith(":tags: [remove-cell]\n")]
    return [re.sub(r"^:.*\n", "", cell, flags=re.M) for cell in found]


def check_cell(cell):
    # benchmarks import this module, too, without the site's machinery
    from booksite.document.code import DRAWING

    lines = [line for line in cell.splitlines() if line.strip() and line != DRAWING]
    assert len(lines) <= 12, f"a cell must have at most 12 lines, got {len(lines)}:\n{cell}"
    # fits next to both sidebars on a screen of 1280 px
    longest = max(lines, key=len)
    assert len(longest) <= 88, f"a line of a cell must have at most 88 characters, got {len(longest)}: {longest}"
    foreign = set(re.findall(r"^(?:from|import) ([a-z_]+)", cell, re.M)) - MODULES
    assert not foreign, f"a cell may import only {', '.join(sorted(MODULES))}, got {', '.join(sorted(foreign))}"


def all_pages(site):
    """Every page that a reader can open, by its path in the site."""
    return sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html") if "_static" not in path.parts)


def half(pages):
    """The pages once, each in one of its editions by turns: for what hardly depends on the language."""
    turns = []
    for folder in ("book", "embed"):
        names = sorted({Path(page).stem for page in pages if re.match(f"{folder}/(zh|en)/", page)})
        turns += [f"{folder}/{list(EDITIONS)[i % 2]}/{name}.html" for i, name in enumerate(names)]
    return [page for page in pages if page in turns or not re.match("(book|embed)/(zh|en)/", page)]


@cache
def parse(path: Path):
    return BeautifulSoup(read(path), "html.parser")


@cache
def places(path: Path):
    """The targets that links can name in a page, collected once, because `find` would search the page for each."""
    return {tag["id"] for tag in parse(path).find_all(id=True)}


def article(site, edition, name):
    """The part of a page that its author wrote."""
    return parse(site / f"book/{edition}/{name}.html").select_one("article.bd-article")


def search_titles(site, edition):
    """Title, page's title and terms of each piece in the index, by Pagefind's name of the piece."""
    tag = EDITIONS[edition].lower()
    pages = [json.loads((site / f"pagefind/{part}.{tag}.json").read_text("utf-8")) for part in ("titles", "shared")]
    rows = [(page, *row) for part in pages for page, rows in part.items() for row in rows]
    names = [path.stem for path in (site / "pagefind/fragment").glob(f"{tag}_*")]
    found = {}
    for page, title, start, terms in rows:
        (name,) = [name for name in names if name.startswith(f"{tag}_{start}")]
        found[name] = [title, page, terms]
    return found

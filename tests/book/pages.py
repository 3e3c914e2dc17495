"""The pages of the built site, parsed once."""

from functools import cache
from pathlib import Path

from bs4 import BeautifulSoup

from tests.conftest import ROOT

EDITIONS = {"zh": "zh-Hans", "en": "en"}
NAMES = sorted(path.stem for path in (ROOT / "book/en").glob("*.md"))
CHAPTERS = [
    "intro",
    "preference-optimization",
    "npo",
    "gradient-ascent",
    "stability",
    "divergence",
    "synthetic",
    "language-model",
]


def all_pages(site):
    """Every page that a reader can open, as paths relative to the site."""
    return sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html") if "_static" not in path.parts)


@cache
def parse(path: Path):
    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


def article(site, edition, name):
    """The part of a page that its author wrote."""
    return parse(site / f"book/{edition}/{name}.html").select_one("article.bd-article")

"""The buttons that open a chapter on another host: which pages have them, their addresses, and the notebooks there."""

import re
from urllib.parse import urlparse

from tests.book.pages import CHAPTERS, EDITIONS, NAMES, REPOSITORY, all_pages, parse
from tests.conftest import ROOT

NAME = urlparse(REPOSITORY).path.strip("/")
BINDER = re.compile(
    rf"https://mybinder\.org/v2/gh/{re.escape(NAME)}/main\?urlpath=lab/tree/(notebooks/\w+/[\w-]+\.ipynb)"
)
COLAB = re.compile(
    rf"https://colab\.research\.google\.com/github/{re.escape(NAME)}/blob/gh-pages/(notebooks/\w+/[\w-]+\.ipynb)"
)
WITH_CELLS = [name for name in NAMES if "{code-cell}" in (ROOT / f"book/en/{name}.md").read_text("utf-8")]


def addresses(site, page):
    return [link["href"] for link in parse(site / page).select(".dropdown-launch a[href]")]


def test_pages_with_cells_have_both_buttons_and_other_pages_have_none(site):
    assert set(CHAPTERS) <= set(WITH_CELLS)
    expected = {f"book/{edition}/{name}.html" for edition in EDITIONS for name in WITH_CELLS}
    differing = expected ^ {page for page in all_pages(site) if addresses(site, page)}
    assert not differing, f"exactly the pages with cells must have buttons to open them elsewhere: {differing}"


def test_every_address_opens_the_published_notebook_of_its_page(site):
    for edition in EDITIONS:
        for name in WITH_CELLS:
            found = addresses(site, f"book/{edition}/{name}.html")
            opened = [form.fullmatch(address) for form, address in zip((BINDER, COLAB), found, strict=True)]
            assert all(opened), found
            assert [match[1] for match in opened] == [f"notebooks/{edition}/{name}.ipynb"] * 2
            assert (site / opened[0][1]).is_file(), opened[0][1]


def test_buttons_are_in_the_language_of_the_page(site):
    for edition, words in {"en": "Open the notebook on Colab", "zh": "在 Colab 上打开笔记本"}.items():
        links = parse(site / f"book/{edition}/npo.html").select(".dropdown-launch a")
        assert links[1]["title"] == words

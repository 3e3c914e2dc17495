"""The buttons that open a chapter elsewhere: on which pages, with which address, and whether that is published."""

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


def test_pages_with_cells_have_both_buttons_and_no_other_page_has_any(site):
    assert set(CHAPTERS) <= set(WITH_CELLS)
    expected = {f"book/{edition}/{name}.html" for edition in EDITIONS for name in WITH_CELLS}
    differing = expected ^ {page for page in all_pages(site) if addresses(site, page)}
    assert not differing, f"a page has buttons to open it elsewhere if it has cells, and only then: {differing}"


def test_every_address_opens_the_notebook_of_its_page_and_the_notebook_is_published(site):
    for edition in EDITIONS:
        for name in WITH_CELLS:
            found = addresses(site, f"book/{edition}/{name}.html")
            opened = [form.fullmatch(address) for form, address in zip((BINDER, COLAB), found, strict=True)]
            assert all(opened), found
            assert [match[1] for match in opened] == [f"notebooks/{edition}/{name}.ipynb"] * 2
            assert (site / opened[0][1]).is_file(), opened[0][1]


def test_buttons_speak_the_language_of_the_page(site):
    for edition, words in {"en": "Open the notebook on Colab", "zh": "在 Colab 上打开笔记本"}.items():
        links = parse(site / f"book/{edition}/npo.html").select(".dropdown-launch a")
        assert links[1]["title"] == words

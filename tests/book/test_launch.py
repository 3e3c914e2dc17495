"""The buttons that open a chapter on another host: which pages have them, their addresses, and the notebooks there."""

import json
import re
import sys
from types import SimpleNamespace
from urllib.parse import urlparse

import pytest
from bs4 import BeautifulSoup

from tests.book.pages import CHAPTERS, CONFIG, EDITIONS, NAMES, REPOSITORY, all_pages, parse
from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "book/in_page"))

from publish import STATIC, offer_run

NAME = urlparse(REPOSITORY).path.strip("/")
NOTEBOOK = r"(notebooks/\w+/[\w-]+\.ipynb)"
PUBLISHED = rf"https://github\.com/{re.escape(NAME)}/blob/gh-pages/{NOTEBOOK}"
# as each service documents it, or its own examples have it
FORMS = {
    "Binder": rf"https://mybinder\.org/v2/gh/{re.escape(NAME)}/main\?urlpath=lab/tree/{NOTEBOOK}",
    "Colab": rf"https://colab\.research\.google\.com/github/{re.escape(NAME)}/blob/gh-pages/{NOTEBOOK}",
    "Kaggle": rf"https://kaggle\.com/kernels/welcome\?src={PUBLISHED}",
    "PAI-DSW": rf"https://gallery\.pai-ml\.com/#/import/{PUBLISHED}",
    # an id in place of the notebook's path
    "ModelScope": r"https://modelscope\.cn/notebook/share/ipynb/[0-9a-f]+/[\w.-]+\.ipynb()",
}
LAUNCH = CONFIG["sphinx"]["config"]["booksite"]["launch"]
WITH_CELLS = [name for name in NAMES if "{code-cell}" in (ROOT / f"book/en/{name}.md").read_text("utf-8")]


def addresses(site, page):
    links = parse(site / page).select(".dropdown-launch a[href]")
    return {link.select_one(".btn__text-container").get_text(): link["href"] for link in links}


def test_pages_with_cells_have_the_buttons_and_other_pages_have_none(site):
    assert set(CHAPTERS) <= set(WITH_CELLS)
    expected = {f"book/{edition}/{name}.html" for edition in EDITIONS for name in WITH_CELLS}
    differing = expected ^ {page for page in all_pages(site) if addresses(site, page)}
    assert not differing, f"exactly the pages with cells must have buttons to open them elsewhere: {differing}"


def test_every_address_opens_the_published_notebook_of_its_page(site):
    for edition in EDITIONS:
        for name in WITH_CELLS:
            notebook = f"notebooks/{edition}/{name}.ipynb"
            assert (site / notebook).is_file()
            found = addresses(site, f"book/{edition}/{name}.html")
            expected = [s for s, place in LAUNCH.items() if "ids" not in place or notebook in (place["ids"] or {})]
            assert list(found) == expected
            for service, address in found.items():
                opened = re.fullmatch(FORMS[service], address)
                assert opened and opened[1] in (notebook, ""), address


def test_every_service_has_a_form_here():
    unknown = set(LAUNCH) - set(FORMS)
    assert not unknown, f"_config.yml: launch: FORMS in {__name__} must say what addresses look like: {unknown}"


def test_the_notebooks_are_where_the_addresses_lead():
    # all but Binder open the published branch, and Binder builds the repository
    branches = {service: re.search(r"/blob/([\w-]+)/", place["address"]) for service, place in LAUNCH.items()}
    published = re.search(r"refs/heads/([\w-]+)\"$", (ROOT / ".ci/publish").read_text("utf-8"), re.M)[1]
    assert {found[1] for found in branches.values() if found} == {published}
    assert "cp -r _build/html/notebooks ." in (ROOT / ".binder/postBuild").read_text("utf-8").splitlines()


def test_every_place_has_what_a_button_needs():
    for service, place in LAUNCH.items():
        right = {"icon", "address"} <= set(place) <= {"icon", "address", "ids"}
        assert right, f"_config.yml: launch: {service} must have icon and address, and may have ids, got {place}"


def test_ids_that_a_maintainer_enters_are_those_of_notebooks_that_exist():
    for service, place in LAUNCH.items():
        for notebook, entered in (place.get("ids") or {}).items():
            form = re.fullmatch(r"notebooks/(\w+)/([\w-]+)\.ipynb", notebook)
            exists = form and form[1] in EDITIONS and form[2] in WITH_CELLS
            assert exists, f"_config.yml: launch: {service}: ids must be of notebooks of the site, got {notebook!r}"
            right = re.fullmatch(r"[0-9a-f]+/[\w.-]+\.ipynb", entered)
            assert right, f"_config.yml: launch: {service}: {notebook} must be like 1a2b3c4d/npo.ipynb, got {entered!r}"


class Page(SimpleNamespace):
    """As much of a page as its buttons need."""

    def words(self, part):
        return {"button": "Open on {service}", "menu": "Run", "download": "Download"}

    def path(self, file):
        return f"../{file}"


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (
            {"notebooks/zh/npo.ipynb": "1a2b3c4d/npo.ipynb"},
            "https://modelscope.cn/notebook/share/ipynb/1a2b3c4d/npo.ipynb",
        ),
        ({"notebooks/zh/intro.ipynb": "1a2b3c4d/intro.ipynb"}, None),
        ({}, None),
        (None, None),
    ],
    ids=["its id", "the id of another page", "no id", "nothing after ids:"],
)
def test_a_service_with_ids_has_a_button_on_the_pages_that_have_one(ids, expected):
    from booksite.page.buttons import add_buttons

    options = {"repository_url": "https://github.com/owner/name", "repository_branch": "main"}
    launch = {"ModelScope": LAUNCH["ModelScope"] | {"ids": ids}, "Kaggle": LAUNCH["Kaggle"]}
    page = Page(
        notebook="notebooks/zh/npo.ipynb",
        context={"header_buttons": [{"label": "download-buttons", "buttons": []}]},
        app=SimpleNamespace(config=SimpleNamespace(html_theme_options=options)),
        settings=SimpleNamespace(launch=launch),
    )
    add_buttons(page)
    menu, downloads = page.context["header_buttons"]
    assert [button["label"] for button in downloads["buttons"]] == ["download-notebook-button"]
    found = {button["text"]: button["url"] for button in menu["buttons"]}
    assert found.pop("Kaggle").endswith("?src=https://github.com/owner/name/blob/gh-pages/notebooks/zh/npo.ipynb")
    assert found == ({"ModelScope": expected} if expected else {})


@pytest.mark.parametrize(("edition", "words"), [("en", "In this page"), ("zh", "就在本页")])
def test_where_python_runs_in_the_page_it_is_the_first_place(site, edition, words):
    own = json.loads((STATIC / "words.json").read_text("utf-8"))[edition]
    for name in WITH_CELLS:
        html = (site / f"book/{edition}/{name}.html").read_text("utf-8")
        page = BeautifulSoup(offer_run(html, own), "html.parser")
        first, *others = page.select(".dropdown-launch li a")
        assert (first["href"], first.get_text().strip()) == ("#run-here", words)
        assert [link["href"] for link in others] == list(addresses(site, f"book/{edition}/{name}.html").values())
        # a cell in a solution would be folded
        cell = page.select_one("article .cell_input")
        assert page.select("#run-here") == [cell] and not cell.find_parent("details"), name


def test_buttons_are_in_the_language_of_the_page(site):
    for edition, words in {"en": "Open the notebook on Colab", "zh": "在 Colab 上打开笔记本"}.items():
        links = parse(site / f"book/{edition}/npo.html").select(".dropdown-launch a")
        assert links[1]["title"] == words

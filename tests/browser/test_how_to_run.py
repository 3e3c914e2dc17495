"""What “How to run” says of Python in the page is what the pages say and load."""

import json
import re
from zipfile import ZipFile

import pytest
import yaml

from tests.book.pages import EDITIONS, source
from tests.conftest import ROOT

STATIC = ROOT / "book/in_page/static"
BUTTON = {"en": r"\*([A-Z][^*.]*)\*", "zh": r"“([^”]*)”"}


def section(edition):
    _, _, rest = source(edition, "how-to-run").partition(f"({edition}-sec-in-page)=\n")
    return re.split(r"^\([\w-]+\)=$", rest, flags=re.M)[0]


@pytest.mark.parametrize("edition", EDITIONS)
def test_buttons_have_the_names_that_the_book_uses(edition):
    of_files = [json.loads(path.read_text("utf-8"))[edition] for path in STATIC.glob("*.json")]
    words = {word for named in of_files for word in named.values() if isinstance(word, str)}
    named = set(re.findall(BUTTON[edition], section(edition)))
    assert len(named) > 3
    assert not named - words, f"book/{edition}/how-to-run.md: no button is called {named - words}"


@pytest.mark.nightly
@pytest.mark.xdist_group("in_page")
@pytest.mark.parametrize("edition", EDITIONS)
def test_sizes_and_versions_are_those_that_a_page_loads(python_site, edition):
    listing = json.loads((python_site / "python/parts.json").read_text("utf-8"))
    size = {name: part["bytes"] for name, part in listing["parts"].items()}
    core = sum(file["bytes"] for file in listing["core"].values())
    text = core + size["numpy"] + size["npo-tutorial"]
    loaded = [round(sizes / 1e6) for sizes in (text, text + size["matplotlib"], core + sum(size.values()))]
    named = [int(number) for number in re.findall(r"(\d+) MB", section(edition))]
    assert named[:3] == loaded, f"book/{edition}/how-to-run.md: the sizes in MB are {loaded}"
    version = yaml.safe_load((ROOT / "book/in_page/files.yml").read_text("utf-8"))["pyodide"]["version"]
    lock = json.loads((ROOT / f"_build/pyodide/pyodide-{version}/pyodide-lock.json").read_text("utf-8"))
    versions = {"Python": lock["info"]["python"]}
    for name in ("NumPy", "SciPy", "Matplotlib", "scikit-learn"):
        versions[name] = lock["packages"][name.lower()]["version"]
    for name, full in versions.items():
        short = ".".join(full.split(".")[:2])
        assert f"{name} {short}" in section(edition), f"book/{edition}/how-to-run.md: {name} is {short}"


@pytest.mark.nightly
@pytest.mark.xdist_group("in_page")
def test_the_zip_of_the_site_has_no_python(python_site):
    (path,) = python_site.glob("*.zip")
    assert not [name for name in ZipFile(path).namelist() if "/python/" in name]

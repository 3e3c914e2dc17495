"""The page "Projects, licences, accessibility": what it says of licences, tests and versions is what is here."""

import json
import re
from importlib.metadata import distribution
from pathlib import PurePath

import pytest
import yaml
from booksite.finish.assets import SCRIPTS, SHEETS
from fontTools.ttLib import TTFont

import npo_tutorial
from tests.book.pages import CONFIG, EDITIONS, source
from tests.conftest import ROOT

# nearly all of these bring files that pages load
EXTENSIONS = {re.sub(r"^sphinx\.ext\..*", "sphinx", name) for name in CONFIG["sphinx"]["config"]["extensions"]}
OTHERS = sorted(EXTENSIONS - {"booksite"} | {"pydata_sphinx_theme"})
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
KATEX = ROOT / "book/_ext/booksite/katex"
LEVELS = {"easy": "容易", "easy to medium": "容易到中等", "medium": "中等", "hard": "较难"}
LEVELS |= {"hard; a gpu helps": "较难，最好有 GPU"}


def rows(edition):
    """First cell of a row of the tables of licences → last cell."""
    section = source(edition, "about").partition(f"({edition}-sec-licences)=")[2].partition("\n(")[0]
    cells = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return {row[0]: row[-1] for row in cells}


def licence(name):
    """What the text of a package's licence is; without a text, what its metadata say."""
    package = distribution(name)
    texts = [" ".join(file.read_text("utf-8").split()) for file in package.files if re.match(r"LICEN[SC]E", file.name)]
    if not texts:
        return package.metadata["License-Expression"]
    if "Permission is hereby granted, free of charge" in texts[0]:
        return "MIT"
    assert "Redistribution and use in source and binary forms" in texts[0], f"{name} has a licence of another kind"
    return "BSD-3-Clause" if re.search("Neither the names? of", texts[0]) else "BSD-2-Clause"


def brought(name):
    """The files that pages load and that a package brings."""
    # Sphinx makes a file of a template, and MyST-NB names a sheet after its content
    found = {file.name.removesuffix("_t").removesuffix(".jinja") for file in distribution(name).files}
    return {asset for asset in SHEETS + SCRIPTS if PurePath(asset).name.replace(".*", "") in found}


def test_the_pages_load_no_file_of_a_package_that_is_not_listed():
    own = {path.name for folder in ("book", "npo_tutorial") for path in (ROOT / folder).rglob("*.*s")}
    # Pygments writes it, with the colours of the theme
    expected = {asset for asset in SHEETS + SCRIPTS if PurePath(asset).name not in own} - {"pygments.css"}
    found = set().union(*map(brought, OTHERS))
    assert found >= expected, f"of which package are these files? {expected - found}"


@pytest.mark.parametrize("edition", EDITIONS)
def test_every_package_in_the_pages_is_listed_with_its_licence(edition):
    named = {re.match(r"`([\w-]+)`", row)[1]: said for row, said in rows(edition).items() if row.startswith("`")}
    expected = {name.replace("_", "-"): licence(name) for name in OTHERS if brought(name)}
    expected |= {"pagefind": licence("pagefind"), "katex": "MIT"}
    found = {name: re.match(r"[\w-]+", said)[0] for name, said in named.items()}
    assert found == expected, (
        f"book/{edition}/about.md: its table of licences must have a row for each package that brings files of the "
        f"pages, with its licence; these differ: {sorted(found.items() ^ expected.items())}"
    )


def test_katex_and_its_fonts_have_the_licences_that_the_page_names():
    assert (KATEX / "LICENSE").read_text("utf-8").startswith("The MIT License")
    for path in (KATEX / "fonts").iterdir():
        assert str(TTFont(path)["name"].getDebugName(14)).endswith("//scripts.sil.org/OFL"), path.name
    for edition in EDITIONS:
        said = rows(edition)["`katex`"]
        assert "SIL OFL 1.1" in said, f"book/{edition}/about.md: the fonts of KaTeX have the SIL OFL 1.1, not {said}"


@pytest.mark.parametrize("edition", EDITIONS)
def test_what_packages_bring_from_others_is_named(site, edition):
    banners = "".join((site / f"_static/{name}").read_text("utf-8") for name in ("joined.css", "joined.js"))
    banners += (site / "_static/clipboard.min.js").read_text("utf-8")
    names = set(re.findall(r"/\*!\n \* ([A-Z][a-z]+(?: [A-Z][a-z]+)*|clipboard\.js)\b", banners))
    assert names >= {"Bootstrap", "Font Awesome Free", "clipboard.js"}
    for name in names:
        assert any(name in row for row in rows(edition)), f"book/{edition}/about.md must have the licence of {name}"


@pytest.mark.parametrize("edition", EDITIONS)
def test_data_are_where_the_page_says_under_the_licence_it_names(edition):
    table = {row: said for row, said in rows(edition).items() if not row.startswith("`")}
    text, where = source(edition, "about"), f"book/{edition}/about.md"
    for folder in ("language/data/world", "language/data", "results"):
        is_there = (ROOT / "npo_tutorial" / folder).is_dir()
        assert f"`{folder}`" in text and is_there, f"{where}: data are in the package's folder `{folder}`"
    world = ROOT / "npo_tutorial/language/data/world"
    assert "CC BY 4.0" in (world / "LICENSE").read_text("utf-8")
    records = "".join(file.read_text("utf-8") for file in (world / "en").iterdir())
    people = {json.loads(line)["person"] for line in records.splitlines()}
    said = [said for row, said in table.items() if re.search(rf"\b{len(people)}\b", row)]
    assert said == ["CC BY 4.0"], (
        f"{where}: a row must say that the {len(people)} people are under CC BY 4.0, got {said}"
    )
    said = [said for row, said in table.items() if row.startswith("SmolLM2-135M-Instruct")]
    assert said == ["Apache 2.0"], f"{where}: a row must say that SmolLM2 is under Apache 2.0, got {said}"
    templates = (ROOT / "tests/chat_templates/LICENSE").read_text("utf-8")
    assert re.search(r"Apache License\s+Version 2\.0", templates)
    assert "`tests/chat_templates`" in text, f"{where} must have the licence of `tests/chat_templates`, Apache 2.0"


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_version_to_cite_is_that_of_the_package(edition):
    text = source(edition, "about")
    fields = dict(re.findall(r"^  (\w+) += \{(.*?)\},?\n(?=  \w|\})", text, re.M | re.S))
    fields["title"], fields["author"] = " ".join(fields["title"].split()), fields["author"].strip("{}")
    version = npo_tutorial.__version__
    assert CITATION["version"] == version, f"CITATION.cff must have the version of npo_tutorial/__init__.py, {version}"
    author, year = CITATION["authors"][0]["name"], str(CITATION["date-released"])[:4]
    expected = {"title": CITATION["title"], "version": version, "year": year, "author": author}
    assert {name: fields.get(name) for name in expected} == expected, (
        f"book/{edition}/about.md must cite what CITATION.cff has: {expected}"
    )


def test_both_editions_have_the_same_projects_of_the_same_levels():
    found = {
        "en": re.findall(r"^\d+\. \*.+?[.?]\* ([^.]+)\.", source("en", "about"), re.M),
        "zh": re.findall(r"^\d+\. \*\*.+?\*\*。([^。]+)。", source("zh", "about"), re.M),
    }
    assert len(found["en"]) == 10, "both first pages say that there are ten projects: change all or nothing"
    assert [LEVELS[level.lower()] for level in found["en"]] == found["zh"], (
        "a project must have the same place and level in both about.md"
    )

"""`LICENCES.txt`: every file that the site contains of others has its licence there, with its text."""

import re
import shutil
from importlib.metadata import distribution

import pytest

from book import licences
from tests.book.pages import EDITIONS, parse, source
from tests.conftest import ROOT

HEADINGS = {heading.partition(" ")[0]: text for heading, text in licences.texts().items()}
OWN = {path.name for folder in ("book", "npo_tutorial") for path in (ROOT / folder).rglob("*.*")}
# made by the site: its script and style, the states of demos, and what search finds
MADE = re.compile(r"_static/(joined|without-scripts|widgets/)|pagefind/(?:shared|words|titles)")
# by which package, where it is not a file of that package
MADE_BY = {"_static/pygments.css": "pygments", "pagefind/": "pagefind", "_static/katex/": "katex"}


def brought(name):
    """The file names of a package; Sphinx makes a file of a template, and MyST-NB names a sheet after its content."""
    names = {file.name.removesuffix("_t").removesuffix(".jinja") for file in distribution(name).files}
    return names | {"mystnb.*.css"} if name == "myst-nb" else names


def owner(place, packages):
    """To whom a file of the site belongs: "" for our own."""
    if MADE.match(place) or place.rpartition("/")[2] in OWN - {"katex.min.css", "LICENSE"}:
        return ""
    for start, name in MADE_BY.items():
        if place.startswith(start):
            return name
    name = re.sub(r"^mystnb\.\w+\.css$", "mystnb.*.css", place.rpartition("/")[2])
    return next((package for package, files in packages.items() if name in files), f"unknown: {place}")


def test_every_file_of_others_has_its_licence(site):
    packages = {name: brought(name) for name in licences.PACKAGES}
    places = [
        path.relative_to(site).as_posix() for top in ("_static", "pagefind") for path in (site / top).rglob("*.*")
    ]
    owners = {owner(place, packages) for place in places} - {""}
    assert owners >= {"sphinx", "sphinx-book-theme", "pydata-sphinx-theme", "katex", "pagefind"}
    assert owners <= set(HEADINGS), "name the package in PACKAGES of book/licences.py, or put its text into its folder"


def test_every_package_that_a_page_about_licences_names_is_there():
    for edition in EDITIONS:
        section = source(edition, "about").partition(f"({edition}-sec-licences)=")[2].partition("\n(")[0]
        missing = set(re.findall(r"^\| `([\w-]+)` \|", section, re.M)) - set(HEADINGS)
        assert not missing, f"name in PACKAGES of book/licences.py what book/{edition}/about.md lists: {missing}"


def test_a_file_of_an_unknown_package_is_found():
    assert owner("_static/new.js", {"sphinx": {"basic.css"}}) == "unknown: _static/new.js"


def test_what_packages_bring_from_others_is_there(site):
    banners = "".join((site / f"_static/{name}").read_text("utf-8") for name in ("joined.css", "clipboard.min.js"))
    names = set(re.findall(r"/\*!\n \* ([A-Z][a-z]+(?: [A-Z][a-z]+)*|clipboard\.js)\b", banners))
    named = {name.removesuffix(" Free").removesuffix(".js").lower().replace(" ", "-") for name in names}
    assert named >= {"bootstrap", "font-awesome", "clipboard"}
    missing = (named | {"popper", "reveal.js"}) - set(HEADINGS)
    assert not missing, f"put the licences of what packages bring into book/licence-texts: {missing}"


@pytest.mark.parametrize("heading", HEADINGS)
def test_each_is_a_whole_text(heading):
    words = "Permission is hereby granted|Redistribution and use in source and binary forms|PERMISSION & CONDITIONS"
    assert re.search(words, HEADINGS[heading])
    assert re.search(r"copyright\b.*\w", HEADINGS[heading], re.IGNORECASE)


def test_the_page_links_to_the_file(site, tmp_path):
    for edition in EDITIONS:
        (tmp_path / f"book/{edition}").mkdir(parents=True)
        shutil.copy(site / f"book/{edition}/about.html", tmp_path / f"book/{edition}")
    licences.write(tmp_path)
    before = {edition: (tmp_path / f"book/{edition}/about.html").read_bytes() for edition in EDITIONS}
    for edition, page in before.items():
        (link,) = parse(tmp_path / f"book/{edition}/about.html").select('a[href$="LICENCES.txt"]')
        assert (tmp_path / f"book/{edition}" / link["href"]).resolve() == tmp_path / "LICENCES.txt"
        assert b"python/LICENCES.txt" in page
    text = (tmp_path / "LICENCES.txt").read_text("utf-8")
    assert all(each.strip() in text for each in HEADINGS.values())
    licences.write(tmp_path)
    assert {edition: (tmp_path / f"book/{edition}/about.html").read_bytes() for edition in EDITIONS} == before

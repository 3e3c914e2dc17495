"""The EPUB of an edition: complete, valid, and offered by its first page."""

import re
import shutil
import subprocess
from xml.etree import ElementTree
from zipfile import ZIP_STORED, ZipFile, is_zipfile

import pytest
from bs4 import BeautifulSoup

from book import epub
from tests.book.pages import BASE, EDITIONS, article, parse

XHTML, MATH, OPF = (
    f"{{http://www.{place}}}" for place in ("w3.org/1999/xhtml", "w3.org/1998/Math/MathML", "idpf.org/2007/opf")
)
DC = "{http://purl.org/dc/elements/1.1/}"


def letters(text):
    return re.sub(r"\W+", "", text)


class Book:
    def __init__(self, key, site, folder):
        self.key, self.site, self.edition = key, site, epub.SETTINGS.edition_of(f"{key}/")
        self.path = folder / epub.file_name(self.edition)
        epub.write(site, self.edition, self.path)
        with ZipFile(self.path) as archive:
            self.entries = archive.infolist()
            self.files = {entry.filename.removeprefix("EPUB/"): archive.read(entry) for entry in self.entries}
        self.pages = {
            name: ElementTree.fromstring(text) for name, text in self.files.items() if name.endswith(".xhtml")
        }
        self.package = ElementTree.fromstring(self.files["package.opf"])

    def articles(self):
        """Each page of the edition with its part of the site."""
        for name, page in self.pages.items():
            stem = name.removesuffix(".xhtml")
            if (self.site / f"book/{self.key}/{stem}.html").is_file():
                yield stem, page, article(self.site, self.key, stem)


@pytest.fixture(scope="module", params=[pytest.param(key, marks=pytest.mark.nightly) for key in EDITIONS])
def book(request, site, tmp_path_factory):
    return Book(request.param, site, tmp_path_factory.mktemp("epub"))


@pytest.fixture(scope="module")
def checker():
    """The command of epubcheck; Debian's is a JAR that only some systems can start by its name."""
    found = shutil.which("epubcheck")
    if found is None:
        pytest.skip("no epubcheck on this machine (Debian: apt-get install epubcheck)")
    return ["java", "-jar", found] if is_zipfile(found) else [found]


def test_epubcheck_finds_nothing(book, checker):
    done = subprocess.run([*checker, book.path], capture_output=True, encoding="utf-8", errors="replace")
    assert done.returncode == 0 and "0 fatals / 0 errors / 0 warnings" in done.stdout + done.stderr, done.stdout[-3000:]


def test_it_begins_with_what_a_reader_looks_for_and_the_same_site_makes_the_same_bytes(book, tmp_path):
    first = book.entries[0]
    assert (first.filename, first.compress_type) == ("mimetype", ZIP_STORED)
    assert book.files["mimetype"] == b"application/epub+zip"
    epub.write(book.site, book.edition, tmp_path / "again.epub")
    assert (tmp_path / "again.epub").read_bytes() == book.path.read_bytes()


def test_it_says_what_it_is_and_for_whom_it_works(book):
    said = {name: book.package.findtext(f".//{DC}{name}") for name in ("identifier", "title", "language", "creator")}
    assert said == {
        "identifier": f"{BASE}book/{book.key}/index.html",
        "title": book.edition.title,
        "language": EDITIONS[book.key],
        "creator": book.edition.author,
    }
    told = {}
    for meta in book.package.iter(f"{OPF}meta"):
        told.setdefault(meta.get("property").removeprefix("schema:"), []).append(meta.text)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT00:00:00Z", told["dcterms:modified"][0])
    assert told["accessMode"] == ["textual", "visual"] and "textual" in told["accessModeSufficient"]
    assert {"alternativeText", "MathML", "tableOfContents"} <= set(told["accessibilityFeature"])
    assert told["accessibilityHazard"] == ["none"] and "MathML" in told["accessibilitySummary"][0]
    # the cover: upright, as shelves show it
    (cover,) = (item for item in book.package.iter(f"{OPF}item") if item.get("properties") == "cover-image")
    picture = book.files[cover.get("href")]
    width, height = (int.from_bytes(picture[at : at + 4], "big") for at in (16, 20))
    assert picture.startswith(b"\x89PNG") and (width, height) == (1600, 2560)


def test_its_contents_are_those_of_the_sidebar_with_the_sections_of_each_page(book):
    links = parse(book.site / f"book/{book.key}/index.html").select("#pst-primary-sidebar .bd-links a")
    nav = book.pages["nav.xhtml"].find(f".//{XHTML}nav")
    listed = [(a.get("href"), "".join(a.itertext())) for a in nav.iter(f"{XHTML}a")]
    assert [letters(text) for href, text in listed if "#" not in href] == [letters(a.get_text()) for a in links]
    spine = [item.get("idref") for item in book.package.iter(f"{OPF}itemref")]
    assert spine == ["title", "nav", *(f"page-{href.removesuffix('.xhtml')}" for href, _ in listed if "#" not in href)]
    for stem, _, part in book.articles():
        wanted = [heading.parent["id"] for heading in part.select("section > section > h2")]
        assert [href.partition("#")[2] for href, _ in listed if href.startswith(f"{stem}.xhtml#")] == wanted
    assert not [text for _, text in listed if text != text.strip() or "#" in text or "\\" in text]


def test_every_formula_is_there_with_its_tex(book):
    count = 0
    for stem, page, part in book.articles():
        wanted = [" ".join(formula.annotation.get_text().split()) for formula in part.select("math")]
        found = list(page.iter(f"{MATH}math"))
        assert [formula.get("alttext") for formula in found] == wanted, stem
        assert not list(page.iter(f"{MATH}annotation")) and all(len(formula) for formula in found)
        count += len(found)
    assert count > 1000


GONE = ".embed *, .live, .start, [class^=site-], .fold-all *, .fold-rest *"


def words(element):
    """The text of an element of the EPUB without its formulas."""
    if element.tag != f"{MATH}math":
        yield element.text or ""
        for child in element:
            yield from words(child)
            yield child.tail or ""


def test_the_text_is_that_of_the_page(book):
    """Every paragraph, solution, table, output and caption, except those that only a website can keep."""
    for stem, page, part in book.articles():
        whole, gone = letters("".join(words(page))), set(map(id, part.select(GONE)))
        for piece in part.select("p, figcaption, .cell_output pre, td, th, summary"):
            if id(piece) not in gone:
                text = "".join(text for text in piece.strings if not text.find_parent(class_=["katex", "headerlink"]))
                assert letters(text) in whole, f"{stem}: {text[:100]}"


def test_every_picture_is_there_and_described(book):
    shown = 0
    for stem, page, part in book.articles():
        images = list(page.iter(f"{XHTML}img"))
        assert [image.get("alt") for image in images] == [image["alt"] for image in part.select("img")], stem
        for image in images:
            assert image.get("alt").strip() and image.get("src") in book.files, f"{stem}: {image.get('src')}"
        shown += len(images)
        demos = [box for box in page.iter(f"{XHTML}div") if "widget-stand-in" in box.get("class", "")]
        assert len(demos) == len(part.select(".widget-stand-in"))
        # where each of them moves
        for link in (box.findall(f".//{XHTML}a")[-1] for box in demos):
            address, _, section = link.get("href").partition("#")
            assert address == f"{BASE}book/{book.key}/{stem}.html" and part.select(f"[id='{section}'] .widget-stand-in")
            assert link.text == {"en": "Try this demo on the website", "zh": "到网站上操作这个演示"}[book.key]
    assert shown > 40


def test_links_stay_within_it_or_lead_to_the_published_site(book):
    ids = {name: {tag.get("id") for tag in page.iter() if tag.get("id")} for name, page in book.pages.items()}
    elsewhere = {f"{BASE}book/{book.key}/{name.removesuffix('.xhtml')}.html" for name in book.pages}
    within = 0
    for name, page in book.pages.items():
        for link in page.iter(f"{XHTML}a"):
            if re.match("https?://|mailto:", link.get("href")):
                # its own address is on the title page, and demos move on their pages
                own = f"{BASE}book/{book.key}/{name.removesuffix('.xhtml')}.html"
                address = link.get("href").partition("#")[0]
                assert name == "title.xhtml" or address == own or address not in elsewhere, link.get("href")
                continue
            file, _, fragment = link.get("href").partition("#")
            assert (file or name) in ids and (not fragment or fragment in ids[file or name]), link.get("href")
            within += 1
    assert within > 300


def test_code_that_only_draws_is_left_out_as_in_print(book):
    whole = "".join("".join(page.itertext()) for page in book.pages.values())
    assert "# drawing" not in whole
    part = article(book.site, book.key, "npo")
    assert part.select(".fold-rest") and "npo_loss(" in "".join(book.pages["npo.xhtml"].itertext())


# what is below the zip on a first page: nothing; the PDF; the PDF, and the quiz before an earlier EPUB
@pytest.mark.parametrize("below", [[], ["pdf"], ["pdf", "quiz", "epub"]], ids=str)
@pytest.mark.parametrize("key", EDITIONS)
def test_the_first_page_offers_it_once_below_the_pdf(key, below, tmp_path):
    edition = epub.SETTINGS.edition_of(f"{key}/")
    home = tmp_path / f"book/{key}/index.html"
    home.parent.mkdir(parents=True)
    offers = "".join(f'<p class="site-{form}">…</p>\n' for form in ["archive", *below])
    home.write_text(f"<section>{offers}</section>", "utf-8")
    for _ in range(2):
        epub.offer(tmp_path, edition)
        found = BeautifulSoup(home.read_text("utf-8"), "html.parser").select("section > p")
        others = [form for form in below if form not in ("pdf", "epub")]
        expected = ["archive", *below[:1], "epub", *others]
        assert [offer["class"] for offer in found] == [[f"site-{form}"] for form in expected]
    (link,) = found[expected.index("epub")].select("a[download]")
    assert (home.parent / link["href"]).resolve() == tmp_path / f"npo-tutorial-{key}.epub"

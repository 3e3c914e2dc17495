"""Paper: a page as a reader prints it (test_pages measures every page), and the PDF of each edition."""

import re
import unicodedata
from copy import copy
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pypdfium2
import pytest
from pypdf import PdfReader

from book import pdf
from tests.book.pages import BASE, EDITIONS, article, editions, parse
from tests.browser.visit import PRINT_ALL, scripts_ready
from tests.conftest import nightly

# a book takes minutes to print: one worker should do it once
pytestmark = pytest.mark.xdist_group("paper")


def letters(text):
    """Text without characters that a line break may add or remove, in normalised form."""
    return re.sub(r"[\s\u200b\ufffe]", "", unicodedata.normalize("NFKC", text))


def texts(printed):
    """The text of each page of a PDF."""
    return [page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(printed)]


@pytest.mark.parametrize("everything", [True, False])
def test_a_page_prints_light_and_what_is_open_and_is_unchanged_afterwards(browser, site, server, everything):
    page = browser.new_page(color_scheme="dark")
    page.goto(server + "book/en/npo.html")
    scripts_ready(page)
    page.evaluate("""() => {
      addEventListener("beforeprint", () => { window.theme = document.documentElement.dataset.theme; });
    }""")
    if everything:
        page.evaluate("window.print = () => {}; " + PRINT_ALL)
    sheets = texts(page.pdf())
    assert page.evaluate("window.theme") == "light"
    assert page.locator("details.admonition[open]").count() == 0
    assert page.locator("html").get_attribute("data-theme") == "dark"
    whole = letters("".join(sheets))
    for solution in article(site, "en", "npo").select(".solution section"):
        assert stands_in(whole, longest(solution)) == everything
    # a closed short answer leaves no title on paper
    assert ("Shortanswer" in whole) == everything
    # neither sidebars nor buttons
    on_screen = letters(parse(site / "book/en/npo.html").get_text())
    for words in ("SearchCtrl+K", "Embed", "Reportanerror", "Alllanguages", "Therestofthecode", "@misc"):
        assert words in on_screen and words not in whole
    assert not re.search("Clickto|Comments", whole)
    # page numbers at the bottom, the citation at the end
    assert all(re.search(rf"^{number}\s*$", sheet, re.M) for number, sheet in enumerate(sheets, 1))
    assert letters(f"{BASE}book/en/npo.html") in whole
    page.close()


def filled(sheet):
    """How far down a printed page something stands, as a share of its height; its number does not count."""
    ink = np.asarray(sheet.render(scale=0.5).to_pil().convert("L")) < 200
    rows = np.flatnonzero(ink[: int(0.92 * len(ink))].any(axis=1))
    return rows[-1] / len(ink)


@pytest.mark.parametrize(
    ("edition", "name"), [("en", "npo"), *nightly(("zh", "divergence"), ("zh", "npo"), ("en", "digits"))]
)
def test_no_page_is_half_empty(browser, server, edition, name):
    page = browser.new_page()
    page.goto(f"{server}book/{edition}/{name}.html")
    scripts_ready(page)
    sheets = [filled(sheet) for sheet in pypdfium2.PdfDocument(page.pdf(prefer_css_page_size=True))]
    assert min(sheets[:-1]) > 0.5, sheets
    page.close()


def test_all_tabs_are_printed(browser, server):
    page = browser.new_page()
    page.goto(server + "book/en/how-to-run.html")
    page.emulate_media(media="print")
    panels = page.locator(".sd-tab-content")
    assert panels.count() > 2
    assert all(panels.nth(i).is_visible() for i in range(panels.count()))
    page.close()


@editions("zh")
def test_a_demo_prints_as_the_reader_left_it(browser, server, edition):
    page = browser.new_page()
    page.goto(f"{server}book/{edition}/npo.html")
    scripts_ready(page)
    page.locator(".widget-stand-in").first.scroll_into_view_if_needed()
    slider = page.locator(".npo-explorer input[type=range]").first
    slider.press("End")
    value = page.locator(".npo-explorer output").first.inner_text()
    whole = letters("".join(texts(page.pdf())))
    label = page.locator(".npo-explorer .npo-control label").first.inner_text()
    assert letters(label + value) in whole
    page.close()


def longest(tag):
    """The longest run of plain text in a part of a page."""
    plain = (text for text in tag.find_all(string=True) if not text.find_parent(class_=["math", "highlight"]))
    return max(map(letters, plain), key=len)


def stands_in(whole, text):
    """Whether a text is printed; the foot of one page and the head of the next may be in the middle of it."""
    half = len(text) // 2
    return text[:half] in whole or text[half:] in whole


class Book:
    def __init__(self, edition, path):
        self.edition = edition
        self.reader = PdfReader(path)
        self.sheets = texts(path)
        self.whole = letters("".join(self.sheets))
        self.contents = letters("".join(self.sheets[1 : self.chapters()[0][1] - 1]))

    def entries(self, items):
        return [
            (item.title, self.reader.get_destination_page_number(item) + 1)
            for item in items
            if not isinstance(item, list)
        ]

    def chapters(self):
        return self.entries(self.reader.outline)

    def sections(self):
        return [entry for item in self.reader.outline if isinstance(item, list) for entry in self.entries(item)]

    def links(self):
        for page in self.reader.pages:
            for annotation in page.get("/Annots", ()):
                yield annotation.get_object()


@pytest.fixture(scope="module", params=nightly(*EDITIONS))
def book(request, browser, site, tmp_path_factory):
    edition = pdf.SETTINGS.edition_of(f"{request.param}/")
    path = tmp_path_factory.mktemp("pdf") / pdf.file_name(edition)
    pdf.write(browser, site, edition, path)
    return Book(request.param, path)


def test_a_book_has_title_authors_and_language(book):
    edition = pdf.SETTINGS.edition_of(f"{book.edition}/")
    assert book.reader.metadata.title == edition.title
    assert book.reader.metadata.author == edition.author
    assert book.reader.trailer["/Root"]["/Lang"] == edition.tag
    assert book.reader.trailer["/Root"]["/MarkInfo"]["/Marked"]
    assert all(letters(said) in letters(book.sheets[0]) for said in (edition.title, edition.author))
    assert {tuple(round(float(side)) for side in page.mediabox[2:]) for page in book.reader.pages} == {(595, 842)}
    assert len(book.sheets) > 200


def test_its_text_has_characters_and_not_the_radicals_that_look_like_them(book):
    # extracted by glyphs, as most viewers do; every tenth page
    text = "".join(page.extract_text() for page in book.reader.pages[::10])
    assert not re.findall("[\u2e80-\u2fdf]", text)
    # the English book has a few Chinese sentences too, in the API reference
    if book.edition == "zh":
        assert "长" in text and "大" in text


def test_its_chapters_are_those_of_the_sidebar_in_order(book, site):
    links = parse(site / f"book/{book.edition}/index.html").select("#pst-primary-sidebar .bd-links a")
    titles, pages = zip(*book.chapters(), strict=True)
    assert [letters(title) for title in titles] == [letters(link.get_text()) for link in links]
    assert all(one < other for one, other in pairwise(pages))


def test_its_table_of_contents_is_correct(book):
    def right(title, page):
        return letters(title) in letters(book.sheets[page - 1]) and f"{letters(title)}{page}" in book.contents

    assert all(right(title, page) for title, page in book.chapters()), book.chapters()
    # a formula in a heading is at another position in the text of the page
    wrong = [entry for entry in book.sections() if not right(*entry)]
    assert len(wrong) < 0.1 * len(book.sections()) > 10, wrong


def test_its_pages_have_numbers_and_heads(book):
    for number, sheet in enumerate(book.sheets[1:], 2):
        assert re.search(rf"^{number}\s*$", sheet, re.M), number
    starts = [page for _, page in book.chapters()] + [len(book.sheets) + 1]
    for (title, start), end in zip(book.chapters(), starts[1:], strict=True):
        assert all(letters(title) in letters(sheet) for sheet in book.sheets[start - 1 : end - 1]), title


def test_its_fonts_are_embedded(book):
    fonts = {}
    for page in book.reader.pages:
        fonts |= {reference.idnum: reference.get_object() for reference in page["/Resources"]["/Font"].values()}
    for font in fonts.values():
        # fonts of type 3 draw characters as pictures
        if font["/Subtype"] != "/Type3":
            (descendant,) = font["/DescendantFonts"]
            descriptor = descendant.get_object()["/FontDescriptor"]
            assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(descriptor), font
    known = "".join(font["/ToUnicode"].get_data().decode("ascii") for font in fonts.values() if "/ToUnicode" in font)
    if book.edition == "zh":
        for sign in "负偏好优化遗忘":
            assert f"<{ord(sign):04X}>" in known.upper(), sign


def test_it_contains_all_solutions_and_the_picture_of_every_demo(book, site):
    solutions = demos = 0
    for path in sorted((site / f"book/{book.edition}").glob("*.html")):
        part = article(site, book.edition, path.stem)
        for solution in part.select(".solution section"):
            assert stands_in(book.whole, longest(solution)), f"{path.stem}: {longest(solution)}"
            solutions += 1
        for picture in part.select(".widget-stand-in img"):
            drawn = ElementTree.parse(path.parent / picture["src"]).getroot()
            labels = ["".join(text.itertext()) for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
            assert letters(max(labels, key=len)) in book.whole, f"{path.stem}: {labels}"
            demos += 1
    assert solutions > 30 and demos >= 8


def test_its_links_stay_within_it_or_lead_to_the_published_site(book):
    addresses = [link["/A"]["/URI"] for link in book.links() if "/URI" in link.get("/A", {})]
    assert not [address for address in addresses if not address.startswith(("https://", "http://"))]
    own = f"{pdf.BASE}book/{book.edition}/"
    # except its own address on the title page
    assert [address for address in addresses if address.startswith(own)] == [own + "index.html"]
    names = set(book.reader.named_destinations)
    within = [link["/Dest"] for link in book.links() if "/Dest" in link]
    assert len(within) > 300
    assert {str(name) for name in within} <= names


@pytest.mark.nightly
@editions("zh")
def test_a_book_without_solutions_has_the_exercises_and_no_solution(browser, site, edition, tmp_path):
    pdf.write_without_solutions(browser, site, pdf.SETTINGS.edition_of(f"{edition}/"), tmp_path / "less.pdf")
    less = Book(edition, tmp_path / "less.pdf")
    count = 0
    for path in sorted((site / f"book/{edition}").glob("*.html")):
        # other tests read the same page
        part = copy(article(site, edition, path.stem))
        for title in part.select(".exercise > .admonition-title"):
            assert stands_in(less.whole, longest(title)), f"{path.stem}: {longest(title)}"
        answers = part.select(".solution section, .short-answer p")
        found = [longest(answer) for answer in answers]
        for answer in answers:
            answer.clear()
        rest = letters(part.get_text())
        for words in found:
            # a short one may be elsewhere, too, and an answer may repeat words of its question
            if len(words) > 20 and words not in rest:
                assert words not in less.whole, f"{path.stem}: {words}"
                count += 1
    assert count > 30
    assert letters(less.reader.metadata.title) != letters(pdf.SETTINGS.edition_of(f"{edition}/").title)


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_first_page_offers_the_pdfs_once(site, edition, tmp_path):
    home = tmp_path / f"book/{edition}/index.html"
    home.parent.mkdir(parents=True)
    before = pdf.OFFERS.sub(r"\1", (site / f"book/{edition}/index.html").read_text("utf-8"))
    home.write_text(before, "utf-8")
    printed = pypdfium2.PdfDocument.new()
    whole, less = (pdf.file_name(pdf.SETTINGS.edition_of(f"{edition}/"), solutions) for solutions in (True, False))
    for name in (less, whole):
        printed.new_page(595, 842)
        printed.save(tmp_path / name)
    for _ in range(2):
        pdf.offer(tmp_path, pdf.SETTINGS.edition_of(f"{edition}/"))
    assert pdf.OFFERS.sub(r"\1", home.read_text("utf-8")) == before
    (offered,) = parse(home).select("p.site-pdf")
    assert [(home.parent / link["href"]).resolve().name for link in offered.select("a")] == [whole, less]
    assert re.findall(r"\d+", offered.get_text()) == ["2", "1"], "each has its own number of pages"

"""Each edition as an EPUB, made of the finished site: `_build/html/npo-tutorial-<edition>.epub`.

An EPUB is a ZIP of web pages in XML, with a list of its files (https://www.w3.org/TR/epub-33/). Each article is a page
of it and keeps its ids; formulas are the MathML that the site has for screen readers, with their TeX as alternative
text; demos are their pictures. What only a website can do is left out, and code that only draws, as in print. Then the
first page of the edition offers the EPUB. The same site makes the same bytes.
"""

import argparse
import re
import sys
from mimetypes import guess_type
from pathlib import PurePosixPath
from urllib.parse import unquote, urldefrag, urljoin
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from book.pdf import BASE, ROOT, SETTINGS, plain
from book.twins import contents, parse

TEMPLATES = Environment(
    loader=FileSystemLoader(ROOT / "book/_ext/booksite/templates/epub"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
COVER = ROOT / "book/cover.png"
LEFT_OUT = (
    "script, iframe, .katex-html, .embed, .live, .start, .sd-tab-set > input, [data-check], [class^=site-],"
    ".fold-rest, .cell_input:has(> .fold-all), .cell_input:has(> .fold-rest) .hll"
)
# the paragraphs that offer the zip of the site and the PDF, and the one that offers the EPUB
BEFORE = re.compile(r'<p class="site-archive">.*?</p>(?:\s*<p class="site-pdf">.*?</p>)?', re.S)
OFFER = re.compile(r'\s*<p class="site-epub">.*?</p>', re.S)
# Matplotlib names a file elsewhere above a drawing, and has no outline for a space: an EPUB may do neither
DOCTYPE = re.compile(rb"<!DOCTYPE[^>]*>\s*")
SPACE = re.compile(rb'(<path id="[^"]*")( transform="[^"]*"/>)')
# marks that may not end a line, and marks that may not begin one
OPENING, CLOSING = re.compile(r"[(\[‘“（《]+$"), re.compile(r"[,.;:!?)\]’”，。；：、！？）》]+")
# letters of a formula that may be wider than a phone
LONG = 26
FOLDER = "EPUB"
CONTAINER = f"""<?xml version="1.0" encoding="utf-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="{FOLDER}/package.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>
"""
# the oldest date that a ZIP can have: the date of a book is in its metadata
OLDEST = (1980, 1, 1, 0, 0, 0)


def file_name(edition):
    return f"{PurePosixPath(SETTINGS.archive).stem}-{edition.key}.epub"


def keep_with_marks(formula, soup):
    """Put a formula and the marks beside it into a box: readers would break a line between them.

    They break no formula either, so what is wider than a phone can be scrolled.
    """
    before, after = formula.previous_sibling, formula.next_sibling
    opening = isinstance(before, str) and OPENING.search(before)
    closing = isinstance(after, str) and CLOSING.match(after)
    is_long = len(formula.get_text()) > LONG
    if not opening and not closing and not is_long:
        return
    box = formula.wrap(soup.new_tag("span", attrs={"class": "unbroken math-long" if is_long else "unbroken"}))
    if opening:
        before.replace_with(before[: opening.start()])
        box.insert(0, opening[0])
    if closing:
        after.replace_with(after[closing.end() :])
        box.append(closing[0])


class Page:
    """An article of the site, at `place` there, as a file of the EPUB."""

    def __init__(self, site, place, title):
        self.place, self.title, self.id = place, title, PurePosixPath(place).stem
        self.file = f"{self.id}.xhtml"
        self.soup = soup = parse(site / place)
        self.language = soup.html["lang"]
        changed = soup.select_one(".page-footer time")
        # no date without git
        self.changed = changed["datetime"] if changed else "1980-01-01"
        self.article = soup.select_one("article.bd-article")
        for link in self.article.select(".headerlink"):
            link.decompose()
        # what the table of contents lists: it has no formulas, so their text is what the page shows
        headings = self.article.select("section > section > h2")
        self.sections = [(heading.parent["id"], plain(heading)) for heading in headings]
        for tag in self.article.select(LEFT_OUT):
            tag.decompose()
        for formula in self.article.select("math"):
            # XML makes a line break in an attribute a space
            formula["alttext"] = " ".join(formula.annotation.extract().get_text().split())
            formula.semantics.unwrap()
            formula.find_parent(class_="katex").replace_with(formula)
        for formula in self.article.select("span.math"):
            keep_with_marks(formula, soup)
        for table in self.article.select("table"):
            table.wrap(soup.new_tag("div", attrs={"class": "table"}))
        for label in self.article.select(".sd-tab-label"):
            label.name, label.attrs = "p", {"class": "sd-tab-label"}
        self.ids = {tag["id"] for tag in self.article.select("[id]")}
        self.has_formulas = self.article.math is not None

    def bind(self, pages):
        """Links to what the pages of the book have, by their places in the site, lead within it, others to the web."""
        for link in self.article.select("a[href]"):
            address = urljoin(BASE + self.place, link["href"])
            target, fragment = urldefrag(address)
            page = pages.get(target.removeprefix(BASE))
            if page and (not fragment or unquote(fragment) in page.ids):
                address = address.replace(target, page.file, 1)
            link.attrs = {"href": address}

    def lead_to_demos(self, words):
        """Below the picture of a demo, a link to where it moves."""
        for picture in self.article.select(".widget-stand-in"):
            section = picture.find_parent("section", id=True)["id"]
            paragraph = self.soup.new_tag("p")
            paragraph.append(self.soup.new_tag("a", href=f"{BASE}{self.place}#{section}", string=words["demo"]))
            picture.append(paragraph)

    def pictures(self):
        """The places of its pictures in the site, by their names in the book."""
        found = {}
        for image in self.article.select("img"):
            place = urljoin(BASE + self.place, image["src"]).removeprefix(BASE)
            image["src"] = f"images/{PurePosixPath(place).name}"
            # nothing is loaded from afar
            image.attrs.pop("loading", None)
            found[image["src"]] = place
        return found


def write(site, edition, target):
    """Write an edition of the site into the file `target`."""
    parts = [(caption, [Page(site, *row) for row in rows]) for caption, rows in contents(site, edition)]
    pages = [page for _, part in parts for page in part]
    pictures = {}
    for page in pages:
        page.bind({other.place: other for other in pages})
        page.lead_to_demos(edition.words("epub"))
        pictures |= page.pictures()
    facts = {
        "edition": edition,
        "words": {part: edition.words(part) for part in ("footer", "pdf", "epub")},
        "address": f"{BASE}{edition.home}.html",
        "changed": max(page.changed for page in pages),
        "cover_text": SETTINGS.picture["alt"],
        "parts": parts,
        "pages": pages,
        "pictures": [(name, PurePosixPath(name).stem, guess_type(name)[0]) for name in sorted(pictures)],
    }
    with ZipFile(target, "w") as book:

        def add(name, content, method=ZIP_DEFLATED):
            entry = ZipInfo(name, OLDEST)
            entry.compress_type = method
            book.writestr(entry, content)

        # a reader looks here for what the file is
        add("mimetype", "application/epub+zip", ZIP_STORED)
        add("META-INF/container.xml", CONTAINER)
        for name in ("package.opf", "title.xhtml", "nav.xhtml", "book.css"):
            own = facts | {"title": edition.title, "language": edition.tag}
            add(f"{FOLDER}/{name}", TEMPLATES.get_template(name).render(own))
        for page in pages:
            own = {"title": page.title, "language": page.language, "article": str(page.article)}
            add(f"{FOLDER}/{page.file}", TEMPLATES.get_template("page.xhtml").render(own))
        add(f"{FOLDER}/images/cover.png", COVER.read_bytes())
        for name, place in sorted(pictures.items()):
            drawing = DOCTYPE.sub(b"", (site / place).read_bytes())
            add(f"{FOLDER}/{name}", SPACE.sub(rb'\1 d=""\2', drawing))


def offer(site, edition):
    """Link the EPUB from the first page of its edition, below the zip of the site and the PDF."""
    name, place = file_name(edition), f"{edition.home}.html"
    offered = edition.words("epub")["offer"].format(address="../" * place.count("/") + name)
    html = OFFER.sub("", (site / place).read_text("utf-8"))
    html = BEFORE.sub(rf'\g<0>\n<p class="site-epub">{offered}</p>', html)
    (site / place).write_text(html, "utf-8", newline="\n")


def write_all(site):
    for edition in SETTINGS.editions:
        file = site / file_name(edition)
        write(site, edition, file)
        offer(site, edition)
        print(f"{file.name}: {file.stat().st_size / 1e6:.1f} MB")


def main():
    parser = argparse.ArgumentParser(prog="python -m book.epub", description=__doc__.split("\n")[0])
    parser.parse_args()
    site = ROOT / "_build/html"
    if not (site / "index.html").is_file():
        sys.exit("book/epub.py needs a built site in _build/html: run `jupyter-book build .` first")
    write_all(site)


if __name__ == "__main__":
    main()

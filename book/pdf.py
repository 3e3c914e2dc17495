"""Each edition as a PDF with and one without solutions, printed from the finished site.

The articles of an edition become one document, in the order of its sidebar: links between pages lead within the PDF,
and Chromium numbers its pages and heads them. It cannot tell on which page a heading will be, so it prints twice: where
the first PDF has its named destinations is what the table of contents of the second one says. Then the first page of
the edition offers both, `npo-tutorial.<edition>.pdf` and `npo-tutorial.<edition>.without-solutions.pdf` in the site's
folder; a site without PDFs has no link to them.
"""

import argparse
import json
import re
import shutil
import sys
import unicodedata
from copy import copy
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urldefrag, urljoin

import yaml
from booksite.settings import Settings
from bs4 import BeautifulSoup
from jinja2 import Environment
from pypdf import PdfReader, PdfWriter
from pypdf.generic import Fit

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "book/_ext/booksite/templates/pdf.html"
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
BASE = CONFIG["html"]["baseurl"]
SETTINGS = Settings.read(CONFIG["sphinx"]["config"]["booksite"])
# what only a screen can show, and where to get what the reader has
LEFT_OUT = "script, iframe, .headerlink, .embed, [class^=site-]"
SOLUTIONS = ".solution, .short-answer"
# the paragraph that offers the zip of the site, and the one that offers the PDFs
OFFERS = re.compile(r'(<p class="site-archive">.*?</p>)(\s*<p class="site-pdf">.*?</p>)?', re.S)
# a glyph and the radical that it is said to be, in a font's table of characters
RADICAL = re.compile(rb"^(<\w+> )<(2[EF][0-9A-F]{2})>$", re.M)
# those that Unicode's normal forms leave alone, after its EquivalentUnifiedIdeograph.txt
LOOKALIKES = "⺠⻁⻄⻅⻆⻉⻋⻓⻔⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻩⻬⻮⻰"
CHARACTERS = str.maketrans(LOOKALIKES, "民虎西见角贝车长门青韦页风飞食马骨鬼鱼鸟黄齐齿龙")


def file_name(edition, solutions=True):
    return f"{Path(SETTINGS.archive).stem}.{edition.key}{'' if solutions else '.without-solutions'}.pdf"


class Page:
    """A page of the site as a part of the book: its ids begin with its name, its pictures have absolute addresses."""

    def __init__(self, path, title):
        self.title = title
        # as CSS and JSON write a string
        self.quoted_title = json.dumps(title, ensure_ascii=False)
        self.address = path.as_uri()
        self.name = "-".join(path.with_suffix("").parts[-2:])
        soup = BeautifulSoup(path.read_text("utf-8"), "html.parser")
        changed = soup.select_one(".page-footer time")
        # no date without git
        self.changed = changed["datetime"] if changed else ""
        self.sheets = [urljoin(self.address, link["href"]) for link in soup.select("link[rel=stylesheet]")]
        self.article = soup.select_one("article.bd-article")
        for tag in self.article.select(LEFT_OUT):
            tag.decompose()
        for fold in self.article.select("details.admonition"):
            fold["open"] = ""
        for tag in self.article.select("[id]"):
            tag["id"] = self.id(tag["id"])
        for image in self.article.select("img"):
            image["src"] = urljoin(self.address, image["src"])
            # nearly all of a book is far from what is seen first
            image.attrs.pop("loading", None)
        self.article.attrs |= {"id": self.id(""), "lang": soup.html["lang"]}

    def id(self, fragment):
        return f"{self.name}:{fragment}"

    def sections(self):
        """Id and heading of each section that the table of contents lists."""
        return [(heading.parent["id"], heading) for heading in self.article.select("section > section > h2")]


def read(site, edition):
    """The parts of an edition: captions of its sidebar, and the pages below each."""
    start = site / f"{edition.home}.html"
    parts = []
    sidebar = BeautifulSoup(start.read_text("utf-8"), "html.parser").select_one("#pst-primary-sidebar .bd-links")
    for caption in sidebar.select(".caption"):
        links = caption.find_next_sibling("ul").select("a")
        paths = [start if link["href"] == "#" else (start.parent / link["href"]).resolve() for link in links]
        titles = [link.get_text(" ", strip=True) for link in links]
        parts.append((caption.get_text(), list(map(Page, paths, titles))))
    return parts


def write_without_solutions(browser, site, edition, target):
    """Print an edition of the site without the solutions and the short answers of its exercises."""
    parts = read(site.resolve(), edition)
    for tag in [tag for _, pages in parts for page in pages for tag in page.article.select(SOLUTIONS)]:
        tag.decompose()
    named = replace(edition, title=edition.words("pdf")["without"].format(title=edition.title))
    write(browser, site, named, target, parts)


def bind(pages, site):
    """A link to a page of the book leads within the book, any other one to the published site or elsewhere."""
    inside = {page.address: page for page in pages}
    ids = {tag["id"] for page in pages for tag in [page.article, *page.article.select("[id]")]}
    for page in pages:
        for link in page.article.select("a[href]"):
            target = urljoin(page.address, link["href"])
            address, fragment = urldefrag(target)
            if address in inside and inside[address].id(unquote(fragment)) in ids:
                link["href"] = "#" + inside[address].id(unquote(fragment))
            else:
                link["href"] = target.replace(site.as_uri() + "/", BASE)


def plain(heading):
    """Text of a heading, where a formula is once in MathML and once for the eye."""
    heading = copy(heading)
    for formula in heading.select(".katex-mathml"):
        formula.decompose()
    return " ".join(heading.get_text().replace("\u200b", "").split())


def outline(writer, reader, pages):
    """What a viewer shows beside the pages. Chromium's own loses the space where a heading breaks into lines."""
    places = reader.named_destinations

    def entry(title, id, parent=None):
        place = places[f"/{id}"]
        number, fit = reader.get_destination_page_number(place), Fit.xyz(left=place.left, top=place.top)
        return writer.add_outline_item(title=title, page_number=number, parent=parent, fit=fit)

    for page in pages:
        chapter = entry(page.title, page.id(""))
        for id, heading in page.sections():
            entry(plain(heading), id, chapter)


def spell(writer):
    """Chromium maps some Han characters to look-alike radicals; readers who search have to find the words."""
    for page in writer.pages:
        fonts = page["/Resources"].get("/Font", {})
        for font in (fonts[name].get_object() for name in fonts):
            table = font["/ToUnicode"].get_object()
            table.set_data(RADICAL.sub(everyday, table.get_data()))


def everyday(glyph):
    """An entry of a font's table with the character in everyday use in place of a radical."""
    character = unicodedata.normalize("NFKC", chr(int(glyph[2], 16))).translate(CHARACTERS)
    return b"%s<%04X>" % (glyph[1], ord(character))


def write(browser, site, edition, target, parts=None):
    """Print an edition of the site, or some parts of it, into the file `target`."""
    site = site.resolve()
    parts = parts or read(site, edition)
    pages = [page for _, part in parts for page in part]
    bind(pages, site)
    template = Environment(autoescape=True).from_string(TEMPLATE.read_text("utf-8"))
    facts = {
        "edition": edition,
        "words": {part: edition.words(part) for part in ("footer", "pdf")},
        "address": f"{BASE}{edition.home}.html",
        "changed": max(page.changed for page in pages),
        "cover": (site / SETTINGS.picture["path"]).as_uri(),
        "cover_text": SETTINGS.picture["alt"],
        "sheets": dict.fromkeys(sheet for page in pages for sheet in page.sheets),
        "parts": parts,
    }
    numbers = {}
    tab = browser.new_page()
    with TemporaryDirectory() as folder:
        file = Path(folder, "book.html")
        for _ in range(2):
            file.write_text(template.render(facts, numbers=numbers), "utf-8")
            tab.goto(file.as_uri(), timeout=120_000)
            reader = PdfReader(BytesIO(tab.pdf(prefer_css_page_size=True, print_background=True, tagged=True)))
            places = reader.named_destinations.items()
            numbers = {name.removeprefix("/"): reader.get_destination_page_number(place) + 1 for name, place in places}
    tab.close()
    writer = PdfWriter(clone_from=reader)
    outline(writer, reader, pages)
    spell(writer)
    writer.add_metadata({"/Author": edition.author})
    writer.write(target)


def offer(site, edition):
    """Link the PDFs from the first page of their edition, below the zip of the site."""
    place, facts = f"{edition.home}.html", {}
    for key, name in {"whole": file_name(edition), "less": file_name(edition, solutions=False)}.items():
        facts[key] = "../" * place.count("/") + name
        facts[f"{key}_pages"] = len(PdfReader(site / name).pages)
    offered = edition.words("pdf")["offer"].format(**facts)
    html = OFFERS.sub(rf'\1\n<p class="site-pdf">{offered}</p>', (site / place).read_text("utf-8"))
    (site / place).write_text(html, "utf-8", newline="\n")


def find_chromium():
    """Path of a Chromium, as tests find it."""
    found = filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    return next(found, None) or sys.exit("printing needs Chromium (Debian: apt-get install chromium)")


def main():
    parser = argparse.ArgumentParser(prog="python book/pdf.py", description=__doc__.split("\n")[0])
    parser.parse_args()
    # the tests bring a browser of their own
    from playwright.sync_api import sync_playwright

    site = ROOT / "_build/html"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium())
        for edition in SETTINGS.editions:
            files = [site / file_name(edition), site / file_name(edition, solutions=False)]
            write(browser, site, edition, files[0])
            write_without_solutions(browser, site, edition, files[1])
            offer(site, edition)
            for file in files:
                print(f"{file.name}: {file.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

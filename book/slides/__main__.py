"""Makes the slides of the eight lectures: `python book/slides` adds the folder `slides/` to a built site.

A file `lecture-….md` is one lecture in both editions, side by side: the title of a slide, its minutes and what it
shows, its lines, and for the lecturer notes and what to write on the board. Statements, figures, demos, cells, tables,
questions and computed numbers come from the chapters of the built site, by their labels: nothing is typed twice.
Each lecture becomes a deck, which reveal.js shows, and a page of notes with its minutes and the board. Then the plan of
the lectures links to them. `python book/in_page` does this for what is published.
"""

import argparse
import posixpath
import re
import sys
from copy import copy
from functools import cache
from html import escape
from pathlib import Path
from urllib.parse import urljoin

import yaml
from bs4 import BeautifulSoup
from jinja2 import Environment, FileSystemLoader, StrictUndefined

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "book/_ext"))

from booksite.document.formulas import render  # noqa: E402
from booksite.finish.policy import CHARSET, policy  # noqa: E402

EDITIONS = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))["sphinx"]["config"]["booksite"]["editions"]
WORDS = yaml.safe_load((HERE / "words.yml").read_text("utf-8"))
SOURCES = sorted(HERE.glob("lecture-*.md"))
FILES = (HERE / "deck.js", HERE / "deck.css", HERE / "reveal/reveal.js", HERE / "reveal/reveal.css")
MOUNT = ROOT / "npo_tutorial/explore/mount.js"
# the page that has the plan of the lectures, and the label of its section
PLAN = ("how-to-run", "sec-lectures")
GLUED = re.compile(r"\{glue:text\}`([^:`]+)[^`]*`")
MATH = re.compile(r"\$([^$]+)\$")
# what a line may have besides formulas: the name of a number or of a place in a chapter, emphasis, code
MARKS = re.compile(r"\{([\w.+-]+)\}|\*([^*]+)\*|`([^`]+)`")
PLACES = ("def-", "prop-", "thm-", "lem-", "eq-", "fig-", "sec-", "ex-")
# the links to the slides of an earlier run
LINKS = re.compile(r'\s*<span class="site-slides">.*?</span>', re.S)

# `3 min: fig-models (wide)`, where what is shown may be missing; a long table can be shown in parts: `(rows 1-5)`
HEAD = re.compile(r"(\d+) min(?:: (.+?))?(?: \((?:(wide|tall|columns)|rows (\d+)-(\d+))\))?$")


def read(path):
    """A lecture as its file describes it; a text has one value for each edition, separated by ‖."""

    def texts(line):
        parts = [part.strip() for part in line.split("‖")]
        return dict(zip(("en", "zh"), parts, strict=True))

    deck = {"name": path.stem, "slides": []}
    for line in filter(None, path.read_text("utf-8").splitlines()):
        mark, _, rest = line.partition(" ")
        if mark == "#":
            deck["title"] = texts(rest)
        elif mark == "chapters:":
            deck["chapters"] = rest.split()
        elif mark == "##":
            deck["slides"].append({"title": texts(rest), "lines": []})
        elif match := HEAD.match(line):
            minutes, shown, layout, *rows = match.groups()
            deck["slides"][-1] |= {"minutes": int(minutes), "from": shown, "layout": layout, "rows": rows}
        elif mark == "-":
            deck["slides"][-1]["lines"].append(texts(rest))
        elif mark in ("Notes:", "Board:"):
            deck["slides"][-1][mark[:-1].lower()] = texts(rest)
        else:
            raise ValueError(
                f"{path.name} has a line that is none of a title, minutes, a line, notes or the board: {line}"
            )
    return deck


class Chapter:
    """A page of the built site: what its labels name, and its computed numbers, as the page shows them."""

    def __init__(self, site, edition, name):
        self.edition, self.name, self.address = edition, name, f"../../book/{edition}/{name}.html"
        page = BeautifulSoup((site / f"book/{edition}/{name}.html").read_text("utf-8"), "html.parser")
        self.article, self.states = page.select_one("article.bd-article"), page.select("script[data-models]")
        # a page does not name its numbers, but they come in the order of its source
        names = GLUED.findall((ROOT / f"book/{edition}/{name}.md").read_text("utf-8"))
        self.numbers = dict(reversed([*zip(names, self.article.select(".pasted-text"), strict=True)]))

    def place(self, label):
        tag = self.article.find(id=f"{self.edition}-{label}") or self.article.find(
            id=f"equation-{self.edition}-{label}"
        )
        return tag.find_parent("section") if tag and label.startswith("sec-") else tag

    def box(self, kind, text):
        """A part of the page without a label: the one with this text, or among the questions that of this number."""
        if kind == "quick":
            return self.article.select("div.quick")[int(text) - 1]
        if kind == "aims":
            return self.article.select_one("div.tip.admonition > ul")
        if kind == "summary":
            (heading,) = [tag for tag in self.article.select("h2") if re.search("Summary|小结", tag.get_text())]
            return heading.find_next("ul")
        selector = {"table": "table", "demo": "div.cell", "cell": "div.cell", "output": "div.cell"}[kind]
        # the editions share their cells, but not their tables
        wanted = text if kind == "table" else re.escape(f"demos.{text}()" if kind == "demo" else text)
        found = [tag for tag in self.article.select(selector) if re.search(wanted, tag.get_text())]
        if len(found) != 1:
            raise LookupError(f"{kind} {text!r} must be once in {self.address}, found {len(found)} times")
        return found[0].select_one(".cell_output") if kind in ("demo", "output") else found[0]


class Deck:
    """A lecture in one edition."""

    def __init__(self, site, edition, source):
        self.edition, self.name = edition, source["name"]
        self.chapters = [chapter(site, edition, each) for each in source["chapters"]]
        self.title, self.slides, self.states, self.minutes = self.line(source["title"]), [], {}, 0
        for given in source["slides"]:
            slide = {key: self.line(given[key]) if key in given else "" for key in ("title", "notes", "board")}
            slide |= {"lines": [self.line(line) for line in given["lines"]], "start": self.minutes}
            slide["shown"], slide["kind"] = self.shown(given["from"], given["rows"]) if given["from"] else ("", "words")
            self.slides.append(slide | {key: given[key] for key in ("minutes", "layout")})
            self.minutes += given["minutes"]

    def line(self, text):
        """The HTML of a title, a line or a note."""
        parts = MATH.split(text[self.edition])
        return "".join(f'<span class="math">{render(part, False)}</span>' if i % 2 else self.words(part)
                       for i, part in enumerate(parts))  # fmt: skip

    def words(self, text):
        def mark(match):
            name, emphasis, code = match.groups()
            return self.named(name) if name else f"<em>{emphasis}</em>" if emphasis else f"<code>{code}</code>"

        return MARKS.sub(mark, escape(text.replace("'", "’"), quote=False))

    def named(self, name):
        for chapter in self.chapters:
            if name in chapter.numbers:
                return f'<span class="pasted-text">{chapter.numbers[name].decode_contents()}</span>'
            if name.startswith(PLACES) and (tag := chapter.place(name)):
                return f'<a href="{chapter.address}#{tag["id"]}">{called(tag)}</a>'
        raise LookupError(f"{self.name}: no chapter of this lecture has a number or a place {name!r}")

    def shown(self, wanted, rows):
        """What a slide shows of a chapter, with the addresses of the deck, and of which kind it is."""
        kind, _, text = wanted.partition(" ")
        if text:
            name, _, text = text.partition(" ")
            (chapter,) = [each for each in self.chapters if each.name == name]
            tag = chapter.box(kind, text)
        else:
            found = [(each, tag) for each in self.chapters if (tag := each.place(wanted))]
            if not found:
                raise LookupError(f"{self.name}: no chapter of this lecture has {wanted!r}")
            (chapter, tag), kind = found[0], wanted.partition("-")[0]
        # a cell says how its output is set
        classes = " ".join(tag.parent["class"]) if kind == "output" else "piece"
        tag = copy(tag)
        if rows[0]:
            first, last = map(int, rows)
            for number, row in enumerate(tag.select("tbody tr"), 1):
                if not first <= number <= last:
                    row.decompose()
        if kind == "demo":
            model = re.search(r'"model_id": "(\w+)"', tag.decode())[1]
            for state in chapter.states:
                if model in state["data-models"].split():
                    # several demos share what all have in common
                    self.states.setdefault(state["data-src"], []).append(model)
        return f'<div class="{classes}">{clean(tag, chapter.address)}</div>', kind


def clean(tag, address):
    """A part of a page for another page: nothing that is only for its own page, and links that lead back to it."""
    # a solution comes with its exercise only in the chapter
    for part in tag.select(".headerlink, .short-answer, .fold-all, .fold-rest, .embed"):
        part.decompose()
    for part in tag.find_all("section"):
        # to reveal.js it would be a slide
        part.name = "div"
    for part in [tag, *tag.find_all(True)]:
        part.attrs.pop("loading", None)
        # no two slides share an id
        part.attrs.pop("id", None)
        if "class" in part.attrs:
            part["class"] = [each for each in part["class"] if not each.startswith("distant")]
        if part.name == "a" and "href" in part.attrs:
            part["href"] = seen_from(address, part["href"])
    return tag.decode()


def seen_from(address, link):
    """A link of the page at a relative address, as it must be outside that page."""
    # urljoin would drop the dots with which the address begins
    here = "http://x/a/b/c/d/"
    target = urljoin(urljoin(here, address), link)
    if not target.startswith("http://x/"):
        return link
    path, hash, fragment = target.removeprefix("http://x/").partition("#")
    return posixpath.relpath(path, "a/b/c/d") + hash + fragment


def called(tag):
    """What a sentence calls a place of a chapter: its number, or the title of a section."""
    name = copy(tag.select_one("h1, h2, h3") if tag.name == "section" else tag.select_one(".caption-number, .eqno"))
    for part in name.select(".headerlink, .section-number"):
        part.decompose()
    return name.decode_contents().strip()


@cache
def chapter(site, edition, name):
    return Chapter(site, edition, name)


def link(site, edition, decks):
    """Link the decks from the plan of the lectures, one from each of its entries."""
    page = site / f"book/{edition}/{PLAN[0]}.html"
    before, label, after = page.read_text("utf-8").partition(f'id="{edition}-{PLAN[1]}"')
    plan, end, after = after.partition("</ol>")
    items = LINKS.sub("", plan).split("</p></li>")
    if len(items) != len(decks) + 1:
        raise LookupError(f"the plan of the lectures in {page} must have {len(decks)} entries, got {len(items) - 1}")
    for i, deck in enumerate(decks):
        address = f"../../slides/{edition}/{deck.name}"
        items[i] += f' <span class="site-slides">{WORDS[edition]["offer"].format(address=address)}</span>'
    page.write_text(before + label + "</p></li>".join(items) + end + after, "utf-8", newline="\n")


def write(site):
    """Add the decks to a site, and link them; returns how many an edition has."""
    folder = site / "slides"
    folder.mkdir(exist_ok=True)
    for file in (*FILES, MOUNT):
        (folder / file.name).write_bytes(file.read_bytes())
    templates = Environment(autoescape=True, undefined=StrictUndefined, loader=FileSystemLoader(HERE), trim_blocks=True)
    for edition, facts in EDITIONS.items():
        home = site / f"{facts['home']}.html"
        sheet = re.search(r'<link [^>]*href="[^"]*_static/(joined[^"]*)"', home.read_text("utf-8"))[1]
        decks = [Deck(site, edition, read(path)) for path in SOURCES]
        for number, deck in enumerate(decks, 1):
            others = {key: other for key, other in EDITIONS.items() if key != edition}
            given = {
                "deck": deck,
                "number": number,
                "facts": facts,
                "words": WORDS[edition],
                "sheet": sheet,
                "others": others,
            }
            given |= {
                "key": edition,
                "plan": f"../../book/{edition}/{PLAN[0]}.html#{edition}-{PLAN[1]}",
                "count": len(decks),
            }
            for template, suffix in (("deck.html", ""), ("notes.html", "-notes")):
                html = templates.get_template(template).render(given)
                content = escape(policy(html, []), quote=False)
                tag = rf'\g<0>\n<meta http-equiv="Content-Security-Policy" content="{content}">'
                path = folder / edition / f"{deck.name}{suffix}.html"
                path.parent.mkdir(exist_ok=True)
                path.write_text(f"{CHARSET.sub(tag, html, count=1)}\n", "utf-8", newline="\n")
        link(site, edition, decks)
    return len(SOURCES)


def main():
    parser = argparse.ArgumentParser(prog="python book/slides", description=__doc__.split("\n")[0])
    parser.add_argument("--site", type=Path, default=ROOT / "_build/html", help="changed (default: _build/html)")
    options = parser.parse_args()
    if not (options.site / "index.html").is_file():
        parser.error(f"--site must be a built site, got {options.site}: run `jupyter-book build .` first")
    print(f"{options.site / 'slides'}: {write(options.site)} lectures in each edition")


if __name__ == "__main__":
    main()

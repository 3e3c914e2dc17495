"""Makes the chapters' quick questions into a quiz: `python book/quiz` adds the folder `quiz/` to a site.

`quiz/<edition>.html` asks them one at a time, `quiz/<edition>-clicker.html` shows them as slides to vote on in class,
and `quiz/<edition>.xml` brings them into Moodle's question bank. All are read from the pages, where formulas are set
and numbers are filled in, so that no question is written twice. Then the first page of the edition links to its quiz.
`python book/in_page` does this for what is published.
"""

import argparse
import re
from copy import copy
from pathlib import Path
from urllib.parse import unquote, urldefrag
from xml.etree import ElementTree

import yaml
from bs4 import BeautifulSoup
from jinja2 import Environment, FileSystemLoader, StrictUndefined

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
EDITIONS = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))["sphinx"]["config"]["booksite"]["editions"]
WORDS = yaml.safe_load((HERE / "words.yml").read_text("utf-8"))
# the paragraphs below which the first page of an edition offers the quiz, and an earlier offer
OFFERS = re.compile(
    r'(<p class="site-archive">.*?</p>(?:\s*<p class="site-pdf">.*?</p>)?)(\s*<p class="site-quiz">.*?</p>)?', re.S
)


def read(path):
    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


def chapters(site, edition):
    """The chapters that have quick questions, in the order of the sidebar: name, address, title, and the boxes."""
    start = site / f"{EDITIONS[edition]['home']}.html"
    found = []
    for link in read(start).select("#pst-primary-sidebar .bd-links a[href$='.html']"):
        path = (start.parent / unquote(urldefrag(link["href"]).url)).resolve()
        boxes = read(path).select("article.bd-article div.quick") if path.is_relative_to(start.parent.resolve()) else []
        if boxes:
            address = f"../{path.relative_to(site.resolve()).as_posix()}#{boxes[0].find_parent('section')['id']}"
            found.append({"name": path.stem, "address": address, "title": link.get_text(" ", strip=True)})
            found[-1]["boxes"] = [clean(box, f"{path.stem}-{i}") for i, box in enumerate(boxes, 1)]
    return found


def clean(box, name):
    """A question as it is on its page, under a name that both editions share, and laid out from the start."""
    for tag in [box, *box.select("[class]")]:
        tag["class"] = [each for each in tag["class"] if not each.startswith("distant")]
    box["id"] = name
    return box


def text(tag):
    """The HTML inside a tag with its formulas in TeX, as Moodle sets them."""
    tag = copy(tag)
    for formula in tag.select(".math"):
        formula.replace_with(rf"\({formula.select_one('annotation').get_text()}\)")
    return tag.decode_contents().replace("\u200b", "").strip()


def moodle(edition, parts):
    """The questions as Moodle XML, one category for each chapter: https://docs.moodle.org/en/Moodle_XML_format."""
    quiz = ElementTree.Element("quiz")

    def add(parent, tag, content=None, **attributes):
        child = ElementTree.SubElement(parent, tag, attributes)
        if content is not None:
            ElementTree.SubElement(child, "text").text = content
        return child

    for part in parts:
        # a slash begins a category within a category, unless it is doubled
        path = [name.replace("/", "//") for name in (EDITIONS[edition]["title"], part["title"])]
        add(add(quiz, "question", type="category"), "category", "/".join(["$course$", "top", *path]))
        for number, box in enumerate(part["boxes"], 1):
            question = add(quiz, "question", type="multichoice")
            add(question, "name", f"{part['title']} · {number}")
            add(question, "questiontext", text(box.select_one(".admonition-title")), format="html")
            for tag, value in {"defaultgrade": "1", "single": "true", "shuffleanswers": "true"}.items():
                add(question, tag).text = value
            add(question, "answernumbering").text = "abc"
            for option in box.select(".option"):
                fraction = "100" if "right" in option["class"] else "0"
                answer = add(question, "answer", text(option.summary), fraction=fraction, format="html")
                add(answer, "feedback", text(option.p), format="html")
    ElementTree.indent(quiz)
    return ElementTree.tostring(quiz, "utf-8", xml_declaration=True)


def write(site):
    """Add the quiz of each edition to a site, and link it; returns how many questions an edition has."""
    folder = site / "quiz"
    folder.mkdir(exist_ok=True)
    for script in HERE.glob("*.js"):
        (folder / script.name).write_bytes(script.read_bytes())
    templates = Environment(autoescape=True, undefined=StrictUndefined, loader=FileSystemLoader(HERE))
    for edition, facts in EDITIONS.items():
        parts = chapters(site, edition)
        count = sum(len(part["boxes"]) for part in parts)
        home = site / f"{facts['home']}.html"
        sheet = read(home).select_one("link[rel=stylesheet]")["href"].rpartition("_static/")[2]
        others = {key: other for key, other in EDITIONS.items() if key != edition}
        told = {"edition": facts, "key": edition, "words": WORDS[edition], "parts": parts, "count": count}
        for name, file in {"page.html": f"{edition}.html", "clicker.html": f"{edition}-clicker.html"}.items():
            page = templates.get_template(name).render(told, sheet=sheet, others=others)
            (folder / file).write_text(f"{page}\n", "utf-8", newline="\n")
        (folder / f"{edition}.xml").write_bytes(moodle(edition, parts))
        address = "../" * facts["home"].count("/") + f"quiz/{edition}.html"
        offer = f'<p class="site-quiz">{WORDS[edition]["offer"].format(address=address, count=count)}</p>'
        home.write_text(OFFERS.sub(rf"\1\n{offer}", home.read_text("utf-8")), "utf-8", newline="\n")
    return count


def main():
    parser = argparse.ArgumentParser(prog="python book/quiz", description=__doc__.split("\n")[0])
    parser.add_argument("--site", type=Path, default=ROOT / "_build/html", help="changed (default: _build/html)")
    options = parser.parse_args()
    if not (options.site / "index.html").is_file():
        parser.error(f"--site must be a built site, got {options.site}: run `jupyter-book build .` first")
    print(f"{options.site / 'quiz'}: {write(options.site)} questions in each edition")


if __name__ == "__main__":
    main()

"""Every page once more as Markdown, for readers who hand it to an assistant, and `llms.txt`, which lists these files.

`book/en/npo.html` has its twin at `book/en/npo.html.md`, as https://llmstxt.org/ proposes. A twin is made from the
finished page, like the notebooks: every number is there, and what the cells print. An assignment's twin is made from
the notebook of its students, without solutions, and asks an assistant for hints, not answers.
"""

import argparse
import json
import re
from html import escape
from pathlib import Path
from posixpath import dirname, normpath

from booksite.notebooks.markdown import Writer, details, quote
from bs4 import BeautifulSoup

from book.pdf import BASE, ROOT, SETTINGS

# what only a page can show
LEFT_OUT = (
    "script, style, iframe, .headerlink, .katex-html, .embed, .sd-tab-set > input, .widget-stand-in img, [data-check],"
    "[class^=site-]"
)
# the entry of the download menu that the theme writes on every page, and the one that is put before it
SOURCE = re.compile(r'<li><a href="[^"]*" download\s+class="btn btn-sm btn-download-source-button')
ENTRY = """<li><a href="{file}" download
   class="btn btn-sm btn-download-twin-button dropdown-item"
   title="{tip}"
   data-bs-placement="left" data-bs-toggle="tooltip"
>
<span class="btn__icon-container">
  <i class="fas fa-file"></i>
  </span>
<span class="btn__text-container">{text}</span>
</a>
</li>
"""


class Twin(Writer):
    """Like the Markdown of a notebook, but code and what it prints are text, and so is the API's documentation."""

    def block(self, node):
        classes = node.get("class", [])
        if "cell" in classes:
            source = fence("python", node.select_one(".cell_input pre").get_text())
            shown = node.select_one(".cell_output")
            return [source, *(self.blocks(shown) if shown else [])]
        if "language-python" in classes or "highlight-python" in classes:
            return [fence("python", node.get_text())]
        if node.name == "blockquote":
            return list(quote(self.blocks(node)))
        if node.name == "dl":
            return [piece for child in node.find_all(["dt", "dd"], recursive=False) for piece in self.entry(child)]
        if node.name == "details":
            summary = node.summary.extract().get_text(" ", strip=True)
            return list(details(summary, self.blocks(node)))
        return super().block(node)

    def entry(self, node):
        if node.name == "dd":
            return self.blocks(node) or [self.inline(node)]
        if "sig" in node.get("class", []):
            return [f"#### `{' '.join(node.get_text().split())}`"]
        return [f"<strong>{self.inline(node)}</strong>"]

    def inline_of(self, node):
        if getattr(node, "name", None) in ("cite", "sup", "sub", "br", "dl"):
            return self.text(node)
        return super().inline_of(node)


def fence(language, text):
    return f"```{language}\n{text.strip()}\n```"


def contents(site, edition):
    """The sidebar of an edition: each caption, and below it the place and the title of each page."""
    home = f"{edition.home}.html"
    sidebar = parse(site / home).select_one("#pst-primary-sidebar .bd-links")
    for caption in sidebar.select(".caption"):
        links = caption.find_next_sibling("ul").select("a")
        # a page's link to itself
        places = [home if link["href"] == "#" else normpath(f"{dirname(home)}/{link['href']}") for link in links]
        yield caption.get_text(), list(zip(places, (link.get_text(" ", strip=True) for link in links), strict=True))


def parse(path):
    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


def page_twin(place, page, edition):
    """The Markdown of a page of the site, which is parsed and is changed here."""
    article = page.select_one("article.bd-article")
    for element in article.select(LEFT_OUT):
        element.decompose()
    words, own = edition.words("notebooks"), edition.words("twins")
    note = own["homework"] if place.endswith("/homework.html") else own["exercises"]
    notes = [f"> {note}"] if article.select(".exercise") or note == own["homework"] else []
    title, *blocks = Twin(BASE + place, words).blocks(article)
    return "\n\n".join([title, f"[{words['site']}]({BASE}{place})", *notes, *blocks]) + "\n"


def assignment_twin(file, edition):
    """The Markdown of an assignment, from its students' notebook."""
    cells = json.loads(file.read_text("utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells]
    title, *texts = (
        fence("python", source) if cell["cell_type"] == "code" else source
        for cell, source in zip(cells, sources, strict=True)
    )
    return "\n\n".join([title, f"> {edition.words('twins')['homework']}", *texts]) + "\n"


def offer(html, place, edition):
    """The page with its twin in the download menu, above its source."""
    if 'class="btn btn-sm btn-download-twin-button' in html:
        return html
    words = {name: escape(edition.words("twins")[name]) for name in ("tip", "text")}
    entry = ENTRY.format(file=f"{Path(place).name}.md", **words)
    return SOURCE.sub(lambda found: entry + found[0], html, count=1)


def write(site):
    """Write the twins and `llms.txt` into a built site, and offer the twins; returns the twins' places."""
    first = next(edition for edition in SETTINGS.editions if edition.key == SETTINGS.default_edition)
    lines, written = [f"# {first.title}", "", f"> {first.description}", "", first.words("twins")["about"], ""], set()

    def add(place, title, description, text):
        lines.append(f"- [{title}]({BASE}{place}.md): {description}")
        (site / f"{place}.md").write_text(text, "utf-8", newline="\n")
        written.add(f"{place}.md")

    for edition in SETTINGS.editions:
        for caption, pages in contents(site, edition):
            lines += [f"## {edition.name}: {caption}", ""]
            for place, title in pages:
                page = parse(site / place)
                description = page.select_one("meta[name=description]")["content"]
                add(place, title, description, page_twin(place, page, SETTINGS.language_of(place)))
                html = (site / place).read_text("utf-8")
                html = offer(html, place, SETTINGS.language_of(place))
                (site / place).write_text(html, "utf-8", newline="\n")
            lines.append("")
        lines += [f"## {edition.name}: {edition.words('twins')['assignments']}", ""]
        for file in sorted((site / "homework" / edition.key).glob("*.ipynb")):
            text = assignment_twin(file, edition)
            title = text.partition("\n")[0].removeprefix("# ")
            add(file.relative_to(site).as_posix(), title, edition.words("twins")["homework"], text)
        lines.append("")
    (site / "llms.txt").write_text("\n".join(lines), "utf-8", newline="\n")
    return written


def main():
    parser = argparse.ArgumentParser(prog="python -m book.twins", description=__doc__.split("\n")[0])
    parser.parse_args()
    written = write(ROOT / "_build/html")
    print(f"llms.txt and {len(written)} pages as Markdown")


if __name__ == "__main__":
    main()

"""Puts Python into the pages of a built site: the parts into `python/`, the script into each page that has cells."""

import json
import re
from html import escape

from fetch import HERE, sha256
from homework import add_fields, read_assignments, write_pages

FOLDER = "python"
STATIC = HERE / "static"
NOTEBOOK = re.compile(r'href="([^"]*notebooks/[^"]+\.ipynb)"')


def publish(site):
    """Add script and sheet to every page with cells; returns how many those are."""
    folder, pages = site / FOLDER, 0
    # what a page's cells need or cost, by name of the page and index of the cell
    marks = json.loads((HERE / "marks.json").read_text("utf-8"))
    words = json.loads((STATIC / "words.json").read_text("utf-8"))
    for file in STATIC.iterdir():
        if file.suffix != ".json":
            (folder / file.name).write_bytes(file.read_bytes())
    stamp = sha256(b"".join(path.read_bytes() for path in sorted(STATIC.iterdir())))[:8]
    assignments = read_assignments()
    notebooks = write_pages(site, assignments)
    parts = json.loads((folder / "parts.json").read_text("utf-8"))
    # what the first line of text needs
    first = [*parts["core"].values(), parts["parts"]["numpy"], parts["parts"]["npo-tutorial"]]
    megabytes = round(sum(file["bytes"] for file in first) / 1e6)
    for page in sorted(site.glob("book/*/*.html")):
        html = page.read_text("utf-8")
        found = NOTEBOOK.search(html)
        if "cell_input" in html and (notebook := notebooks.get(page) or (found and found[1])):
            up = "../" * len(page.relative_to(site).parents[1:])
            facts = {
                "notebook": notebook,
                "megabytes": str(megabytes),
                "words": json.dumps(words[page.parent.name], ensure_ascii=False),
                "marks": json.dumps(marks.get(page.stem, {})),
            }
            told = "".join(f' data-{name}="{escape(value)}"' for name, value in facts.items())
            sheet = f'\n<link rel="stylesheet" href="{up}{FOLDER}/page.css?v={stamp}">'
            script = f'\n<script defer src="{up}{FOLDER}/page.js?v={stamp}"{told}></script>'
            pages += 1
            html = add_fields(html, page.relative_to(site), assignments)
            html = html.replace("</head>", f"{sheet}{script}\n</head>", 1)
        page.write_text(html, "utf-8", newline="\n")
    return pages

"""Puts Python into the pages of a built site: the parts into `python/`, the script into each page that has cells."""

import json
import re
from html import escape, unescape

from fetch import HERE, Missing, sha256
from homework import add_fields, read_assignments, write_pages

FOLDER = "python"
STATIC = HERE / "static"
# the cells that need what no browser has, or that take long: `python -m tests.benchmarks.in_page --write` finds them
MARKS = HERE / "marks.json"
CELL = re.compile(r'(<div class="cell_input [^>]*)(>.*?<pre>(.*?)</pre>)', re.S)
TAG = re.compile(r"<[^>]*>")
# the menu of the places where the page's code runs, and its entry for the page itself
MENU = re.compile(r'<div class="dropdown dropdown-launch">.*?<ul class="dropdown-menu">', re.S)
HERE_ENTRY = """
<li><a href="#run-here" class="btn btn-sm dropdown-item" title="{here_tip}">
<span class="btn__icon-container"></span>
<span class="btn__text-container">{here}</span>
</a></li>"""


def key_of(code):
    """The key of a cell: when its code changes, so does the key."""
    return sha256(code.strip().encode())[:12]


def mark_cells(html, marks):
    """Write into each cell that has a mark what it needs or costs; returns the page and the keys of the cells."""
    found = set()

    def mark(cell):
        found.add(key := key_of(unescape(TAG.sub("", cell[3]))))
        told = f' data-mark="{escape(json.dumps(marks[key]))}"' if key in marks else ""
        return f"{cell[1]}{told}{cell[2]}"

    return CELL.sub(mark, html), found


def offer_run(html, words):
    """Make the page itself the first place in the menu, which leads to the first cell."""
    entry = HERE_ENTRY.format(here=escape(words["here"]), here_tip=escape(words["here_tip"]))
    html = MENU.sub(lambda menu: menu[0] + entry, html, count=1)
    return html.replace('<div class="cell_input ', '<div id="run-here" class="cell_input ', 1)


def publish(site):
    """Add script and sheet to every page with cells; returns how many those are."""
    folder, pages = site / FOLDER, 0
    marks = json.loads(MARKS.read_text("utf-8"))
    unknown = set(marks)
    words = json.loads((STATIC / "words.json").read_text("utf-8"))
    for file in STATIC.iterdir():
        if file.suffix != ".json":
            (folder / file.name).write_bytes(file.read_bytes())
    # one request for both
    (folder / "page.js").write_bytes((folder / "editor.js").read_bytes() + (STATIC / "page.js").read_bytes())
    (folder / "editor.js").unlink()
    loaded = [*sorted(STATIC.iterdir()), folder / "parts.json"]
    stamp = sha256(b"".join(path.read_bytes() for path in loaded))[:8]
    assignments = read_assignments()
    notebooks = write_pages(site, assignments)
    parts = json.loads((folder / "parts.json").read_text("utf-8"))
    # what the first line of text needs
    first = [*parts["core"].values(), parts["parts"]["numpy"], parts["parts"]["npo-tutorial"]]
    megabytes = round(sum(file["bytes"] for file in first) / 1e6)
    for page in sorted(site.glob("book/*/*.html")):
        html = page.read_text("utf-8")
        own = f"notebooks/{page.parent.name}/{page.stem}.ipynb"
        notebook = notebooks.get(page) or ((site / own).is_file() and f"../../{own}")
        if "cell_input" in html and notebook:
            up = "../" * len(page.relative_to(site).parents[1:])
            facts = {
                "notebook": notebook,
                "megabytes": str(megabytes),
                "words": json.dumps(words[page.parent.name], ensure_ascii=False),
            }
            told = "".join(f' data-{name}="{escape(value)}"' for name, value in facts.items())
            sheet = f'\n<link rel="stylesheet" href="{up}{FOLDER}/page.css?v={stamp}">'
            script = f'\n<script defer src="{up}{FOLDER}/page.js?v={stamp}"{told}></script>'
            pages += 1
            html, keys = mark_cells(html, marks)
            unknown -= keys
            html = add_fields(html, page.relative_to(site), assignments)
            html = offer_run(html, words[page.parent.name])
            html = html.replace("</head>", f"{sheet}{script}\n</head>", 1)
        page.write_text(html, "utf-8", newline="\n")
    if unknown:
        where = ", ".join(sorted({marks[key]["page"] for key in unknown}))
        raise Missing(f"{MARKS.name} marks cells that have changed or gone, in {where}: see CONTRIBUTING")
    return pages

"""Pages on which an assignment is done: each question with its text, a field for the answer, and its check.

They are made from the same sources as the notebooks, in the frame of the page "Homework", and exist only where Python
runs in the page.
"""

import sys
from html import escape

from bs4 import BeautifulSoup
from fetch import HERE
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "book/_ext")]

from booksite.document.formulas import render  # noqa: E402

from npo_tutorial.homework import assignments  # noqa: E402

# the third needs PyTorch, and has its notebook only
DONE_HERE = ("losses", "dynamics")
CELL = """<div class="cell docutils container"{marks}><div class="cell_input docutils container">
<div class="highlight-ipython3 notranslate"><div class="highlight"><pre>{code}
</pre></div></div></div></div>"""


# of the contents on the right
ENTRY = '<li class="toc-h2 nav-item toc-entry"><a class="reference internal nav-link" href="#{}">{}</a></li>'


def formula(tokens, number, *rest):
    tex, is_block = tokens[number].content, tokens[number].type == "math_block"
    html = render(tex, is_block)
    if not is_block:
        return f'<span class="math">{html}</span>'
    return f'<div class="math math-display"><div class="math-scroll">{html}</div></div>'


MARKDOWN = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin)
MARKDOWN.renderer.rules |= {"math_inline": formula, "math_block": formula}


def cell(code, **marks):
    named = "".join(f' data-{name}="{escape(value)}"' for name, value in marks.items())
    return CELL.format(code=escape(code, quote=False), marks=named)


def article(parts, language):
    for part in parts:
        if isinstance(part, assignments.Text):
            if part.language == language:
                yield MARKDOWN.render(part.source)
        elif isinstance(part, assignments.Code):
            yield cell(part.source)
        else:
            solution = assignments.MARKER.sub("", part.answer)
            solution = "\n".join(line for line in solution.splitlines() if line.strip())
            stub = assignments.SOLUTION.sub(assignments.STUB, part.answer)
            yield cell(stub, check=part.check, solution=solution)


def write_pages(site):
    """`book/<edition>/homework-<assignment>.html`; returns their paths, each with that of its notebook."""
    written = {}
    for edition in ("en", "zh"):
        frame = (site / f"book/{edition}/homework.html").read_text("utf-8")
        for name in DONE_HERE:
            parts = assignments.read_assignment(ROOT / f"book/homework/{name}.md")
            page = BeautifulSoup(frame, "html.parser")
            own = BeautifulSoup("\n".join(article(parts, edition)), "html.parser")
            title = own.h1.get_text()
            page.title.string = f"{title} — {page.title.get_text().partition(' — ')[2]}"
            for tag in page.select('link[rel="canonical"], link[rel="alternate"], meta[property^="og:"]'):
                tag.decompose()
            for number, heading in enumerate(own.find_all("h2"), 1):
                heading["id"] = f"question-{number}"
            for contents in page.select("nav.page-toc > ul"):
                contents.clear()
                for heading in own.find_all("h2"):
                    contents.append(
                        BeautifulSoup(ENTRY.format(heading["id"], escape(heading.get_text())), "html.parser")
                    )
            page.head.append(page.new_tag("meta", attrs={"name": "robots", "content": "noindex"}))
            place = page.select_one("article.bd-article")
            place.clear()
            place.append(own)
            path = site / f"book/{edition}/homework-{name}.html"
            path.write_text(str(page), "utf-8", newline="\n")
            written[path] = f"../../homework/{edition}/{name}.ipynb"
            link_to(site / f"book/{edition}/homework.html", name, path.name, edition)
    return written


def link_to(page, name, file, edition):
    """In the table of assignments, beside the notebook."""
    words = {"en": "in the page", "zh": "在网页里做"}[edition]
    html, link = page.read_text("utf-8"), f'<a class="run-here" href="{file}">{words}</a> · '
    notebook = f'<a href="../../homework/{edition}/{name}.ipynb"'
    if link not in html:
        page.write_text(html.replace(notebook, link + notebook, 1), "utf-8", newline="\n")

"""Questions whose answers are checked in the page: those of the assignments, and those that an exercise names.

An assignment's page is made from the same source as its notebooks, in the frame of the page "Homework". All of this
exists only where Python runs in the page.
"""

import re
import sys
from html import escape

from bs4 import BeautifulSoup
from fetch import HERE, Missing
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "book/_ext")]

from booksite.document.formulas import render  # noqa: E402

from npo_tutorial.homework import assignments  # noqa: E402

CELL = """<div class="cell docutils container"{marks}><div class="cell_input docutils container">
<div class="highlight-ipython3 notranslate"><div class="highlight"><pre>{code}
</pre></div></div></div></div>"""
# what the directive `exercise` leaves where its answer belongs
PLACE = re.compile(r'<div data-check="([^"]*)"></div>')
TORCH = re.compile(r"^ *(?:import|from) torch\b", re.M)

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


def code_of(part):
    return part.answer if isinstance(part, assignments.Question) else getattr(part, "source", "")


def read_assignments():
    """Name → parts, of all assignments that a browser can run: one with PyTorch has its notebook only."""
    found = {path.stem: assignments.read_assignment(path) for path in sorted((ROOT / "book/homework").glob("*.md"))}
    return {name: parts for name, parts in found.items() if not any(TORCH.search(code_of(part)) for part in parts)}


def question(part, first="", **marks):
    """The field for an answer. Its check and its solution lie in the page; the solution is shown when it is due."""
    solution = assignments.MARKER.sub("", part.answer)
    solution = "\n".join(line for line in solution.splitlines() if line.strip())
    stub = assignments.SOLUTION.sub(assignments.STUB, part.answer)
    return cell(first + stub, check=part.check, solution=solution, **marks)


def add_fields(html, page, found):
    """Put the field for its answer into every exercise that names a question."""
    questions = {}
    for parts in found.values():
        code = "\n".join(part.source for part in parts if isinstance(part, assignments.Code))
        # an answer in a chapter stands by itself: it brings its imports, no other cell runs before it or sees its names
        first = "".join(f"{line}\n" for line in re.findall(r"^import .*", code, re.M)) + "\n\n"
        questions |= {part.name: (part, first) for part in parts if isinstance(part, assignments.Question)}

    def field(place):
        if place[1] not in questions:
            known = ", ".join(sorted(questions))
            raise Missing(f"{page}: :check: must name a question of book/homework ({known}), got {place[1]}")
        return question(*questions[place[1]], alone="")

    return PLACE.sub(field, html)


def article(parts, language):
    for part in parts:
        if isinstance(part, assignments.Text):
            if part.language == language:
                yield MARKDOWN.render(part.source)
        elif isinstance(part, assignments.Code):
            yield cell(part.source)
        else:
            yield question(part)


def write_pages(site, found):
    """`book/<edition>/homework-<assignment>.html`; returns their paths, each with that of its notebook."""
    written = {}
    for edition in ("en", "zh"):
        frame = (site / f"book/{edition}/homework.html").read_text("utf-8")
        for name, parts in found.items():
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

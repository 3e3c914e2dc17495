"""Writes `LICENCES.txt` into a built site: the licences of what the pages contain of others.

An installed package brings its text. `book/licence-texts` has those of works that come inside another package, or in
one that has no text; the names of its files are the headings. The packages in `python/` have a list of their own, made
by `book/in_page`.
"""

import re
from importlib.metadata import distribution

from book.pdf import ROOT

# those of which the site contains scripts, styles, pictures or translations
PACKAGES = (
    "sphinx",
    "sphinx-book-theme",
    "pydata-sphinx-theme",
    "sphinx-copybutton",
    "sphinx-design",
    "sphinx-exercise",
    "sphinx-proof",
    "myst-nb",
    "pygments",
    "accessible-pygments",
)
TEXT = re.compile(r"LICEN[SC]E(\.\w+)?", re.IGNORECASE)
FILES = {
    "katex": ROOT / "book/_ext/booksite/katex/LICENSE",
    "reveal.js": ROOT / "book/slides/reveal/LICENSE",
    **{path.stem: path for path in sorted((ROOT / "book/licence-texts").glob("*.txt"))},
}
NAME = "LICENCES.txt"
# how a page names the file, and the link of an earlier run
NAMED = re.compile(rf'(?:<a href="[^"]*{NAME}">)?(<code [^>]*><span class="pre">{NAME}</span></code>)(?:</a>)?')


def texts():
    """Heading → text of a licence."""
    found = {}
    for name in PACKAGES:
        package = distribution(name)
        # some have an older and a newer place for the same text
        (text,) = {
            file.read_text("utf-8") for file in package.files if TEXT.fullmatch(file.name) and ".dist-info" in str(file)
        }
        found[f"{name} {package.version}"] = text
    return found | {name: path.read_text("utf-8") for name, path in FILES.items()}


def write(site):
    """Write the file, and link it from the pages that tell of the licences."""
    parts = (f"{'=' * 80}\n{heading}\n\n{text.strip()}\n" for heading, text in texts().items())
    (site / NAME).write_text("\n".join(parts), "utf-8", newline="\n")
    for page in site.glob("book/*/about.html"):
        html = NAMED.sub(rf'<a href="../../{NAME}">\1</a>', page.read_text("utf-8"))
        page.write_text(html, "utf-8", newline="\n")

"""Search in the language of a page, by Pagefind, behind the theme's own box.

When a build has ended, every chapter is cut into pieces (see `search_pieces`) and Pagefind makes an index of them, one
for each language. A shared page is in the index of every edition; the door is in none, and what Sphinx does not make
from a source (404, concept map, demos by themselves) is not either. Sphinx's own search, which finds no Chinese words,
is neither made nor linked.

Where a Chinese word ends, no two programs agree, and Pagefind asks one for the index and another for the query. So each
Han character is a word here, and `static/search.js` asks for phrases of them. The plain build of Pagefind suffices.
"""

import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
from html import escape
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from sphinx.util import logging

from booksite.editions import edition_of, editions, language_of
from booksite.finish import search_pieces
from booksite.finish.search_pieces import pieces
from booksite.language.catalogues import OWN

FOLDER = "pagefind"
# made by Sphinx for its own search, by this build or one before
SPHINX = ("search.html", "searchindex.js", "_static/searchtools.js", "_static/language_data.js")
# boxes that Pagefind brings, and what its script does without
UNUSED = ("*-ui.*", "pagefind-highlight.js", "pagefind-worker.js")
HAN = re.compile("([\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])")
# code is repeated from chapter to chapter, and a word of it says less than a word of the text
CODE_WEIGHT = 0.2
# what Pagefind writes before the JSON of a piece
SIGNATURE = b"pagefind_dcd"
log = logging.getLogger(__name__)


def apart(text):
    """Every Han character by itself."""
    return " ".join(HAN.sub(r" \1 ", text).split())


def document(piece, tag):
    """A piece as a page for Pagefind. Its title comes first, where a word weighs most."""
    title, text, code = (escape(apart(words)) for words in (piece.title, piece.text, piece.code))
    return (
        f'<html lang="{tag}"><body><h1>{title}</h1><p>{text}</p>'
        f'<p data-pagefind-weight="{CODE_WEIGHT}">{code}</p></body></html>'
    )


def articles(app):
    """What the authors wrote, by the address of its page."""
    for docname in sorted(app.env.found_docs - {app.config.root_doc}):
        html = Path(app.outdir, app.builder.get_target_uri(docname)).read_text("utf-8")
        yield docname, html[html.index("<article") : html.rindex("</article>")]


def write_documents(app, folder):
    """A file for each piece and language, from whose name the script can tell the address; titles of piece and page."""
    titles = {}
    for docname, html in articles(app):
        found, own = pieces(html), edition_of(app, docname)
        for edition in [own] if own else editions(app):
            place = Path(edition.key, app.builder.get_target_uri(docname))
            Path(folder, place).mkdir(parents=True)
            for number, piece in enumerate(found):
                name = place / f"{number}-{piece.anchor}.html"
                Path(folder, name).write_text(document(piece, edition.tag), "utf-8")
                # the piece that is the page itself has no need to name it
                titles[f"/{name.as_posix()}"] = [piece.title, found[0].title if number else ""]
    return titles


def write_titles(folder, titles):
    """The titles in each language by Pagefind's names of the pieces, so that the script can put them first."""
    by_language = {}
    for path in sorted((folder / "fragment").iterdir()):
        piece = json.loads(gzip.decompress(path.read_bytes()).removeprefix(SIGNATURE))
        by_language.setdefault(path.stem.rpartition("_")[0], {})[path.stem] = titles[piece["url"]]
    for language, own in by_language.items():
        text = json.dumps(own, ensure_ascii=False, separators=(",", ":"))
        (folder / f"titles.{language}.json").write_text(text, "utf-8")


def digest(app):
    """A hash of all that the index is made of and by."""
    made = hashlib.sha256(version("pagefind").encode())
    for file in (__file__, search_pieces.__file__):
        made.update(Path(file).read_bytes())
    for docname, html in articles(app):
        made.update(f"\0{docname}\0{html}".encode())
    return made.hexdigest()


def write_index(app, exception):
    if exception or app.builder.format != "html":
        return
    out, stamp, wanted = Path(app.outdir), Path(app.doctreedir, "search-index"), digest(app)
    for name in SPHINX:
        Path(out, name).unlink(missing_ok=True)
    target = out / FOLDER
    if (target / "pagefind-entry.json").is_file() and stamp.is_file() and stamp.read_text() == wanted:
        return
    stamp.unlink(missing_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    with TemporaryDirectory() as folder:
        titles = write_documents(app, folder)
        command = [sys.executable, "-m", "pagefind", "--quiet", "--site", folder, "--output-path", str(target)]
        made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode or not (target / "pagefind-entry.json").is_file():
        log.warning("search: Pagefind made no index:\n%s%s", made.stdout, made.stderr)
        return
    write_titles(target, titles)
    for pattern in UNUSED:
        for path in target.glob(pattern):
            path.unlink()
    stamp.write_text(wanted)


def leave_out_sphinx(app):
    app.builder.search = False


def offer(app, pagename, templatename, context, doctree):
    context["search_words"] = OWN[language_of(app, pagename).locale]["search"]


def setup(app):
    app.add_js_file("search.js")
    app.connect("builder-inited", leave_out_sphinx)
    app.connect("html-page-context", offer)
    # after all that write pages when a build has ended, before the site is packed
    app.connect("build-finished", write_index, priority=990)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

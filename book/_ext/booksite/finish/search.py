"""Search in the language of a page, by Pagefind, behind the theme's own box.

Every chapter is cut into pieces (see `search_pieces`) and Pagefind makes an index of them, one for each language. A
shared page is in every index; the door is in none, nor are the 404 page, the concept map and demos by themselves.
Sphinx's own search finds no Chinese words, and is neither made nor linked.

No two programs agree on where a Chinese word ends, and Pagefind uses one for the index and another for the query. So
each Han character is a word here, and `static/search.js` asks for phrases of them.
"""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from html import escape
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from zopfli import gzip as zopfli

from booksite.finish.search_pieces import pieces

HAN = re.compile("([\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])")
# of which Pagefind would make one word: Bradley–Terry
DASH = re.compile(r"(?<=[^\W\d])–(?=[^\W\d])")
# code is repeated from chapter to chapter, and a word of it says less than a word of the text
CODE_WEIGHT = 0.2
# a reader may mistype these
LATIN = re.compile("[a-z]{4,}")
# words of a term; each Han character counts as one
LONGEST_TERM = 7
# what Pagefind writes before the JSON of a piece
SIGNATURE = b"pagefind_dcd"


def apart(text):
    """Every Han character by itself, and every name in a pair."""
    return " ".join(DASH.sub("– ", HAN.sub(r" \1 ", text)).split())


def names(terms):
    """What is bold as a name, and not as a sentence or the start of a proof, for which readers do not search."""
    short = [term for term in terms.split(" · ") if len(apart(term).split()) <= LONGEST_TERM]
    return " · ".join(term for term in short if not term.endswith((".", "。")))


def as_document(piece, tag):
    """A piece as a page for Pagefind. Its title comes first, where a word weighs most."""
    title, text, code = (escape(apart(words)) for words in (piece.title, piece.text, piece.code))
    return f'<html lang="{tag}"><body><h1>{title}</h1><p>{text}</p><p data-pagefind-weight="{CODE_WEIGHT}">{code}</p>'


def write_documents(site, folder):
    """A file for each piece and language, from whose name the script can tell the address; and titles and terms."""
    titles = {}
    for document in (one for one in site.documents if one.name != site.root_document):
        found = pieces(site.pages[document.file])
        for edition in [document.edition] if document.edition else site.settings.editions:
            # Pagefind takes a folder called .html for a page that it cannot read yet, and tries again for a while
            place = Path(edition.key, document.file).with_suffix("")
            Path(folder, place).mkdir(parents=True)
            for number, piece in enumerate(found):
                name = place / f"{number}-{piece.anchor}.html"
                Path(folder, name).write_text(as_document(piece, edition.tag), "utf-8")
                # the piece that is the page itself need not name it; the API, which editions share, defines no terms
                page, terms = found[0].title * (number > 0), document.edition and names(piece.terms)
                titles[f"/{name.as_posix()}"] = [piece.title, page, terms]
    return titles


def write_titles(folder, titles):
    """In each language the rows of titles, start of Pagefind's name and terms by page, and Latin words by frequency.

    Titles of pages that the editions share, which are many and rarely found in Chinese, are a file by themselves.
    """
    titles_of, words = defaultdict(lambda: defaultdict(list)), defaultdict(Counter)
    stems = {path: path.stem.rsplit("_", 1) for path in sorted((folder / "fragment").iterdir())}
    # names are random and do not pack, so no more of them than tells them apart
    size = next(n for n in count(1) if len({(language, name[:n]) for language, name in stems.values()}) == len(stems))
    for path, (language, name) in stems.items():
        piece = json.loads(gzip.decompress(path.read_bytes()).removeprefix(SIGNATURE))
        title, page, terms = titles[piece["url"]]
        titles_of["shared" if terms is None else "titles", language][page].append([title, name[:size], terms])
        words[language].update(LATIN.findall(piece["content"].lower()))
    # like titles beside each other pack better
    files = {key: {page: sorted(pages[page]) for page in sorted(pages)} for key, pages in titles_of.items()}
    files |= {("words", language): [word for word, _ in counted.most_common()] for language, counted in words.items()}
    for (name, language), rows in files.items():
        text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
        (folder / f"{name}.{language}.json").write_text(text, "utf-8")


def index_for_search(site):
    target = site.root / "pagefind"
    entry = target / "pagefind-entry.json"
    shutil.rmtree(target, ignore_errors=True)
    with TemporaryDirectory() as folder:
        titles = write_documents(site, folder)
        command = [sys.executable, "-m", "pagefind", "--quiet", "--site", folder, "--output-path", str(target)]
        # its messages are UTF-8, whatever the console's encoding
        utf8 = {"encoding": "utf-8", "errors": "replace", "env": os.environ | {"PYTHONUTF8": "1"}}
        made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **utf8)
    if made.returncode or "failed to index" in made.stdout or not entry.is_file():
        return site.warn(f"search: Pagefind made no index, or not of all pages:\n{made.stdout}")
    write_titles(target, titles)
    # a third of what a first search loads, which Pagefind packs fast and not well
    for path in target.glob("wasm.*"):
        path.write_bytes(zopfli.compress(gzip.decompress(path.read_bytes())))
    # Pagefind lists the languages in any order
    entry.write_text(json.dumps(json.loads(entry.read_text("utf-8")), ensure_ascii=False, sort_keys=True), "utf-8")

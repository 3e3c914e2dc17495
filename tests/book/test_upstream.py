"""What the site's machinery assumes about other packages: after an upgrade, a failure says what no longer holds.

It also names our file that relies on it. The second part is about the workarounds: where a test fails, one may go.
"""

import gettext
import gzip
import inspect
import io
import json
import os
import re
import subprocess
import sys
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from functools import partial
from importlib.metadata import requires
from importlib.util import find_spec
from pathlib import Path

import pytest
import sphinx
import sphinx_external_toc.events
from booksite import upstream
from booksite.demos import STATE, VIEW
from booksite.document import Before, formulas
from booksite.document.text import LIKE_TEXT
from booksite.execution import notebook_of
from booksite.finish import assets, fonts, search
from booksite.language.catalogues import CATALOGUES
from booksite.page.assets import LISTED
from bs4 import BeautifulSoup
from docutils import nodes
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from nbclient import NotebookClient
from pygments.styles import get_style_by_name
from pygments.token import STANDARD_TYPES, Text
from sphinx import locale
from sphinx.addnodes import toctree
from sphinx.application import Sphinx
from sphinx.environment.collectors.toctree import TocTreeCollector
from sphinx.highlighting import PygmentsBridge
from sphinx.util.docutils import docutils_namespace, patch_docutils
from sphinx_external_toc.collectors import TocTreeCollectorWithStyles
from sphinx_external_toc.parsing import parse_toc_yaml

from tests.book.pages import CONFIG
from tests.conftest import ROOT

# the book takes seconds: one worker should build it
pytestmark = pytest.mark.xdist_group("upstream")
BOOKSITE = ROOT / "book/_ext/booksite"
TEMPLATES = BOOKSITE / "templates"
LAYOUT = (TEMPLATES / "layout.html").read_text("utf-8")


def folder_of(package):
    return Path(find_spec(package).origin).parent


PYDATA = folder_of("pydata_sphinx_theme") / "theme/pydata_sphinx_theme"
BOOK_THEME = folder_of("sphinx_book_theme") / "theme/sphinx_book_theme"
SHEET_OF_ICONS = "_static/styles/pydata-sphinx-theme.css"
BASIC = folder_of("sphinx") / "themes/basic"

INDEX = """# Book

```{toctree}
:caption: First
boxes
```

```{toctree}
:caption: Second
notebook
```
"""
BOX = """
```{{prf:theorem}} Named
Text
```

```{{exercise}} Named
:label: exercise-{0}
Text
```

```{{solution}} exercise-{0}
Text
```
"""
BOXES = f"""# Boxes
{BOX.format(1)}{BOX.format(2)}
```{{prf:proof}}
$$x = 1$$
```

```{{eval-rst}}
.. [Key] A book.
```
"""
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9pt" height="9pt"/>'
DATA = {"text/plain": "picture", "image/svg+xml": SVG, VIEW: {"model_id": "m", "version_major": 2, "version_minor": 0}}
OUTPUT = {"output_type": "display_data", "metadata": {}, "data": DATA}
CELL = {"cell_type": "code", "id": "c", "metadata": {}, "source": "f()", "execution_count": 1, "outputs": [OUTPUT]}
WIDGETS = {STATE: {"version_major": 2, "version_minor": 0, "state": {"m": {"state": {}, "model_name": "A"}}}}
NOTEBOOK = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python"}, "widgets": WIDGETS},
    "cells": [{"cell_type": "markdown", "id": "t", "metadata": {}, "source": "# Notebook"}, CELL],
}
PACKAGES = [name for name in CONFIG["sphinx"]["config"]["extensions"] if name.startswith(("sphinx_", "myst"))]
SPHINX = {
    "extensions": [name for name in PACKAGES if name != "sphinx_external_toc"],
    "html_theme": "sphinx_book_theme",
    "language": "zh_CN",
    "numfig": True,
    "nb_execution_mode": "cache",
    "nb_ipywidgets_js": {},
    "myst_enable_extensions": ["dollarmath"],
    "exercise_style": CONFIG["sphinx"]["config"]["exercise_style"],
}
LINK = {"type": "link", "url": "#", "text": "Colab", "tooltip": "Colab"}


@contextmanager
def quiet_sphinx(source, builder, **options):
    """A build that leaves nothing behind in this process, and may warn."""
    translators = dict(locale.translators)
    with docutils_namespace(), patch_docutils(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out = source / "out"
        yield Sphinx(source, None, out, out / "doctrees", builder, status=None, verbosity=0, **options)
    locale.translators.clear()
    locale.translators.update(translators)


@dataclass
class Built:
    """A book of three pages, built by the packages alone, without `booksite`."""

    app: Sphinx
    contexts: dict = field(default_factory=dict)
    # as our handlers receive them
    resolved: dict = field(default_factory=dict)
    contents: str = ""
    colours: str = ""
    changed: dict = field(default_factory=dict)

    def read(self, file):
        """A file of the site, or one with an absolute path."""
        return self.changed.get(file) or Path(self.app.outdir, file).read_text("utf-8")

    def but(self, file, old, new):
        """The same with another text in a file."""
        assert old in self.read(file)
        return replace(self, changed={file: self.read(file).replace(old, new)})

    def keep_colours(self, app, exception):
        self.colours = self.read("_static/pygments.css")

    def write_page(self, app, name, template, context, doctree):
        self.contexts[name] = context
        if doctree:
            self.resolved[name] = doctree
        whole = context["generate_toctree_html"]

        def remember(*args, **options):
            self.contents = str(whole(*args, **options))
            return self.contents

        context["generate_toctree_html"] = remember
        for group in context["header_buttons"]:
            if group["label"] == "download-buttons":
                group["buttons"].insert(0, LINK | {"icon": "_static/file.png", "label": "download-notebook-button"})


def fill_cache(app, env, docnames):
    """As `execution` does; a kernel that runs the cell all the same fails."""
    cache = get_cache(app.config.nb_execution_cache_path)
    cache.cache_notebook_bundle(CacheBundleIn(notebook_of(env, "notebook"), "notebook"), check_validity=False)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    source = tmp_path_factory.mktemp("packages")
    for name, text in {"index.md": INDEX, "boxes.md": BOXES, "notebook.ipynb": json.dumps(NOTEBOOK)}.items():
        (source / name).write_text(text, "utf-8")
    options = SPHINX | {"nb_execution_cache_path": str(source / "cache")}
    with quiet_sphinx(source, "html", confoverrides=options, warning=None) as app:
        found = Built(app)
        app.connect("env-before-read-docs", fill_cache)
        app.connect("build-finished", found.keep_colours, priority=900)
        app.connect("html-page-context", found.write_page, priority=1000)
        app.build()
        yield found


# 1 · Jupyter Book


def jupyter_books_configuration():
    from jupyter_book.config import get_final_config

    # as its command calls it; it makes room in `sys.path`
    options, paths = {"latex_individualpages": False}, list(sys.path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, _ = get_final_config(user_yaml=ROOT / "_config.yml", cli_config=options, sourcedir=ROOT)
    sys.path[:] = paths
    return found


def test_jupyter_book_still_keeps_sphinx_at_7():
    (asked,) = [line for line in requires("jupyter-book") if re.match(r"sphinx[^\w-]", line)]
    assert asked == "sphinx~=7.0", f"Jupyter Book asks for {asked}: go through this file with it, then change this test"
    assert sphinx.version_info[0] == 7, f"Jupyter Book asks for {asked}, and {sphinx.__version__} is installed"


def test_jupyter_book_loads_the_extensions_that_are_listed_and_no_others():
    loaded, listed = jupyter_books_configuration()["extensions"], CONFIG["sphinx"]["config"]["extensions"]
    assert loaded == listed, f"Jupyter Book no longer takes `extensions` of _config.yml as they are: {loaded}"


# 2 · the theme's HTML


@pytest.mark.parametrize("old", re.findall(r"replace\('([^']*)',", LAYOUT))
def test_the_theme_writes_what_the_layout_replaces(built, old):
    old = old.replace(r"\n", "\n")
    page = built.read("boxes.html")
    assert old in page, f"the theme no longer writes {old!r}: templates/layout.html replaces it"


@pytest.mark.parametrize("block", sorted(set(re.findall(r"block (\w+)", LAYOUT))))
def test_the_theme_has_the_blocks_that_the_layout_fills(built, block):
    layouts = [built.read(theme / "layout.html") for theme in (BOOK_THEME, PYDATA, BASIC)]
    assert any(re.search(rf"block {block}\b", layout) for layout in layouts), (
        f"the theme's layout has no block {block}: what templates/layout.html writes into it is on no page"
    )


@pytest.mark.parametrize(
    "name", ["toggle-primary-sidebar.html", "toggle-secondary-sidebar.html", "search-button-field.html"]
)
def test_the_theme_asks_for_the_components_that_we_replace(name):
    assert (TEMPLATES / name).is_file()
    assert any((theme / "components" / name).is_file() for theme in (BOOK_THEME, PYDATA)), (
        f"the theme has no component {name}: ours in templates/ is on no page"
    )


@pytest.mark.parametrize("told", ['"pst-search-dialog"', "form.bd-search"])
def test_the_themes_script_opens_the_box_of_the_search(built, told):
    script = built.read("_static/scripts/pydata-sphinx-theme.js")
    assert told in script, f"the theme's script does not know {told}: its keys open the box in templates/layout.html"


# 3 · the files that the theme names in its macros


def test_the_theme_calls_the_macros_that_we_replace(built):
    called = set(re.findall(r"_webpack\.(\w+)\(", built.read(PYDATA / "layout.html")))
    ours = set(re.findall(r"macro (\w+)\(", (TEMPLATES / "static/webpack-macros.html").read_text("utf-8")))
    assert called == ours, f"the theme's layout calls {called}, and templates/static/webpack-macros.html has {ours}"


def test_the_themes_macros_load_the_files_that_we_join(built):
    named = set(re.findall(r"_static/([\w./-]+)'", built.read(PYDATA / "static/webpack-macros.html")))
    listed = {"scripts/fontawesome.js", *assets.SHEETS, *assets.SCRIPTS}
    missing = named - listed
    assert named, "the theme's webpack-macros.html names its files in another way: see finish/assets.py"
    assert not missing, f"the theme loads {missing} in its webpack-macros.html: list them in assets.yml"


def test_the_packages_bring_the_files_that_are_listed(built):
    files = [
        file for kind in ("css_files", "script_files") for file in built.contexts["notebook"][kind] if file.filename
    ]
    names = {file.filename.removeprefix("_static/") for file in files}
    # of a build that is not in English
    unknown = {name for name in names if not any(fnmatch(name, listed) for listed in LISTED)} - {"translations.js"}
    assert not unknown, f"packages bring {unknown}, which are in no list of assets.yml"


def test_the_theme_writes_its_colours_of_code_before_our_last_steps(built):
    assert '[data-theme="dark"]' in built.colours, (
        "the theme writes the colours of code for dark pages after our last steps, which join the sheets: these need "
        "a later place than 900 in __init__.py"
    )


# 4 · Font Awesome


def test_the_theme_draws_icons_by_characters_of_private_use(built):
    sheet = built.read(SHEET_OF_ICONS)
    rules = re.findall(r"\.fa-[\w-]+[^{}]*\{[^{}]*:\"([^\"]+)\"", sheet)
    other = [text for text in rules if not fonts.ICON.search(text) and not re.match(r"\\[ef][0-9a-f]{3}", text)]
    # those of letters, such as the sign of the dollar, are in every font
    assert len(rules) > 1000 and len(other) < len(rules) / 20, (
        "the theme names the characters of its icons in another way: ICON in finish/fonts.py finds the characters that "
        f"the fonts of icons keep, and not {other[:3]}"
    )


def test_the_themes_sheet_names_fonts_that_we_put_into_it(built):
    named = {path.rpartition("/")[2] for path in re.findall(r"url\(([^)]+\.woff2)\)", built.read(SHEET_OF_ICONS))}
    assert named, "the theme's sheet names its fonts in another way: finish/fonts.py puts the cut ones in their place"
    missing = named - fonts.FONTS.keys()
    assert not missing, f"the theme has no fonts {missing} where finish/fonts.py reads them: see FONTS"


def test_the_theme_shows_names_and_punctuation_as_text(built):
    options = built.app.builder.theme.get_options({})
    styles = [get_style_by_name(options[f"pygments_{scheme}_style"]) for scheme in ("light", "dark")]
    looks = {kind: [style.style_for_token(kind) for style in styles] for kind in STANDARD_TYPES}
    like_text = {kind for kind in looks if looks[kind] == looks[Text]} - {Text}
    assert like_text == LIKE_TEXT, (
        f"the theme has other styles of code, and {like_text ^ LIKE_TEXT} look different: see LIKE_TEXT in "
        "document/text.py"
    )
    assert PygmentsBridge.html_formatter, "Sphinx has no PygmentsBridge.html_formatter: __init__.py replaces it"


# 5 · the sidebar


def test_the_theme_lists_the_contents_part_by_part(built):
    soup = BeautifulSoup(built.contents, "html.parser")
    parts = list(built.app.env.tocs["index"].findall(toctree))
    lists = soup.find_all("ul", recursive=False)
    assert len(lists) == len(parts) == 2, (
        "the theme no longer makes one list for each part of the contents: language/navigation.py leaves out the other "
        "edition's"
    )
    captions = [found.find_previous_sibling("p").get_text() for found in lists]
    assert captions == ["First", "Second"], "the theme no longer writes the caption of a part before it"


# 6 · MyST-NB


def test_myst_nb_finds_a_chapter_in_the_cache_that_we_fill(built):
    from myst_nb.sphinx_ import NbMetadataCollector as Notes

    ran = Notes.get_exec_data(built.app.env, "notebook")
    assert "NameError" not in built.read("notebook.html") and ran["method"] == "cache" and ran["succeeded"], (
        "MyST-NB runs a chapter that is in its cache: execution/ runs all chapters and puts them there"
    )


def bundle_of(built):
    doctree = built.app.env.get_doctree("notebook")
    return [node for node in doctree.findall(nodes.container) if node.get("nb_element") == "mime_bundle"]


def test_myst_nb_keeps_all_forms_of_an_output_until_it_selects_one(built):
    bundles = bundle_of(built)
    assert len(bundles) == 1, "MyST-NB no longer marks an output as mime_bundle: demos.py looks for scripts there"
    forms = {form.get("mime_type"): form for form in bundles[0].children}
    assert set(forms) == set(DATA), f"MyST-NB keeps {set(forms)} of an output: demos.py chooses among them"
    assert "model_id" in forms[VIEW].astext(), "MyST-NB writes no id of a widget's model: demos.py reads it"


def test_myst_nb_marks_cells(built):
    doctree = built.app.env.get_doctree("notebook")
    cells = [node for node in doctree.findall(nodes.container) if node.get("nb_element") == "cell_code"]
    assert len(cells) == 1, "MyST-NB no longer marks a cell as cell_code: page/, demos.py and notebooks/ find it"
    code = [block.astext() for block in cells[0].findall(nodes.literal_block)]
    assert code and code[0] == CELL["source"], "the first block in a cell is not its code: demos.py reads it"


def test_myst_nb_selects_a_form_after_our_first_steps():
    from myst_nb.sphinx_ import SelectMimeType

    assert SelectMimeType.default_priority > Before.default_priority, (
        "MyST-NB selects one form of an output before the first steps of document/__init__.py, which see all of them"
    )


def test_myst_nb_notes_the_state_of_widgets(built):
    from myst_nb.sphinx_ import NbMetadataCollector as Notes

    files = [given for _, given in Notes.get_js_files(built.app.env, "notebook").values() if given.get("type") == STATE]
    assert len(files) == 1, "MyST-NB no longer notes the state of widgets as a script: demos.py reads it there"
    assert json.loads(files[0]["body"])["state"].keys() == {"m"}, "MyST-NB writes the state of widgets in another form"
    Notes.set_doc_data(built.app.env, "notebook", "ours", [1])
    assert Notes.get_doc_data(built.app.env)["notebook"]["ours"] == [1], "MyST-NB forgets what demos.py notes"


def test_a_page_has_the_state_and_the_views_of_its_widgets(built):
    states = [file for file in built.contexts["notebook"]["script_files"] if file.attributes.get("type") == STATE]
    assert len(states) == 1, "MyST-NB no longer adds the state of widgets to a page's scripts: demos.py moves it"
    views = re.findall(rf'<script type="{re.escape(VIEW)}">(.*?)</script>', built.read("notebook.html"))
    assert [json.loads(view)["model_id"] for view in views] == ["m"], (
        "MyST-NB writes a widget's view in another way: demos.py finds the widgets of a page by it"
    )


# 7 · the theme's buttons


def test_the_theme_makes_a_menu_of_downloads(built):
    for group in built.contexts["boxes"]["header_buttons"]:
        if group["label"] == "download-buttons" and isinstance(group["buttons"], list):
            return
    pytest.fail("the book theme no longer labels its menu of downloads 'download-buttons': page/buttons.py adds to it")


def test_the_theme_draws_the_buttons_that_we_add(built):
    link = BeautifulSoup(built.read("boxes.html"), "html.parser").select_one("a.btn-download-notebook-button")
    assert link and link["title"] == LINK["tooltip"] and link.img, (
        "the book theme draws a button of another form than page/buttons.py gives it"
    )


HANDED = {
    "css_files": "page/assets.py",
    "docstitle": "language/navigation.py",
    "metatags": "templates/layout.html",
    "pagetitle": "templates/page-footer.html",
    "prev": "language/navigation.py",
    "script_files": "page/assets.py",
    "theme_logo_link": "language/navigation.py",
    "theme_search_bar_text": "language/catalogues.py",
}


@pytest.mark.parametrize("name", HANDED)
def test_a_page_is_handed_what_we_change(built, name):
    assert name in built.contexts["boxes"], f"a page's template is no longer handed {name}: see {HANDED[name]}"


# 8 · scripts with words


@pytest.mark.parametrize(("name", "old"), [row[:2] for row in assets.LISTS["corrected"]])
def test_a_script_says_what_we_correct(built, name, old):
    script = built.read(f"_static/{name}")
    assert script.count(old) == 1, f"{name} no longer says {old!r}: remove or rewrite its row in assets.yml"


@pytest.mark.parametrize("catalogue", CATALOGUES)
def test_the_packages_speak_the_editions_languages(catalogue):
    for edition in CONFIG["sphinx"]["config"]["booksite"]["editions"].values():
        name = edition["locale"]
        spellings = [name, name.replace("_", "-").lower(), name.split("_")[0]]
        found = []
        for place in CATALOGUES[catalogue]:
            package, _, folder = place.partition("/")
            found.append(gettext.find(catalogue, folder_of(package) / folder, spellings))
        assert name == "en" or any(found), f"{catalogue} has no catalogue for {name}: see language/catalogues.py"


# 9 · the contents; `SphinxTransform.app`, which Sphinx 9 deprecates and a review named here, is no longer used


def test_the_contents_tell_chapters_from_appendices():
    source = inspect.getsource(sphinx_external_toc.events)
    parts = parse_toc_yaml(ROOT / "_toc.yml").root.subtrees
    known = "app.env.external_site_map" in source and [part.numbered for part in parts if part.numbered is True]
    assert known, "sphinx-external-toc keeps its parts elsewhere: document/reading_times.py finds no chapters"


# 10 · what Sphinx does not promise


def test_sphinx_counts_its_warnings(built):
    assert isinstance(built.app._warncount, int), "Sphinx has no _warncount: upstream.py forgets a build with warnings"
    pickled = Path(built.app.doctreedir, "environment.pickle")
    assert pickled.is_file(), "Sphinx keeps its memory in another file: upstream.py deletes it after warnings"


def test_sphinx_looks_its_translations_up_at_each_call(built, monkeypatch):
    class Ours(gettext.NullTranslations):
        def gettext(self, message):
            return "ours"

    say = locale.get_translation("proof")
    monkeypatch.setitem(locale.translators, ("general", "proof"), Ours())
    assert say("Theorem") == "ours", "Sphinx keeps translations elsewhere: language/catalogues.py exchanges them"
    environment = built.app.builder.templates.environment
    assert hasattr(environment, "install_gettext_translations"), "templates speak in another way: the same file"


def test_sphinx_numbers_boxes_by_page_kind_and_id(built):
    numbers = built.app.env.toc_fignumbers["boxes"]
    told = "Sphinx keeps the numbers of boxes in another form: language/numbering.py counts again"
    assert numbers.keys() >= {"theorem", "exercise"}, told
    assert all(isinstance(number, tuple) for kind in numbers.values() for number in kind.values()), told
    assert built.app.env.toctree_includes["index"] == ["boxes", "notebook"], told


def test_the_contents_are_counted_in_the_method_that_we_extend(built):
    handlers = [listener.handler for listener in built.app.events.listeners["env-get-updated"]]
    counting = [handler for handler in handlers if isinstance(getattr(handler, "__self__", None), TocTreeCollector)]
    assert issubclass(TocTreeCollectorWithStyles, TocTreeCollector)
    assert [handler.__name__ for handler in counting] == ["get_updated_docs"], (
        f"{counting} count sections and figures: language/numbering.py does in get_updated_docs"
    )


def test_numbers_are_counted_anew_in_every_build(built):
    env = built.app.env
    before = env.toc_secnumbers, env.toc_fignumbers
    TocTreeCollector().get_updated_docs(built.app, env)
    assert env.toc_secnumbers is not before[0] and env.toc_fignumbers is not before[1], (
        "Sphinx corrects its numbers of the last build: language/numbering.py compares those with new ones"
    )


def test_sphinx_notes_what_pages_ask_for_and_lead_to(built):
    builder = built.app.builder
    assert builder.relations["boxes"][1:] == ["index", "notebook"], (
        "Sphinx notes the pages before and after in another form: language/navigation.py reads builder.relations"
    )
    assert all(isinstance(name, str) for name in builder.images.values()), (
        "Sphinx notes images in another form: page/images.py reads builder.images"
    )


def test_sphinx_describes_its_files_as_we_make_them(built):
    sheet, script = (built.contexts["boxes"][kind][0] for kind in ("css_files", "script_files"))
    made = type(sheet)("_static/a.css"), type(script)(None, body="run()")
    told = "Sphinx describes a page's files in another form: page/assets.py reads and makes such descriptions"
    assert made[0].filename == "_static/a.css" and made[1].filename in (None, ""), told
    assert made[1].attributes["body"] == "run()", told


# 11 · Pagefind


def test_pagefind_writes_the_files_that_the_search_reads(tmp_path):
    (tmp_path / "site").mkdir()
    page = '<html lang="zh-Hans"><body><h1>遗 忘</h1><p>遗 忘</p></body></html>'
    (tmp_path / "site/0-here.html").write_text(page, "utf-8")
    made = tmp_path / "made"
    command = [sys.executable, "-m", "pagefind", "--quiet", "--site", tmp_path / "site", "--output-path", made]
    run = subprocess.run(command, capture_output=True, encoding="utf-8", env=os.environ | {"PYTHONUTF8": "1"})
    assert run.returncode == 0, f"Pagefind no longer accepts the options that finish/search.py passes: {run.stderr}"
    assert (made / "pagefind-entry.json").is_file(), "Pagefind writes no pagefind-entry.json: finish/search.py"
    (piece,) = (made / "fragment").iterdir()
    language = piece.stem.rpartition("_")[0]
    assert language == "zh-hans", f"Pagefind names a piece {piece.name}: finish/search.py reads its language there"
    text = gzip.decompress(piece.read_bytes())
    assert text.startswith(search.SIGNATURE), "Pagefind writes another signature: see SIGNATURE in finish/search.py"
    piece = json.loads(text.removeprefix(search.SIGNATURE))
    assert piece["url"] == "/0-here.html" and "content" in piece, "Pagefind writes pieces in another form"
    script = (made / "pagefind.js").read_text("utf-8")
    for name in ("createInstance", "noWorker", "score"):
        assert name in script, f"Pagefind's script has no {name}, which static/search.js uses"


# Which workarounds are still needed


def test_sphinx_proof_does_not_translate_proof(built):
    assert "<p>Proof. " in built.read("boxes.html"), (
        "sphinx-proof no longer writes 'Proof. ' into the text: remove TranslatedProof from upstream.py, if the word "
        "is translated and a proof can open with a formula"
    )


@pytest.mark.parametrize("name", sorted(upstream.REPEATED_IDS))
def test_boxes_repeat_their_ids(built, name):
    times = built.read("boxes.html").count(f'id="{name}"')
    assert times == 2, f"{name} is no longer the id of each box: remove it from REPEATED_IDS in upstream.py"


def test_sphinx_exercise_writes_english_parentheses(built):
    title = next(built.resolved["boxes"].findall(upstream.exercise_enumerable_node))[0]
    ends = title[0].astext().strip(), title[-1].astext().strip()
    assert ends == ("(", ")"), f"sphinx-exercise puts a title between {ends}: see own_parentheses in upstream.py"


def test_sphinx_proof_and_sphinx_exercise_put_a_space_after_a_number(built):
    numbers = re.findall(r'<span class="caption-number">([^<]*)</span>', built.read("boxes.html"))
    kept = [number for number in numbers if number.endswith(" ")]
    assert numbers and kept == numbers, f"no space after a number: remove close_up_titles from upstream.py ({numbers})"


def test_docutils_and_sphinx_name_references_and_permalinks_wrongly(built):
    page = built.read("boxes.html")
    assert upstream.ENTRY in page, "docutils writes another role: remove ENTRY from upstream.py"
    links = upstream.PERMALINK.findall(page)
    assert links, "Sphinx writes permalinks in another form: see PERMALINK in upstream.py"
    assert not any("aria-label" in link for link, _ in links), "Sphinx names its permalinks: remove PERMALINK"


def test_sphinx_has_no_setting_that_switches_its_search_off(built):
    assert built.app.builder.search is True, "Sphinx's builder has no `search`: upstream.prepare sets it"
    settings = {name for name in built.app.config.values if name.startswith("html_search")}
    assert settings == {"html_search_language", "html_search_options", "html_search_scorer"}, (
        f"Sphinx has new settings of its search ({settings}): perhaps upstream.prepare may leave it"
    )


def test_sphinx_forgets_a_warning_in_the_next_build(tmp_path):
    (tmp_path / "index.rst").write_text("Title\n=====\n\n:nonsense:`x`\n", "utf-8")
    said = []
    for _ in range(2):
        told = io.StringIO()
        with quiet_sphinx(tmp_path, "dummy", warning=told) as app:
            app.build()
        said.append("nonsense" in told.getvalue())
    assert said[0], "Sphinx does not warn of a role that it does not know"
    assert not said[1], "Sphinx repeats the warnings of pages that it does not read again: `unfinished` may go"


def test_jupyter_book_sets_the_comments_that_we_do_not_load():
    assert "comments_config" in jupyter_books_configuration(), "upstream.prepare may leave them out"


def test_myst_nb_asks_other_hosts_for_scripts():
    from myst_nb.core.config import NbParserConfig

    assert NbParserConfig().ipywidgets_js, "MyST-NB names no scripts of widgets: nb_ipywidgets_js in _config.yml may go"


def test_the_theme_loads_the_index_of_sphinxs_search(built):
    assert "searchindex.js" in built.read("boxes.html"), "the empty block extrahead in templates/layout.html may go"


def test_sphinx_cannot_restart_its_numbers(built):
    assert "numfig_restart" not in built.app.config, "Sphinx has numfig_restart: perhaps language/numbering.py may go"


def test_nbclient_handles_signals():
    source = inspect.getsource(NotebookClient.async_setup_kernel)
    assert "loop.add_signal_handler(" in source, "nbclient leaves signals alone: see Loop in execution/kernels.py"


def test_every_workaround_says_its_issue_and_when_it_may_go():
    issue = re.compile(r"#\d+|not reported yet")
    own = [found for found in vars(upstream).values() if getattr(found, "__module__", "") == upstream.__name__]
    for found in own:
        source = inspect.getsource(found)
        assert issue.search(source) and re.search("gone when", source, re.I), f"{found.__name__} in upstream.py"
    rows = re.findall(r"^\| (`.*) \|$", (BOOKSITE / "UPSTREAM.md").read_text("utf-8"), re.M)
    for where, what, reported, end in (row.split(" | ") for row in rows):
        assert issue.search(reported) and end, f"the row of UPSTREAM.md: {what}"
        for name in re.findall(r"`([\w/-]+\.[a-z]+)`", where):
            assert any((folder / name).is_file() for folder in (BOOKSITE, ROOT)), f"UPSTREAM.md names {name}"
    assert own and rows


def test_katex_writes_an_empty_attribute():
    tex, options = r"\begin{split}x\\y\end{split}", {"displayMode": True, "output": "mathml"}
    html = json.loads(formulas.engine()(json.dumps([tex, options])))
    assert ' columnspacing=""' in html, "KaTeX leaves out an empty columnspacing: remove it from document/formulas.py"


# The tests above can fail

THEME_SCRIPT = "_static/scripts/pydata-sphinx-theme.js"


@pytest.mark.parametrize(
    ("check", "file", "old", "new"),
    [
        (
            partial(test_the_theme_writes_what_the_layout_replaces, old="<img alt="),
            "boxes.html",
            "<img alt=",
            "<img src=",
        ),
        (
            partial(test_the_theme_has_the_blocks_that_the_layout_fills, block="search_dialog"),
            *(PYDATA / "layout.html", "block search_dialog", "block search_box"),
        ),
        (
            partial(test_the_themes_script_opens_the_box_of_the_search, told="form.bd-search"),
            *(THEME_SCRIPT, "form.bd-search", "form.search"),
        ),
        (test_the_theme_calls_the_macros_that_we_replace, PYDATA / "layout.html", "_webpack.body_post", "_webpack.end"),
        (
            test_the_themes_macros_load_the_files_that_we_join,
            *(PYDATA / "static/webpack-macros.html", "scripts/bootstrap.js", "scripts/popper.js"),
        ),
        (
            test_the_theme_draws_icons_by_characters_of_private_use,
            *(SHEET_OF_ICONS, ':before{content:"', ':before{content:"icon "'),
        ),
        (test_the_themes_sheet_names_fonts_that_we_put_into_it, SHEET_OF_ICONS, "/fa-solid-900.woff2", "/solid.woff2"),
        (
            test_a_page_has_the_state_and_the_views_of_its_widgets,
            *("notebook.html", "vnd.jupyter.widget-view+json", "vnd.jupyter.view+json"),
        ),
        (
            test_the_theme_draws_the_buttons_that_we_add,
            *("boxes.html", "btn-download-notebook-button", "button-download-notebook-button"),
        ),
        (
            partial(test_a_script_says_what_we_correct, name="copybutton.js", old=assets.LISTS["corrected"][0][1]),
            *("_static/copybutton.js", "'zh-CN'", "'zh'"),
        ),
        (test_sphinx_proof_does_not_translate_proof, "boxes.html", "Proof. ", "证明。"),
        (partial(test_boxes_repeat_their_ids, name="proof-content"), "boxes.html", ' id="proof-content"', ""),
        (
            test_docutils_and_sphinx_name_references_and_permalinks_wrongly,
            *("boxes.html", upstream.ENTRY, upstream.ITEM),
        ),
        (
            test_docutils_and_sphinx_name_references_and_permalinks_wrongly,
            *("boxes.html", '<a class="headerlink"', '<a class="headerlink" aria-label="Link"'),
        ),
        (test_the_theme_loads_the_index_of_sphinxs_search, "boxes.html", "searchindex.js", "index.js"),
    ],
)
def test_a_change_is_noticed(built, check, file, old, new):
    with pytest.raises(AssertionError):
        check(built.but(file, old, new))

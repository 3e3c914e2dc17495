"""One notebook for each page with code cells and each edition: `notebooks/<edition>/<page>.ipynb` in the site.

It is made from the page as it is written, with plain Markdown for the prose, a first cell that installs the package
where it is missing, and no outputs. Both editions have the same cells, but the first one names the
language. The page offers it for download.
"""

import json
from pathlib import Path

from bs4 import BeautifulSoup
from docutils import nodes

from booksite.editions import edition_of, editions, language_of, twin
from booksite.language.catalogues import OWN
from booksite.notebooks.markdown import Writer
from booksite.notebooks.pieces import Cell, grouped
from booksite.page.head import address

# the site's text takes results over by myst_nb's function; a notebook shows the figures among them
GLUE = "from myst_nb import glue\n"
SETUP = """\
import os

os.environ["NPO_TUTORIAL_LANG"] = "{language}"  # of the demos, whatever the language of the page around them
try:
    import npo_tutorial
except ImportError:
    %pip install -q "npo-tutorial[fast,llm,torch,widgets] @ git+{repository}"


def glue(name, value, **options):  # the book puts results into its text by their names; here its figures are shown
    if hasattr(value, "savefig"):
        display(value)"""


def name_of(app, pagename):
    """The place of a page's notebook in the site."""
    return f"notebooks/{edition_of(app, pagename).key}/{pagename.rsplit('/', 1)[1]}.ipynb"


def has_cells(doctree):
    return doctree is not None and any(
        node.get("nb_element") == "cell_code" for node in doctree.findall(nodes.container)
    )


def write(app, pagename, templatename, context, doctree):
    edition = language_of(app, pagename)
    if not has_cells(doctree) or edition_of(app, pagename) is None:
        return
    article = BeautifulSoup(context["body"], "html.parser")
    words = OWN[edition.locale]["notebooks"]
    title, *pieces = Writer(address(app, pagename), words).pieces(article)
    links = [f"[{words['site']}]({address(app, pagename)})"]
    for other in editions(app):
        if other != edition and (docname := twin(app, pagename, other)):
            links.append(f"[{other.name}]({address(app, docname)})")
    repository = app.config.html_theme_options["repository_url"]
    setup = Cell(SETUP.format(language=edition_of(app, pagename).key, repository=repository))
    notebook = as_notebook([f"{title}\n\n{' · '.join(links)}", setup, *grouped(pieces)])
    target = Path(app.outdir, name_of(app, pagename))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(notebook, ensure_ascii=False, indent=1) + "\n", "utf-8")
    offer(context, name_of(app, pagename), words["download"])


def as_notebook(pieces):
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": [as_cell(piece, f"cell-{i}") for i, piece in enumerate(pieces)],
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def as_cell(piece, name):
    if isinstance(piece, str):
        return {"cell_type": "markdown", "id": name, "metadata": {}, "source": piece}
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": name,
        "metadata": {"jupyter": {"source_hidden": True}} if piece.folded else {},
        "outputs": [],
        "source": piece.source.replace(GLUE, ""),
    }


def offer(context, notebook, tooltip):
    """A first entry in the theme's menu of downloads."""
    button = {"type": "link", "url": context["pathto"](notebook, 1), "text": ".ipynb", "icon": "fas fa-code"}
    for group in context["header_buttons"]:
        if group["label"] == "download-buttons":
            group["buttons"].insert(0, {**button, "tooltip": tooltip, "label": "download-notebook-button"})


def setup(app):
    # the theme has made its menus, and the body is as it will be read
    app.connect("html-page-context", write, priority=990)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

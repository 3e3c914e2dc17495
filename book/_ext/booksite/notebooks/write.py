"""One notebook for each page with code cells and each edition: `notebooks/<edition>/<page>.ipynb` in the site.

It is made from the page as it is written, with plain Markdown for the prose, a first cell that installs the package
where it is missing, and no outputs. Both editions have the same cells, but the first one names the
language. The page offers it for download.
"""

import json
from pathlib import Path

from bs4 import BeautifulSoup

from booksite.notebooks.markdown import Writer
from booksite.notebooks.pieces import Cell, grouped
from booksite.page import address

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


def write_notebook(page):
    if page.edition is None or not page.has_cells:
        return
    article = BeautifulSoup(page.context["body"], "html.parser")
    words = page.words("notebooks")
    title, *pieces = Writer(page.address, words).pieces(article)
    links = [f"[{words['site']}]({page.address})"]
    for other in page.settings.editions:
        if other != page.edition and (name := page.twin(other)):
            links.append(f"[{other.name}]({address(page.app, name)})")
    setup = Cell(SETUP.format(language=page.edition.key, repository=page.repository))
    notebook = as_notebook([f"{title}\n\n{' · '.join(links)}", setup, *grouped(pieces)])
    target = Path(page.app.outdir, page.notebook)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(notebook, ensure_ascii=False, indent=1) + "\n", "utf-8")


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

"""One notebook for each page with code cells and each edition: `notebooks/<edition>/<page>.ipynb` in the site.

It is made from the page as it is written, and has no outputs. Both editions have the same cells, but for the first.
"""

import json
from pathlib import Path

from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from booksite.notebooks.markdown import SKIPPED, Writer, grouped
from booksite.page import Page

SETUP = Path(__file__).with_name("first-cell.txt").read_text("utf-8").strip()
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def write_notebook(page):
    if page.notebook is None:
        return
    words = page.words("notebooks")
    article = BeautifulSoup(page.context["body"], "html.parser")
    for element in article.select(SKIPPED):
        element.decompose()
    title, *pieces = Writer(page.address, words).blocks(article)
    links = [f"[{words['site']}]({page.address})"]
    for other in page.settings.editions:
        if other != page.edition and (name := page.twin(other)):
            links.append(f"[{other.name}]({Page(page.app, name).address})")
    addresses = {"site": page.settings.base, "repository": page.app.config.html_theme_options["repository_url"]}
    packages = "".join(f'\n    "{pattern.format(**addresses)}",' for pattern in page.settings.install)
    failed = words["failed"].strip()
    setup = new_code_cell(SETUP.format(language=page.edition.key, packages=packages, failed=failed))
    pieces = [f"{title}\n\n{' · '.join(links)}", setup, *grouped(pieces)]
    cells = [new_markdown_cell(piece) if isinstance(piece, str) else piece for piece in pieces]
    for i, cell in enumerate(cells):
        cell.id = f"cell-{i}"
    notebook = new_notebook(cells=cells, metadata={"kernelspec": KERNEL, "language_info": {"name": "python"}})
    page.publish(page.notebook, json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n")

"""Copies a built site and adds Python to the pages of the copy, which is what is published: `python book/in_page`.

The files of Pyodide are fetched once and kept; each is accepted only with the hash that is written down for it. Then
every code cell of the copy has Run, Edit and Reset. The built site stays as it is, complete without this step.
"""

import argparse
import shutil
import sys
from pathlib import Path
from runpy import run_path

from fetch import Missing, core, wheels
from offline import list_files, offer
from pack import pack
from publish import FOLDER, publish

ROOT = Path(__file__).resolve().parents[2]


def main():
    parser = argparse.ArgumentParser(prog="python book/in_page", description=__doc__.split("\n")[0])
    parser.add_argument("--site", type=Path, default=ROOT / "_build/html", help="the built site (default: _build/html)")
    parser.add_argument(
        "--to", type=Path, default=ROOT / "_build/published", help="replaced by the copy (default: _build/published)"
    )
    parser.add_argument(
        "--files",
        type=Path,
        default=ROOT / "_build/pyodide",
        help="where fetched files are kept (default: _build/pyodide)",
    )
    options = parser.parse_args()
    if not (options.site / "index.html").is_file():
        parser.error(f"--site must be a built site, got {options.site}: run `jupyter-book build .` first")
    if options.to.exists() and not (options.to / "index.html").is_file():
        # it will be replaced as a whole
        parser.error(f"--to must be new or an earlier copy of the site, got {options.to}")
    options.files.mkdir(parents=True, exist_ok=True)
    try:
        pyodide = core(options.files)
        files = wheels(options.files, pyodide)
        shutil.rmtree(options.to, ignore_errors=True)
        shutil.copytree(options.site, options.to)
        # before the pages change, and before what a reader can keep is listed
        for step in ("quiz", "slides"):
            run_path(str(ROOT / f"book/{step}/__main__.py"))["write"](options.to)
        listing = pack(pyodide, files, ROOT, options.to / FOLDER)
        pages = publish(options.to)
        offer(options.to)
        list_files(options.to)
    except Missing as error:
        sys.exit(f"Python cannot be put into the pages: {error}")
    size = sum(file["bytes"] for kind in ("core", "parts") for file in listing[kind].values())
    print(f"{pages} pages of {options.to} run Python; {FOLDER}/ has {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

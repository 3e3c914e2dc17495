"""Adds Python to the pages of a built site: `python book/in_page [SITE]`.

The files of Pyodide are fetched once and kept; each is accepted only with the hash that is written down for it. Then
every code cell of SITE has Run, Edit and Reset. Without this step the site is complete, and says nothing of it.
"""

import argparse
import sys
from pathlib import Path

from fetch import Missing, core, wheels
from pack import pack
from publish import FOLDER, publish

ROOT = Path(__file__).resolve().parents[2]


def main():
    parser = argparse.ArgumentParser(prog="python book/in_page", description=__doc__.split("\n")[0])
    parser.add_argument("site", nargs="?", type=Path, default=ROOT / "_build/html", help="default: _build/html")
    parser.add_argument(
        "--files",
        type=Path,
        default=ROOT / "_build/pyodide",
        help="where fetched files are kept (default: _build/pyodide)",
    )
    options = parser.parse_args()
    if not (options.site / "index.html").is_file():
        parser.error(f"SITE must be a built site, got {options.site}: run `jupyter-book build .` first")
    options.files.mkdir(parents=True, exist_ok=True)
    try:
        pyodide = core(options.files)
        listing = pack(pyodide, wheels(options.files, pyodide), ROOT, options.site / FOLDER)
    except Missing as error:
        sys.exit(f"Python cannot be put into the pages: {error}")
    pages = publish(options.site)
    size = sum(file["bytes"] for kind in ("core", "parts") for file in listing[kind].values())
    print(f"{pages} pages of {options.site} run Python; {FOLDER}/ has {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

"""What readers take along, next to the pages of the last build: the package's wheel, the source, texts and EPUBs.

Wheel and source are those of the last commit: `npo_tutorial-….whl`, which a notebook installs where the package is
missing, and `npo-tutorial-source.zip`, for readers who cannot reach the repository. `book/twins.py` writes the pages as
Markdown, `book/epub.py` each edition as an EPUB, and `book/licences.py` the licences of what the site has of others.
Then the ZIP of the site is packed anew, because it contains all of this but the EPUBs.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from booksite.finish.archive import pack_archive
from booksite.site import Site

from book import epub, licences, twins
from book.pdf import ROOT, SETTINGS

SOURCE = f"{Path(SETTINGS.archive).stem}-source.zip"


def git(*arguments):
    done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, encoding="utf-8")
    if done.returncode:
        sys.exit(f"book/downloads.py needs a clone made by git, to ship its last commit: {done.stderr.strip()}")
    return done.stdout.strip()


def write_package(folder):
    """The source of the last commit and the wheel made of it; the same commit makes the same bytes."""
    for old in folder.glob("*.whl"):
        old.unlink()
    date = git("log", "-1", "--format=%ct")
    git("archive", "--format=zip", f"--prefix={Path(SOURCE).stem}/", f"--output={folder / SOURCE}", "HEAD")
    with TemporaryDirectory() as place:
        with ZipFile(folder / SOURCE) as archive:
            archive.extractall(place)
        # without isolation: the environment of the build has the pinned setuptools, so no network is needed
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder]
        source = Path(place, Path(SOURCE).stem)
        done = subprocess.run(
            [*command, source],
            env=os.environ | {"SOURCE_DATE_EPOCH": date},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
    if done.returncode:
        sys.exit(f"the wheel could not be built:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def main():
    parser = argparse.ArgumentParser(prog="python -m book.downloads", description=__doc__.split("\n")[0])
    parser.parse_args()
    site = ROOT / "_build/html"
    if not (site / "index.html").is_file():
        sys.exit("book/downloads.py needs a built site in _build/html: run `jupyter-book build .` first")
    write_package(site)
    twins.write(site)
    epub.write_all(site)
    licences.write(site)
    pack_archive(Site(root=site, source=ROOT, settings=SETTINGS))
    for path in (*site.glob("*.whl"), site / SOURCE, site / SETTINGS.archive):
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

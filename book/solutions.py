"""For lecturers: the site without its solutions, and the solutions without the site. Both run in the repository's root.

`python -m book.solutions students` builds the site from sources without the solutions and the short answers of the
exercises, so that they are in none of its pages, notebooks, indices and archives. With `--from npo=2027-03-01` those of
a chapter are in the site of that day and later: build it again then, by the same command.

`python -m book.solutions pdf` prints every exercise with its solution from the finished site, one PDF for each edition.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# what a build reads
SOURCES = ("_config.yml", "_toc.yml", "index.md", "book", "npo_tutorial", "requirements.txt", "CITATION.cff")
# a solution in one block, or between two marks if it has cells; and the short answer at the end of an exercise
ANSWERS = re.compile(
    r"^(?P<one>`{3,})\{solution\} .*?^(?P=one)\n"
    r"|^(?P<start>`{3,})\{solution-start\} .*?^(?P<end>`{3,})\{solution-end\}\n(?P=end)\n"
    r"|^(?P<short>`{3,})\{admonition\} [^\n]*\n:class: dropdown short-answer\n.*?^(?P=short)\n",
    re.M | re.S,
)
TITLES = {
    "en": ("Solutions", "Every exercise of the course with its solution, for lecturers."),
    "zh": ("习题解答", "全书习题及其解答，供教师使用。"),
}


def without_answers(text):
    """The source of a page without the answers to its exercises."""
    return ANSWERS.sub("", text)


def day(argument):
    """A chapter and the day from which its solutions appear."""
    name, _, written = argument.partition("=")
    pages = sorted(page.stem for page in (ROOT / "book/en").glob("*.md") if ANSWERS.search(page.read_text("utf-8")))
    if name not in pages:
        raise argparse.ArgumentTypeError(f"must name a page with solutions ({', '.join(pages)}), got {name!r}")
    try:
        return name, date.fromisoformat(written)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be CHAPTER=YYYY-MM-DD, got {argument!r}") from None


def write_sources(folder, days, today):
    """Copy what a build reads into `folder`, without the answers of chapters whose day has not come."""
    for name in SOURCES:
        source, target = ROOT / name, folder / name
        if target.is_dir():
            # what a chapter was called before must not stay
            shutil.rmtree(target)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    for page in folder.glob("book/*/*.md"):
        if days.get(page.stem, date.max) > today:
            page.write_text(without_answers(page.read_text("utf-8")), "utf-8", newline="\n")


def students(folder, days, today):
    """Build the site for students in `folder`; returns the exit status of the build."""
    folder.mkdir(parents=True, exist_ok=True)
    write_sources(folder, days, today)
    command = [Path(sys.executable).with_name("jupyter-book"), "build", folder, "-W", "-n", "--keep-going"]
    return subprocess.run(command, env=os.environ | {"PYTHONPATH": str(folder)}).returncode


def leave_answers(page):
    """Of a page for the PDF leave its heading, and its exercises with their solutions."""
    boxes = page.article.select(".exercise, .solution")
    kept = [box for box in boxes if not box.find_parent(class_=["exercise", "solution"])]
    heading = page.article.h1
    page.article.clear()
    page.article.extend([heading, *kept] if kept else [])


def write_pdf(browser, site, edition, target):
    """Print the exercises of an edition with their solutions into the file `target`."""
    from book import pdf

    parts = pdf.read(site.resolve(), edition)
    for _, pages in parts:
        for page in pages:
            leave_answers(page)
    parts = [(caption, [page for page in pages if page.article.contents]) for caption, pages in parts]
    title, description = TITLES[edition.key]
    named = replace(edition, title=f"{title} · {edition.title}", description=description)
    pdf.write(browser, site, named, target, [part for part in parts if part[1]])


def print_pdfs(folder):
    # neither command needs what the other one imports
    sys.path.append(str(ROOT / "book/_ext"))
    from playwright.sync_api import sync_playwright

    from book import pdf

    site = ROOT / "_build/html"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=pdf.find_chromium())
        for edition in pdf.SETTINGS.editions:
            file = folder / f"solutions.{edition.key}.pdf"
            write_pdf(browser, site, edition, file)
            print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


def main():
    parser = argparse.ArgumentParser(prog="python -m book.solutions", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("students", help="build the site without solutions")
    command.add_argument(
        "--to", type=Path, default=ROOT / "_build/students", help="a folder of its own (default: _build/students)"
    )
    command.add_argument(
        "--from", dest="days", type=day, action="append", default=[], metavar="CHAPTER=YYYY-MM-DD",
        help="the day from which the solutions of a chapter appear; may be given several times",
    )  # fmt: skip
    command = commands.add_parser("pdf", help="print the solutions of the site in _build/html")
    command.add_argument("--to", type=Path, default=ROOT / "_build", help="an existing folder (default: _build)")
    options = parser.parse_args()
    if options.command == "students":
        if options.to.exists() and any(options.to.iterdir()) and not (options.to / "_toc.yml").is_file():
            parser.error(f"--to must be new or an earlier site for students, got {options.to}")
        if (options.to / ".git").exists():
            parser.error(f"--to must not be a repository, whose sources would be replaced, got {options.to}")
        sys.exit(students(options.to.resolve(), dict(options.days), date.today()))
    if not options.to.is_dir():
        parser.error(f"--to must be an existing folder, got {options.to}")
    if not (ROOT / "_build/html/index.html").is_file():
        parser.error("the site must be built first: run `jupyter-book build .`")
    print_pdfs(options.to)


if __name__ == "__main__":
    main()

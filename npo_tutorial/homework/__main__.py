"""python -m npo_tutorial.homework: assignments for students, otter-grader and nbgrader."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from npo_tutorial._console import replace_unprintable
from npo_tutorial.homework.assignments import PACKAGE, write_assignment

DESCRIPTION = "Make assignments out of notebooks with solutions: for students, for otter-grader and for nbgrader."
EPILOG = """\
a source is a MyST notebook:
  A text begins with +++ {"language": "en"} or +++ {"language": "zh"}; code serves both languages. A question has three
  code cells: the answer, with its solution between # BEGIN SOLUTION and # END SOLUTION; a check, whose first line is
  :points: 2 or another number; and a check with :tags: [hidden], which students do not get. book/homework contains
  three such notebooks.

files written, for each LANGUAGE, en and zh, and each NAME:
  FOLDER/student/LANGUAGE/NAME.ipynb                 to hand out as it is
  FOLDER/otter/LANGUAGE/NAME.ipynb                   for "otter assign"
  FOLDER/nbgrader/LANGUAGE/source/NAME/NAME.ipynb    for nbgrader: FOLDER/nbgrader/LANGUAGE is a course
  FOLDER/nbgrader/LANGUAGE/nbgrader_config.py

example:
  python -m npo_tutorial.homework book/homework/*.md --to _build/homework
  otter assign _build/homework/otter/en/losses.ipynb _build/for-otter
  cd _build/homework/nbgrader/en && nbgrader generate_assignment losses
"""


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m npo_tutorial.homework",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="a notebook with solutions (see below)")
    parser.add_argument("--to", required=True, metavar="FOLDER", help="where the assignments go")
    parser.add_argument(
        "--package",
        default=PACKAGE,
        help="requirement that the notebooks install by pip if the package is missing, such as "
        "'npo-tutorial[torch] @ git+https://…' (default: %(default)s)",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    replace_unprintable()
    parser = make_parser()
    options = parser.parse_args(arguments)
    if not options.package.strip():
        parser.error(f"--package must be a requirement, got {options.package!r}")
    names = [Path(source).stem for source in options.sources]
    if twice := [name for name in names if names.count(name) > 1]:
        parser.error(f"SOURCE must be files of different names, got {twice[0]!r} twice")
    try:
        for source in options.sources:
            for file in write_assignment(source, options.to, package=options.package):
                print(file)
    except (ValueError, OSError, ImportError) as error:
        # user errors become a one-line message; other errors keep their traceback
        parser.exit(2, f"{parser.prog}: error: {error}\n")


if __name__ == "__main__":
    main()

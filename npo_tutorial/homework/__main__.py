"""python -m npo_tutorial.homework: assignments for students, otter-grader and nbgrader."""

import argparse

from npo_tutorial._console import replace_unprintable
from npo_tutorial.homework.assignments import PACKAGE, write_assignment

DESCRIPTION = "Make assignments out of notebooks with solutions: for students, for otter-grader and for nbgrader."
EPILOG = """\
a source is a MyST notebook:
  Texts begin with +++ {"lang": "en"} or +++ {"lang": "zh"}; code serves both languages. A question is three code cells:
  the answer, its solution between # BEGIN SOLUTION and # END SOLUTION; a check, whose first line is :points: 2 or so;
  and a check with :tags: [hidden], which students do not get. book/homework holds three such notebooks.

what is written, for each LANGUAGE, en and zh, and each NAME:
  FOLDER/student/LANGUAGE/NAME.ipynb                 to hand out as it is
  FOLDER/otter/LANGUAGE/NAME.ipynb                   for "otter assign"
  FOLDER/nbgrader/LANGUAGE/source/NAME/NAME.ipynb    for nbgrader: FOLDER/nbgrader/LANGUAGE is a course
  FOLDER/nbgrader/LANGUAGE/nbgrader_config.py

example:
  python -m npo_tutorial.homework book/homework/*.md --to _build/homework
  otter assign _build/homework/otter/en/losses.ipynb _build/for-otter
  cd _build/homework/nbgrader/en && nbgrader generate_assignment losses
"""


def make_parser():
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
        help="what the notebooks install by pip where the package is missing, such as 'npo-tutorial[torch] @ git+https://"
        "…' (default: %(default)s)",
    )
    return parser


def main(arguments=None):
    replace_unprintable()
    parser = make_parser()
    options = parser.parse_args(arguments)
    try:
        for source in options.sources:
            for file in write_assignment(source, options.to, package=options.package):
                print(file)
    except (ValueError, OSError, ImportError) as error:
        # what the user can mend is a sentence; anything else keeps its traceback
        parser.exit(2, f"{parser.prog}: error: {error}\n")


if __name__ == "__main__":
    main()

"""Assignments: one notebook with solutions becomes notebooks for students, for otter-grader and for nbgrader.

The source is a MyST notebook. A text cell names its language by `language` in its metadata; code serves every
language. A question has three code cells: the answer, with its solution between ``# BEGIN SOLUTION`` and
``# END SOLUTION``; a check with `points`; and a check with the tag `hidden`, which students do not get. A check raises
an exception unless the answer is right, and the points are for both checks together.
"""

import builtins
import os
import re
import symtable
import textwrap
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from npo_tutorial._checks import check_choice
from npo_tutorial._extras import require
from npo_tutorial._locale import LANGUAGES, VARIABLE
from npo_tutorial._types import Language

if TYPE_CHECKING:
    import nbformat

PACKAGE = "npo-tutorial[torch]"
SETUP = '''\
import os
from importlib.util import find_spec

os.environ["{variable}"] = "{language}"  # for the messages of the checks
for package in ({packages}
):
    if find_spec("npo_tutorial"):
        break
    %pip install -q "{{package}}"
if not find_spec("npo_tutorial"):
    raise SystemExit("""\\
{failed}""")
'''
FAILED = {
    "en": """\
The package npo-tutorial could not be installed: the messages of pip above say why. If your network cannot reach an
address, ask for npo-tutorial.zip, which the first page of the course offers. Put its file that ends in .whl next to
this notebook and run %pip install "./NAME.whl[torch]", with the file's name for NAME.""",
    "zh": """\
没能装上程序包 npo-tutorial，原因见上面 pip 的提示。如果你的网络连不上其中的地址，就请别人从本书首页下载
npo-tutorial.zip，把其中以 .whl 结尾的文件放到这个笔记本旁边，再运行 %pip install "./文件名.whl[torch]"。""",
}
SOLUTION = re.compile(r"^( *)# BEGIN SOLUTION\n(.*?)^ *# END SOLUTION$", re.M | re.S)
MARKER = re.compile(r"# (BEGIN|END) SOLUTION")
STUB = r"\1raise NotImplementedError"
# the "prompt" is what students get instead of the solution
OTTER_ANSWER = (
    r"\1# BEGIN SOLUTION NO PROMPT" "\n" r"\2\1# END SOLUTION" "\n"
    r'\1""" # BEGIN PROMPT' "\n" r"\1raise NotImplementedError" "\n" r'\1"""; # END PROMPT'
)  # fmt: skip
OTTER_ASSIGNMENT = """\
# ASSIGNMENT CONFIG
requirements:
- {package}
export_cell: {{pdf: false}}
# in this form of tests, students read the message of a check and no traceback
tests: {{ok_format: false}}
"""
OTTER_QUESTION = """\
# BEGIN QUESTION
name: {name}
points: {points}
all_or_nothing: true
"""
NBGRADER_CHECK = "{check}\n### BEGIN HIDDEN TESTS\n{hidden}\n### END HIDDEN TESTS"
NBGRADER_CONFIG = """\
c = get_config()
c.CourseDirectory.course_id = "npo-tutorial"
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
# importing PyTorch may take longer than half a minute, the default
c.Execute.timeout = 300
"""


@dataclass(frozen=True)
class Text:
    source: str
    language: str


@dataclass(frozen=True)
class Code:
    source: str


@dataclass(frozen=True)
class Question:
    """`answer` contains the solution between its markers."""

    name: str
    points: float
    answer: str
    check: str
    hidden: str


Part: TypeAlias = Text | Code | Question
Form: TypeAlias = Literal["student", "otter", "nbgrader"]
# the cells of a notebook: type, source, metadata
Cells: TypeAlias = Iterator[tuple[str, str, dict[str, Any]]]


def read_assignment(path: str | os.PathLike[str]) -> list[Part]:
    """Read the source of an assignment.

    Parameters
    ----------
    path : path
        A MyST notebook of the form described above.

    Returns
    -------
    list of Text, Code and Question
        In the order of the file.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is not an assignment; the message names the line.
    ImportError
        The reader of MyST notebooks is not installed.
    """
    reader, nbformat = require("myst_nb.core.read"), require("nbformat")
    try:
        # some editors write a byte order mark
        text = Path(path).read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 ({error.reason})") from None
    if not text.strip():
        raise ValueError(f"{path} must contain a question, got an empty file")
    try:
        notebook = reader.read_myst_markdown_notebook(text, add_source_map=True)
    except (reader.MystMetadataParsingError, nbformat.ValidationError) as error:
        # on one line: YAML's complaints have eight
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from None
    # the reader counts lines from one where code begins, and from zero where a text does
    cells = deque(
        (cell, f"{path}, line {line + (cell.cell_type == 'markdown')}")
        for cell, line in zip(notebook.cells, notebook.metadata.source_map, strict=True)
    )
    parts: list[Part] = []
    while cells:
        cell, line = cells.popleft()
        if cell.cell_type == "markdown":
            parts.append(Text(cell.source, check_choice(f"{line}: language", cell.metadata.get("language"), LANGUAGES)))
        elif MARKER.search(cell.source):
            parts.append(_question(cell, line, cells))
        elif _is_check(cell) or _is_hidden(cell):
            raise ValueError(f"{line}: a check must follow a cell with a solution")
        else:
            parts.append(Code(cell.source))
    names = [part.name for part in parts if isinstance(part, Question)]
    if not names:
        raise ValueError(f"{path} must contain a question, got no # BEGIN SOLUTION")
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{path}: two answers must not share a name, got {twice[0]} twice")
    return parts


def _question(answer, line, cells):
    if MARKER.search(SOLUTION.sub("", answer.source)):
        raise ValueError(f"{line}: each # BEGIN SOLUTION must have an # END SOLUTION, both on lines of their own")
    functions = re.findall(r"^def (\w+)", answer.source, re.M)
    if not functions:
        raise ValueError(f"{line}: an answer must define a function, got none")
    name = functions[-1]
    if not cells or not _is_check(cells[0][0]):
        raise ValueError(f"{line}: {name} must be followed by its check, a code cell with points")
    check, line = cells.popleft()
    points = check.metadata.points
    if isinstance(points, bool) or not isinstance(points, (int, float)) or not 0 < points < inf:
        raise ValueError(f"{line}: points must be a finite number > 0, got {points!r}")
    _check_python(check, line)
    if not cells or not _is_hidden(cells[0][0]):
        raise ValueError(f"{line}: the check of {name} must be followed by a code cell with the tag hidden")
    hidden, line = cells.popleft()
    _check_python(hidden, line)
    return Question(name, points, answer.source, check.source, hidden.source)


def _check_python(cell, line):
    """otter-grader's form puts a check into a function, where IPython's magics do not work."""
    try:
        compile(cell.source, "check", "exec")
    except SyntaxError as error:
        got = (error.text or "").strip()
        raise ValueError(f"{line}: a check must be plain Python, got {got!r}: {error.msg}") from None


def _is_check(cell):
    return cell.cell_type == "code" and "points" in cell.metadata


def _is_hidden(cell):
    return cell.cell_type == "code" and "hidden" in cell.metadata.get("tags", [])


def make_notebook(
    parts: Sequence[Part], form: Form, language: Language, *, package: str | Sequence[str] = PACKAGE
) -> "nbformat.NotebookNode":
    """One version of an assignment.

    Parameters
    ----------
    parts : list of Text, Code and Question
        From `read_assignment`.
    form : {"student", "otter", "nbgrader"}
        For students, without solutions and hidden checks; or the source for ``otter assign`` or ``nbgrader
        generate_assignment``.
    language : {"en", "zh"}
        Language of the texts and of the checks' messages.
    package : str or list of str
        Requirements, such as ``"npo-tutorial[torch]"``, that the notebook tries to install by pip, one after the other,
        until ``npo_tutorial`` is there; otter-grader installs the first.

    Returns
    -------
    nbformat.NotebookNode
        Without outputs; all code cells but the first, which names the language, are the same in all languages.

    Raises
    ------
    ValueError
        An unknown form or language, or no requirement.
    ImportError
        ``nbformat`` is not installed.
    """
    nbformat = require("nbformat")
    check_choice("form", form, tuple(FORMS))
    check_choice("language", language, LANGUAGES)
    own = [part for part in parts if not isinstance(part, Text) or part.language == language]
    first_code = next(i for i, part in enumerate(own) if not isinstance(part, Text))
    packages = [package] if isinstance(package, str) else list(package)
    if not packages:
        raise ValueError("package must be a requirement or a list of them, got an empty list")
    listed = "".join(f'\n    "{requirement}",' for requirement in packages)
    setup = SETUP.format(variable=VARIABLE, language=language, packages=listed, failed=FAILED[language])
    own.insert(first_code, Code(setup.rstrip()))
    make = {
        "code": nbformat.v4.new_code_cell,
        "markdown": nbformat.v4.new_markdown_cell,
        "raw": nbformat.v4.new_raw_cell,
    }
    return nbformat.v4.new_notebook(
        cells=[
            make[kind](source, id=f"cell-{i}", metadata=metadata)
            for i, (kind, source, metadata) in enumerate(FORMS[form](own, packages[0]))
        ],
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
    )


def _student(parts: Sequence[Part], package: str) -> Cells:
    for part in parts:
        if isinstance(part, Question):
            yield "code", SOLUTION.sub(STUB, part.answer), {}
            yield "code", part.check, {}
        else:
            yield _type(part), part.source, {}


def _otter(parts: Sequence[Part], package: str) -> Cells:
    yield "raw", OTTER_ASSIGNMENT.format(package=package), {}
    for part in parts:
        if isinstance(part, Question):
            yield "raw", OTTER_QUESTION.format(name=part.name, points=part.points), {}
            yield "raw", "# BEGIN SOLUTION", {}
            yield "code", SOLUTION.sub(OTTER_ANSWER, part.answer), {}
            yield "raw", "# END SOLUTION", {}
            yield "raw", "# BEGIN TESTS", {}
            yield "code", _otter_test("test_public", part.check), {}
            yield "code", "# HIDDEN\n" + _otter_test("test_hidden", part.hidden), {}
            yield "raw", "# END TESTS", {}
            yield "raw", "# END QUESTION", {}
        else:
            yield _type(part), part.source, {}


def _otter_test(name, check):
    """A function; its arguments are the names that the check uses from the notebook."""
    symbols = symtable.symtable(check, "check", "exec").get_symbols()
    names = [s.get_name() for s in symbols if not (s.is_imported() or s.is_assigned())]
    arguments = ", ".join(name for name in names if not hasattr(builtins, name))
    return f"def {name}({arguments}):\n{textwrap.indent(check, '    ')}"


def _nbgrader(parts: Sequence[Part], package: str) -> Cells:
    for i, part in enumerate(parts):
        if isinstance(part, Question):
            yield "code", part.answer, _nbgrader_role(part.name, solution=True)
            checks = NBGRADER_CHECK.format(check=part.check, hidden=part.hidden)
            yield "code", checks, _nbgrader_role(f"check_{part.name}", points=part.points, grade=True, locked=True)
        elif isinstance(part, Code):
            # nbgrader restores locked cells before it grades
            yield "code", part.source, _nbgrader_role(f"given_{i}", locked=True)
        else:
            yield "markdown", part.source, {}


FORMS: dict[str, Callable[[Sequence[Part], str], Cells]] = {"student": _student, "otter": _otter, "nbgrader": _nbgrader}


def _type(part):
    return "markdown" if isinstance(part, Text) else "code"


def _nbgrader_role(name, **role):
    defaults = {"grade": False, "locked": False, "schema_version": 3, "solution": False, "task": False}
    return {"nbgrader": defaults | {"grade_id": name} | role}


def write_assignment(
    path: str | os.PathLike[str], folder: str | os.PathLike[str], *, package: str = PACKAGE
) -> Iterator[Path]:
    """Write every version of an assignment, in every language.

    Parameters
    ----------
    path : path
        The source.
    folder : path
        Receives ``student/<language>/<name>.ipynb``, ``otter/<language>/<name>.ipynb``,
        ``nbgrader/<language>/source/<name>/<name>.ipynb`` and ``nbgrader/<language>/nbgrader_config.py``.
    package : str
        As in `make_notebook`.

    Yields
    ------
    Path
        Each file, once it is written.

    Raises
    ------
    FileNotFoundError, ValueError, ImportError
        As in `read_assignment`.
    """
    nbformat = require("nbformat")
    parts, name, folder = read_assignment(path), Path(path).stem, Path(folder)
    for language in get_args(Language):
        course = folder / "nbgrader" / language
        files = {course / "nbgrader_config.py": NBGRADER_CONFIG}
        places: dict[Form, Path] = {
            "student": folder / "student" / language,
            "otter": folder / "otter" / language,
            "nbgrader": course / "source" / name,
        }
        for form, place in places.items():
            notebook = make_notebook(parts, form, language, package=package)
            files[place / f"{name}.ipynb"] = nbformat.writes(notebook) + "\n"
        for file, content in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, "utf-8")
            yield file

"""The assignments: each version holds what it should and no more; otter-grader and nbgrader give full marks or none."""

import json
import os
import re
import subprocess
import sys
import sysconfig
from copy import deepcopy
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

import nbformat
import pytest

from npo_tutorial import homework
from npo_tutorial._locale import LANGUAGES, VARIABLE
from npo_tutorial.homework.__main__ import main
from npo_tutorial.homework.assignments import FORMS, SOLUTION, Code, Question, Text, make_notebook, read_assignment
from tests.browser.notebooks import environment
from tests.conftest import ROOT

SOURCES = sorted((ROOT / "book/homework").glob("*.md"))
NAMES = [path.stem for path in SOURCES]
EVERY = [(name, language) for name in NAMES for language in LANGUAGES]
NOT_ATTEMPTED = {"en": "not attempted yet", "zh": "尚未作答"}


@cache
def parts(name):
    return read_assignment(ROOT / f"book/homework/{name}.md")


def questions(name):
    return [part for part in parts(name) if isinstance(part, Question)]


def code(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def solution_of(question):
    return SOLUTION.search(question.answer)[2]


def solved(notebook, name):
    """A version as a student hands it in who knows all the answers."""
    notebook = deepcopy(notebook)
    for question in questions(name):
        (cell,) = [cell for cell in notebook.cells if cell.source.startswith(f"def {question.name}(")]
        cell.source = SOLUTION.sub(r"\2", question.answer)
    return notebook


def cheated(notebook, name):
    """A version in which nothing is answered, and the check of the last question never complains."""
    notebook = deepcopy(notebook)
    last = questions(name)[-1].name
    (cell,) = [cell for cell in notebook.cells if cell.source.startswith(f"def {last}(")]
    cell.source += f"\n\ndef check_{last}(answer, seed=0):\n    pass"
    return notebook


def run_cells(sources):
    names = {}
    for source in sources:
        exec(source, names)
    return names


def test_there_is_a_question_for_every_check():
    asked = [question.name for name in NAMES for question in questions(name)]
    checks = {name for name in homework.__all__ if name.startswith("check_")}
    alone = checks ^ {f"check_{name}" for name in asked}
    assert not alone, f"book/homework has a question for each check of homework.__all__, but not for {sorted(alone)}"
    assert len(asked) == len(set(asked)), f"book/homework asks each question once: {sorted(asked)}"


@pytest.mark.parametrize("name", NAMES)
def test_solutions_pass_both_checks(name):
    given = [part.source for part in parts(name) if isinstance(part, Code)]
    for question in questions(name):
        check = f"check_{question.name}({question.name})"
        where = f"book/homework/{name}.md, {question.name}"
        assert question.check == check, f"{where}: the cell with points is {check}, got {question.check}"
        # otherwise the public check would do
        seeded = rf"^check_{question.name}\({question.name}, seed=[1-9]\d*\)$"
        assert re.search(seeded, question.hidden, re.M), f"{where}: the hidden cell calls the check with another seed"
        given.append(question.answer)
        run_cells([*given, question.check, question.hidden])


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_students_get_no_solution_and_no_hidden_check(name, language):
    notebook = make_notebook(parts(name), "student", language)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    whole = "\n".join(code(notebook))
    assert "SOLUTION" not in whole and "seed=" not in whole
    given = [part.source for part in parts(name) if isinstance(part, Code)]
    for question in questions(name):
        for line in filter(None, map(str.strip, solution_of(question).splitlines())):
            assert line not in whole or line in "\n".join(given), line
        assert question.check in whole
    assert max(map(len, whole.splitlines())) <= 120
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_what_students_get_runs_and_says_that_nothing_is_attempted(name, language, monkeypatch):
    monkeypatch.setenv(VARIABLE, language)
    setup, *sources = code(make_notebook(parts(name), "student", language))
    assert f'os.environ["{VARIABLE}"] = "{language}"' in setup
    checks = {question.check for question in questions(name)}
    names = run_cells([source for source in sources if source not in checks])
    for question in questions(name):
        with pytest.raises(NotImplementedError):
            names[question.name](*[1.0] * names[question.name].__code__.co_argcount)
        with pytest.raises(homework.Wrong, match=NOT_ATTEMPTED[language]):
            exec(question.check, names)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("form", FORMS)
def test_the_last_line_asks_for_the_hours_and_may_stay_empty(form, language):
    last = [make_notebook(parts(name), form, language).cells[-1] for name in NAMES]
    assert len({cell.source for cell in last}) == 1, "all assignments must ask for the hours in the same words"
    assert " ____" in last[0].source and {"en": "Optional", "zh": "选填"}[language] in last[0].source
    # a text that students can change: no grader locks it or gives points for it
    assert {cell.cell_type for cell in last} == {"markdown"} and not any(cell.metadata for cell in last)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NAMES)
def test_languages_share_their_code_and_differ_in_their_texts(name, form):
    en, zh = (make_notebook(parts(name), form, language) for language in LANGUAGES)
    nbformat.validate(en)
    nbformat.validate(zh)
    assert [cell.cell_type for cell in en.cells] == [cell.cell_type for cell in zh.cells]
    assert [cell.id for cell in en.cells] == [cell.id for cell in zh.cells]
    assert code(en)[0] != code(zh)[0] and code(en)[1:] == code(zh)[1:]
    for one, other in zip(en.cells, zh.cells, strict=True):
        if one.cell_type == "markdown":
            chinese = re.compile("[\u4e00-\u9fff]")
            assert chinese.search(other.source) and not chinese.search(one.source)
            formulas, levels = re.compile(r"\$\$.+?\$\$", re.S), re.compile(r"^#+", re.M)
            assert formulas.findall(one.source) == formulas.findall(other.source)
            assert levels.findall(one.source) == levels.findall(other.source)


@pytest.mark.parametrize("form", FORMS)
def test_the_package_is_installed_where_it_is_missing(form):
    package = "npo-tutorial[torch] @ git+https://example.org/npo"
    notebook = make_notebook(parts("losses"), form, "en", package=package)
    assert f'\n    "{package}",\n' in code(notebook)[0]
    assert (package in notebook.cells[0].source) == (form == "otter")


def test_several_requirements_are_tried_in_their_order_and_none_is_an_error():
    notebook = make_notebook(parts("losses"), "otter", "en", package=["first", "second"])
    assert '\n    "first",\n    "second",\n' in code(notebook)[0]
    assert "- first\n" in notebook.cells[0].source and "second" not in notebook.cells[0].source
    with pytest.raises(ValueError, match=r"package must be a requirement or a list of them, got an empty list"):
        make_notebook(parts("losses"), "student", "en", package=[])


def test_the_command_writes_every_version(tmp_path, capsys):
    main([*map(str, SOURCES), "--to", str(tmp_path)])
    wanted = {tmp_path / f"nbgrader/{language}/nbgrader_config.py" for language in LANGUAGES}
    for name, language in EVERY:
        wanted |= {tmp_path / f"{form}/{language}/{name}.ipynb" for form in ("student", "otter")}
        wanted.add(tmp_path / f"nbgrader/{language}/source/{name}/{name}.ipynb")
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == wanted
    assert set(map(Path, capsys.readouterr().out.splitlines())) == wanted
    for name, language in EVERY:
        written = nbformat.read(tmp_path / f"student/{language}/{name}.ipynb", as_version=4)
        assert written == make_notebook(parts(name), "student", language)


TEXT = '+++ {"language": "en"}\n\n# Homework\n'
ANSWER = "```{code-cell}\ndef f(x):\n    # BEGIN SOLUTION\n    return x\n    # END SOLUTION\n```\n"
CHECK = "```{code-cell}\n:points: 1\nassert f(1) == 1\n```\n"
HIDDEN = "```{code-cell}\n:tags: [hidden]\nassert f(2) == 2\n```\n"
WHOLE = [TEXT, ANSWER, CHECK, HIDDEN]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([TEXT], "must contain a question, got no # BEGIN SOLUTION"),
        (["# Homework\n", *WHOLE], "line 1: language must be one of 'en', 'zh', got None"),
        ([TEXT.replace("en", "de"), *WHOLE], "line 2: language must be one of 'en', 'zh', got 'de'"),
        (["+++ {lang: en}\n", *WHOLE], "could not be read"),
        ([TEXT, ANSWER.replace("    # END SOLUTION\n", ""), CHECK, HIDDEN], "line 4: each # BEGIN SOLUTION must have"),
        ([TEXT, ANSWER.replace("# BEGIN SOLUTION", "#"), CHECK, HIDDEN], "line 4: each # BEGIN SOLUTION must have"),
        ([TEXT, ANSWER.replace("# BEGIN", "x = 1  # BEGIN"), CHECK, HIDDEN], "on lines of their own"),
        ([TEXT, ANSWER.replace("def f(x):", "if True:"), CHECK, HIDDEN], "line 4: an answer must define a function"),
        ([TEXT, ANSWER], "line 4: f must be followed by its check, a code cell with points"),
        ([TEXT, ANSWER, CHECK.replace(":points: 1\n", ""), HIDDEN], "line 4: f must be followed by its check"),
        *(
            (
                [TEXT, ANSWER, CHECK.replace("1", points, 1), HIDDEN],
                f"line 10: points must be a finite number > 0, {got}",
            )
            for points, got in (("two", "got 'two'"), ("0", "got 0"), (".nan", "got nan"), (".inf", "got inf"))
        ),
        (
            [TEXT, ANSWER, CHECK.replace("assert", "%time assert"), HIDDEN],
            "line 10: a check must be plain Python, got '%time assert f(1) == 1': invalid syntax",
        ),
        ([TEXT, ANSWER, CHECK, HIDDEN.replace("==", "=", 1)], "line 14: a check must be plain Python, got"),
        ([TEXT, ANSWER, CHECK, HIDDEN.replace("[hidden]", "hidden")], "'hidden' is not of type 'array'"),
        (["---\nkernelspec: [\n---\n", *WHOLE], "while parsing"),
        (["\n"], "must contain a question, got an empty file"),
        ([TEXT, ANSWER, CHECK], "line 10: the check of f must be followed by a code cell with the tag hidden"),
        (
            [TEXT, ANSWER, CHECK, CHECK, HIDDEN],
            "line 10: the check of f must be followed by a code cell with the tag hidden",
        ),
        ([TEXT, CHECK, *WHOLE], "line 4: a check must follow a cell with a solution"),
        ([TEXT, HIDDEN, *WHOLE], "line 4: a check must follow a cell with a solution"),
        ([*WHOLE, *WHOLE], "two answers must not share a name, got f twice"),
        (None, "No such file"),
    ],
)
def test_the_command_says_what_is_wrong_with_a_source(cells, message, tmp_path, capsys):
    source = tmp_path / "source.md"
    if cells:
        source.write_text("".join(cells), "utf-8")
    with pytest.raises(SystemExit) as end:
        main([str(source), "--to", str(tmp_path / "out")])
    complaint = capsys.readouterr().err
    assert end.value.code == 2 and message in complaint and "source.md" in complaint
    assert complaint.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_source_is_text_in_utf_8(tmp_path):
    source = tmp_path / "source.md"
    # as some editors on Windows save it
    source.write_text("".join(WHOLE), "utf-8-sig")
    assert read_assignment(source)[0] == Text("# Homework", "en")
    source.write_text("".join(WHOLE).replace("Homework", "Übung"), "latin-1")
    with pytest.raises(ValueError, match=r"source\.md: not UTF-8 \(invalid"):
        read_assignment(source)


def test_the_command_says_what_is_wrong_with_its_arguments(tmp_path, capsys):
    for arguments, message in (
        (["a/losses.md", "b/losses.md"], "SOURCE must be files of different names, got 'losses' twice"),
        (["losses.md", "--package", " "], "--package must be a requirement, got ' '"),
    ):
        with pytest.raises(SystemExit) as end:
            main([*arguments, "--to", str(tmp_path / "out")])
        assert end.value.code == 2 and message in capsys.readouterr().err


def test_a_source_as_small_as_possible(tmp_path):
    (tmp_path / "source.md").write_text("".join(WHOLE), "utf-8")
    text, question = read_assignment(tmp_path / "source.md")
    assert text == Text("# Homework", "en")
    assert (question.name, question.points, question.check) == ("f", 1, "assert f(1) == 1")
    # in the other language it has no text, and the first cell is still the one that installs the package
    assert "%pip" in code(make_notebook([text, question], "student", "zh"))[0]


def test_without_the_reader_the_command_names_the_extra(monkeypatch, tmp_path, capsys):
    for name in [name for name in sys.modules if name.partition(".")[0] == "myst_nb"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "meta_path", [PathFinder])
    with pytest.raises(SystemExit):
        main([str(SOURCES[0]), "--to", str(tmp_path)])
    assert "this needs myst_nb: pip install 'npo-tutorial[book]'" in capsys.readouterr().err


def call(*command, cwd):
    """Run one of the tools as an instructor does, in the environment that is active."""
    (cwd / "jupyter").mkdir(exist_ok=True)
    scripts = sysconfig.get_path("scripts")
    path = os.pathsep.join([scripts, os.environ["PATH"]])
    result = subprocess.run(
        [Path(scripts, command[0]), *command[1:]],
        cwd=cwd,
        # nbgrader calls alembic by its name
        env=environment(cwd / "jupyter") | {"PATH": path},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    return result.stdout


def read(path):
    return nbformat.read(path, as_version=4)


# one language is enough for what is slow; Chinese, for what might be wrong with letters
@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("homework")
    main([*map(str, SOURCES), "--to", str(folder)])
    return folder


@pytest.mark.nightly
@pytest.mark.parametrize("name", NAMES)
def test_otter_grader_gives_full_marks_or_none(written, name):
    folder = written / "otter/zh"
    call("otter", "assign", "--no-run-tests", f"{name}.ipynb", name, cwd=folder)
    (grader,) = (folder / name / "autograder").glob("*.zip")
    handed_out = read(folder / name / f"student/{name}.ipynb")
    assert "SOLUTION" not in "\n".join(code(handed_out)) and "seed=" not in json.dumps(handed_out)
    stubs = {source for source in code(make_notebook(parts(name), "student", "zh")) if source.startswith("def ")}
    assert stubs <= set(code(handed_out))
    last = questions(name)[-1]
    for share, notebook in ((0, cheated(handed_out, name)), (1, solved(handed_out, name))):
        submission = folder / name / str(share) / f"{name}.ipynb"
        submission.parent.mkdir()
        nbformat.write(notebook, submission)
        call("otter", "run", "--no-logo", "-a", grader, "-o", submission.parent, submission, cwd=folder)
        public, *results = json.loads((submission.parent / "results.json").read_text("utf-8"))["tests"]
        for question, result in zip(questions(name), results, strict=True):
            assert (result["name"], result["max_score"]) == (question.name, question.points)
            assert result["score"] == share * question.points
            # also what students see: the message of the check, without a traceback
            complaint = f"Wrong: {question.name}: {NOT_ATTEMPTED['zh']}"
            assert (complaint in public["output"]) == (not share and question != last)
        assert public["status"] == ("passed" if share else "failed") and "Traceback" not in public["output"]


SCORES = """
import json
from nbgrader.api import Gradebook
with Gradebook("sqlite:///gradebook.db") as gradebook:
    print(json.dumps({
        submission.student.id: {
            grade.name: [grade.auto_score, grade.max_score, grade.needs_manual_grade]
            for notebook in submission.notebooks for grade in notebook.grades
        }
        for submission in gradebook.assignment_submissions("NAME")
    }))
"""


@pytest.mark.nightly
@pytest.mark.parametrize("name", NAMES)
def test_nbgrader_gives_full_marks_or_none(written, name):
    course = written / "nbgrader/zh"
    call("nbgrader", "generate_assignment", name, cwd=course)
    handed_out = read(course / f"release/{name}/{name}.ipynb")
    assert "SOLUTION" not in "\n".join(code(handed_out)) and "seed=" not in json.dumps(handed_out)
    student = make_notebook(parts(name), "student", "zh")
    assert [source.rstrip() for source in code(handed_out)] == code(student)
    for share, notebook in (("none", cheated(handed_out, name)), ("full", solved(handed_out, name))):
        submission = course / f"submitted/{share}/{name}/{name}.ipynb"
        submission.parent.mkdir(parents=True)
        nbformat.write(notebook, submission)
    call("nbgrader", "autograde", name, cwd=course)
    scores = json.loads(call("python", "-c", SCORES.replace("NAME", name), cwd=course))
    for share, factor in (("none", 0), ("full", 1)):
        assert scores[share] == {f"check_{q.name}": [factor * q.points, q.points, False] for q in questions(name)}

"""What a lecturer gets: a site for students that contains no solution, and all the solutions as a PDF."""

import re
import subprocess
import sys
import zipfile
from datetime import date
from html import unescape
from zipfile import ZipFile

import numpy as np
import pytest

from book import pdf, solutions
from npo_tutorial import npo_loss
from npo_tutorial.homework import check_slower_loss
from npo_tutorial.homework.assignments import SOLUTION
from tests.book.pages import CELL, EDITIONS, NAMES, source
from tests.conftest import ROOT, find_chromium

BOTH = [(edition, name) for edition in EDITIONS for name in NAMES if "{solution" in source(edition, name)]
TODAY = date(2027, 3, 1)
# suffixes of the site's files that contain no text
BINARY = {".png", ".jpg", ".woff2", ".zip", ".pdf", ".gz", ".wasm", ".ico"}
# what a page shows nowhere
UNSEEN = re.compile(r"glue\(|:\w+:|solution-(?:start|end)$")


def answers(edition, name):
    """Stretches of plain words and lines of code that are in answers to exercises, and nowhere else in the page."""
    kept = squeeze(solutions.without_answers(source(edition, name)))
    found = "\n".join(match[0] for match in solutions.ANSWERS.finditer(source(edition, name)))
    code = [line.strip() for cell in CELL.findall(found) for line in cell.splitlines()]
    # between formulas, roles, marks of emphasis, and quotation marks, which become others
    prose = re.split(
        r"\$[^$]*\$|\{[^}]*\}`[^`]*`|[$`*_{}\[\]()<>\\\"'’“”]|^[-\d]+\.? |\n", CELL.sub("", found), flags=re.M
    )
    shortest = 12 if edition == "zh" else 30
    pieces = [squeeze(piece) for piece in [*code, *prose] if not UNSEEN.match(piece)]
    return [piece for piece in pieces if len(piece) >= shortest and piece not in kept]


def squeeze(text):
    return " ".join(text.replace("\u200b", "").replace("\u2060", "").split())


def texts(site):
    """The text of every file of a site, and of every file in its archive: tags left out, so that nothing is hidden."""
    files = [(path.relative_to(site).as_posix(), path) for path in site.rglob("*") if path.is_file()]
    for archive in site.glob("*.zip"):
        files += [(f"{archive.name}/{name}", zipfile.Path(archive, name)) for name in ZipFile(archive).namelist()]
    for name, path in files:
        if "." + name.rpartition(".")[2] not in BINARY:
            text = path.read_bytes().decode("utf-8", "replace").replace('\\"', '"').replace("\\n", "\n")
            yield name, squeeze(unescape(re.sub(r"</?[a-zA-Z][^<>]*>", "", text)))


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_a_source_without_answers_has_everything_else(edition, name):
    before, after = source(edition, name), solutions.without_answers(source(edition, name))
    assert not re.search(r"\{solution|short-answer", after), "a mark of a solution is left"
    exercises, headings = re.compile(r"^`+\{exercise\}.*$", re.M), re.compile(r"^## .*$", re.M)
    count = len(exercises.findall(before))
    assert len(list(solutions.ANSWERS.finditer(before))) == 2 * count, "each exercise has a short answer and a solution"
    for kept in (exercises, headings):
        assert kept.findall(after) == kept.findall(before)
    lines = iter(before.splitlines())
    assert all(line in lines for line in after.splitlines()), "lines must stay as they are, and in their order"
    assert len(answers(edition, name)) >= count


def test_solutions_appear_on_their_day_and_not_before(tmp_path):
    days = {"npo": date(2027, 3, 1), "stability": date(2027, 3, 2)}
    solutions.write_sources(tmp_path, days, TODAY)
    for edition in EDITIONS:
        for name, shown in {"npo": True, "stability": False, "intro": False}.items():
            text = (tmp_path / f"book/{edition}/{name}.md").read_text("utf-8")
            assert ("{solution" in text) == shown, f"{name} in {edition}"
            assert ("short-answer" in text) == shown, f"{name} in {edition}"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("npo", "argument --from: must be CHAPTER=YYYY-MM-DD, got 'npo'"),
        ("npo=1 March", "argument --from: must be CHAPTER=YYYY-MM-DD, got 'npo=1 March'"),
        ("faq=2027-03-01", "argument --from: must name a page with solutions ("),
    ],
)
def test_a_wrong_day_is_an_error_in_one_sentence(argument, message, tmp_path):
    assert message in complaint("students", "--to", tmp_path / "new", "--from", argument)


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine", "utf-8")
    said = complaint("students", "--to", tmp_path)
    assert f"--to must be new or an earlier site for students, got {tmp_path}" in said
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    assert f"--to must be an existing folder, got {tmp_path / 'none'}" in complaint("pdf", "--to", tmp_path / "none")


def complaint(*arguments):
    command = [sys.executable, "-m", "book.solutions", *arguments]
    ran = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=ROOT)
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr
    return ran.stderr


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_rubric_names_the_two_answers_that_a_check_cannot_tell_from_good_ones(edition):
    for name, loss in {
        r"\beta = 2": lambda logp, ref_logp: npo_loss(logp, ref_logp, beta=2),
        r"\max(u, -12)": lambda logp, ref_logp: np.maximum(logp - ref_logp, -12).mean(),
    }.items():
        check_slower_loss(loss)
        assert name in source(edition, "homework").partition(f"({edition}-sec-rubric)=")[2]


@pytest.mark.nightly
def test_no_solution_is_anywhere_in_the_site_for_students(site, tmp_path):
    assert solutions.students(tmp_path, {}, TODAY) == 0
    secrets = {(edition, name): answers(edition, name) for edition, name in BOTH}
    # the same search finds nearly all of them in the ordinary site
    ordinary = dict(texts(site))
    for (edition, name), pieces in secrets.items():
        page = ordinary[f"book/{edition}/{name}.html"]
        seen = sum(piece in page for piece in pieces)
        assert seen >= 0.95 * len(pieces), (
            f"of {len(pieces)} pieces of answers, book/{edition}/{name}.html shows {seen}"
        )
    students = dict(texts(tmp_path / "_build/html"))
    # other chapters may have the same words, and the homework's stubs the same first lines
    sources = [solutions.without_answers(source(edition, name)) for edition in EDITIONS for name in NAMES]
    sources += [SOLUTION.sub("", path.read_text("utf-8")) for path in (ROOT / "book/homework").glob("*.md")]
    elsewhere = "\n".join(map(squeeze, sources))
    wanted = [piece for pieces in secrets.values() for piece in pieces if piece not in elsewhere]
    found = [(name, piece) for name, text in students.items() for piece in wanted if piece in text]
    assert not found, f"answers in the site for students: {found[:5]}"
    assert {name for name in ordinary if name.endswith((".html", ".ipynb"))} == {
        name for name in students if name.endswith((".html", ".ipynb"))
    }, "the site for students must have every page and notebook"


@pytest.mark.parametrize("there", ["chromium", "chromium-browser", "google-chrome"])
def test_printing_finds_the_browsers_that_tests_find(monkeypatch, there):
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}" if name == there else None)
    assert pdf.find_chromium() == find_chromium() == f"/bin/{there}"


def test_printing_without_a_browser_says_what_to_install(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(SystemExit, match=r"printing needs Chromium \(Debian: apt-get install chromium\)"):
        pdf.find_chromium()

"""The assignments in the site: the notebooks of students, and no other version."""

import nbformat
import pytest

import npo_tutorial
from npo_tutorial.homework.assignments import Question, make_notebook, read_assignment
from tests.book.pages import BASE, EDITIONS, REPOSITORY, parse
from tests.conftest import ROOT

SOURCES = sorted((ROOT / "book/homework").glob("*.md"))


def test_the_site_holds_what_students_get(site):
    written = {path.relative_to(site / "homework").as_posix() for path in (site / "homework").rglob("*.ipynb")}
    expected = {f"{edition}/{source.stem}.ipynb" for edition in EDITIONS for source in SOURCES}
    assert written == expected, "homework/ of the site has each assignment of book/homework, for students only"
    # the site's own wheel first; neither address needs git
    wheel = f"npo_tutorial-{npo_tutorial.__version__}-py3-none-any.whl"
    packages = [
        f"npo-tutorial[torch] @ {place}" for place in (BASE + wheel, f"{REPOSITORY}/archive/refs/heads/main.zip")
    ]
    for source in SOURCES:
        for edition in EDITIONS:
            notebook = nbformat.read(site / f"homework/{edition}/{source.stem}.ipynb", as_version=4)
            assert notebook == make_notebook(read_assignment(source), "student", edition, package=packages)


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_page_offers_each_of_them(site, edition):
    links = parse(site / f"book/{edition}/homework.html").select("a[download][href*='homework/']")
    expected = [f"../../homework/{edition}/{path.stem}.ipynb" for path in SOURCES]
    rule = f"book/{edition}/homework.md offers each assignment of book/homework"
    assert sorted(link["href"] for link in links) == expected, rule


@pytest.mark.parametrize("edition", EDITIONS)
def test_an_exercise_with_a_check_names_a_question_that_a_browser_can_check(site, edition):
    questions = {
        part.name
        for path in SOURCES
        if "import torch" not in path.read_text("utf-8")
        for part in read_assignment(path)
        if isinstance(part, Question)
    }
    places = [
        (path.name, place["data-check"])
        for path in sorted((site / f"book/{edition}").glob("*.html"))
        for place in parse(path).select("div.exercise [data-check]")
    ]
    assert places, "no exercise has a check"
    for page, name in places:
        assert name in questions, f"{page}: :check: must name a question of an assignment without PyTorch, got {name}"

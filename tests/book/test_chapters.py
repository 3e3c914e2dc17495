"""The form that every chapter keeps: exercises with solutions, short cells, figures with caption and alt text."""

import re

import pytest

from tests.book.pages import CHAPTERS, EDITIONS, article
from tests.conftest import ROOT

BOTH = [(edition, name) for edition in EDITIONS for name in CHAPTERS]
BREAK_IT = {"zh": "弄坏它", "en": "Break it"}
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", re.S | re.M)
# methods and data sets: the only words that a figure may hold
NAMES_IN_FIGURES = {"GA", "NPO", "DPO", "log"}


def cells(edition, name):
    return CELL.findall((ROOT / f"book/{edition}/{name}.md").read_text("utf-8"))


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_exercises_have_collapsed_solutions_and_one_breaks_something(site, edition, name):
    page = article(site, edition, name)
    exercises, solutions = page.select("div.exercise"), page.select("div.solution")
    assert len(exercises) >= 3
    assert len(solutions) == len(exercises)
    assert all("dropdown" in solution["class"] for solution in solutions)
    assert any(BREAK_IT[edition] in exercise.select_one(".admonition-title").get_text() for exercise in exercises)


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_cells_are_short_and_only_call_the_package(edition, name):
    found = cells(edition, name)
    assert found
    for cell in found:
        lines = [line for line in cell.splitlines() if line.strip() and not line.startswith(":")]
        assert len(lines) <= 12, cell
        imported = set(re.findall(r"^(?:from|import) ([a-z_]+)", cell, re.M))
        assert imported <= {"npo_tutorial", "numpy", "myst_nb", "sklearn", "scipy", "torch", "math"}, cell


@pytest.mark.parametrize("name", CHAPTERS)
def test_figures_hold_symbols_and_method_names_only(name):
    for cell in cells("en", name):
        for call in re.findall(r"plots\.\w+\(.*", cell, re.S):
            for text in re.findall(r'"([^"\n]*)"', re.sub(r'glue\("[^"]*"', "", call)):
                # outside formulas; {…} is a value put in by an f-string
                words = re.findall(r"[^\W\d_]{3,}", re.sub(r"\$[^$]*\$|\{[^{}]*\}|^(log|linear|symlog)$", "", text))
                assert set(words) <= NAMES_IN_FIGURES, f"{name}: {text!r}"


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_every_figure_has_a_number_a_caption_and_alt_text(site, edition, name):
    figures = article(site, edition, name).select("figure")
    for figure in figures:
        assert figure.select_one("figcaption .caption-number")
        assert len(figure.select_one("figcaption .caption-text").get_text()) > 15
        for picture in figure.select("img"):
            assert len(picture.get("alt", "")) > 20
            assert picture["src"].endswith(".svg")


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_no_figure_stands_outside_a_numbered_figure(site, edition, name):
    page = article(site, edition, name)
    assert len(page.select("img")) == len(page.select("figure img"))

"""The form that every chapter keeps: exercises with solutions, short cells, figures with caption and alt text."""

import re

import pytest

from tests.book.pages import CHAPTERS, EDITIONS, MODULES, article, cells

BOTH = [(edition, name) for edition in EDITIONS for name in CHAPTERS]
BREAK_IT = {"zh": "弄坏它", "en": "Break it"}
# methods and data sets: the only words that a figure may hold
NAMES_IN_FIGURES = {"GA", "NPO", "DPO", "IDK", "SimNPO"}
TEXT = re.compile(r"<!-- (.*?) -->")


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
        lines = [line for line in cell.splitlines() if line.strip()]
        assert len(lines) <= 12, cell
        # what fits beside both sidebars on a screen of 1280 px
        assert max(map(len, lines)) <= 88, cell
        imported = set(re.findall(r"^(?:from|import) ([a-z_]+)", cell, re.M))
        assert imported <= MODULES, cell


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_figures_hold_symbols_and_method_names_only(site, edition, name):
    # Matplotlib draws text as outlines and leaves the text itself in a comment
    pictures = {picture["src"] for picture in article(site, edition, name).select("figure img")}
    texts = [text for src in pictures for text in TEXT.findall((site / f"book/{edition}" / src).read_text("utf-8"))]
    for text in texts:
        words = re.findall(r"[^\W\d_]{3,}", re.sub(r"\$[^$]*\$", "", text))
        assert set(words) <= NAMES_IN_FIGURES, text
    assert texts


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
    # but for the pictures that stand in for a demo
    assert len(page.select("img")) == len(page.select("figure img, .widget-stand-in img"))

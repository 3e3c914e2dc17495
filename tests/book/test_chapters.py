"""The form that every chapter keeps: exercises with solutions, short cells, figures with caption and alt text."""

import re

import pytest

from tests.book.pages import CHAPTERS, EDITIONS, article, cells, check_cell

BOTH = [(edition, name) for edition in EDITIONS for name in CHAPTERS]
BREAK_IT = {"zh": "弄坏它", "en": "Break it"}
# methods and data sets: the only words that a figure may contain
NAMES_IN_FIGURES = {"GA", "NPO", "DPO", "IDK", "SimNPO"}
TEXT = re.compile(r"<!-- (.*?) -->")


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_exercises_have_collapsed_solutions_and_one_breaks_something(site, edition, name):
    page = article(site, edition, name)
    exercises, solutions = page.select("div.exercise"), page.select("div.solution")
    where = f"book/{edition}/{name}.md"
    assert len(exercises) >= 3, f"{where} has {len(exercises)} exercises: a chapter must have three or more"
    assert len(solutions) == len(exercises), f"{where} has {len(solutions)} solutions for {len(exercises)} exercises"
    assert all("dropdown" in solution["class"] for solution in solutions), (
        f"{where}: a solution must have :class: dropdown"
    )
    titles = [exercise.select_one(".admonition-title").get_text() for exercise in exercises]
    assert any(BREAK_IT[edition] in title for title in titles), (
        f"{where}: one exercise must be titled “{BREAK_IT[edition]}”"
    )


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_cells_are_short_and_only_call_the_package(edition, name):
    found = cells(edition, name)
    assert found, f"book/{edition}/{name}.md has no code cell"
    for cell in found:
        check_cell(cell)


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_figures_contain_symbols_and_method_names_only(site, edition, name):
    # Matplotlib draws text as outlines and leaves the text itself in a comment
    pictures = {picture["src"] for picture in article(site, edition, name).select("figure img")}
    texts = [text for src in pictures for text in TEXT.findall((site / f"book/{edition}" / src).read_text("utf-8"))]
    rule = "one figure serves both editions, so its text is symbols and method names only"
    for text in texts:
        words = re.findall(r"[^\W\d_]{3,}", re.sub(r"\$[^$]*\$", "", text))
        assert set(words) <= NAMES_IN_FIGURES, f"{name}: a figure says {text!r}: {rule}"
    assert texts, f"book/{edition}/{name}.md has no figure"


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_every_figure_has_a_number_a_caption_and_alt_text(site, edition, name):
    figures = article(site, edition, name).select("figure")
    for figure in figures:
        where = f"book/{edition}/{name}.md, figure {figure.get('id')}"
        assert figure.select_one("figcaption .caption-number"), f"{where}: a figure must have a number"
        text = figure.select_one("figcaption .caption-text")
        caption = text.get_text() if text else ""
        assert len(caption) > 15, f"{where}: a caption must say what to see, got {caption!r}"
        for picture in figure.select("img"):
            alt = picture.get("alt", "")
            assert len(alt) > 20, f"{where}: the alt text must say what the figure shows, got {alt!r}"
            assert picture["src"].endswith(".svg"), f"{where}: figures must be SVG, got {picture['src']}"


@pytest.mark.parametrize(("edition", "name"), BOTH)
def test_no_figure_is_outside_a_numbered_figure(site, edition, name):
    page = article(site, edition, name)
    # except the pictures that replace a demo
    loose = set(page.select("img")) - set(page.select("figure img, .widget-stand-in img"))
    assert not loose, f"book/{edition}/{name}.md: glue the figure, with a number and a caption: {loose}"

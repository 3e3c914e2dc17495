"""What a page shows of a cell: no `glue`, and what only draws is folded."""

import pytest
from booksite.document.code import folded_lines, without_glue

from tests.book.pages import EDITIONS, NAMES, article

CELL = """from myst_nb import glue
from npo_tutorial import plots, run

# a run
path = run(3)
curves = {}
for b in path:
    curves[b] = b
    glue(f"number-{b}", b)
for b in path:
    glue(f"other-{b}", b)
label = "$t$"

fig = plots.lines(path, curves, x_label=label)
glue("fig-run", fig, display=False)
glue(
    "last",
    path[-1],
)
"""
SHOWN = """from npo_tutorial import plots, run

# a run
path = run(3)
curves = {}
for b in path:
    curves[b] = b
label = "$t$"

fig = plots.lines(path, curves, x_label=label)
fig"""


def open_lines(source, used=()):
    folded = folded_lines(source, {"print", "run"}, set(used))
    return [line for number, line in enumerate(source.splitlines(), 1) if number not in folded]


def test_lines_that_take_results_over_are_gone_and_a_figure_stands_where_it_was():
    assert without_glue(CELL) == SHOWN


def test_what_only_draws_is_folded_with_the_blank_line_before_it():
    assert open_lines(SHOWN) == SHOWN.splitlines()[:4]


@pytest.mark.parametrize(("used", "n_open"), [("curves", 7), ("label", 5)])
def test_what_a_later_cell_reads_is_open(used, n_open):
    lines = open_lines(SHOWN, [used])
    assert len(lines) == n_open and lines[:4] == SHOWN.splitlines()[:4]


def test_what_prints_is_open_and_so_is_what_it_needs():
    assert open_lines("a = 1\nb = 2\nc = [a]\nc.append(3)\nprint(c)") == ["a = 1", "c = [a]", "c.append(3)", "print(c)"]


@pytest.mark.parametrize("edition", EDITIONS)
def test_pages_have_both_kinds_of_cells_and_a_word_for_each_fold(site, edition):
    pages = [article(site, edition, name) for name in NAMES]
    folded = [cell for page in pages for cell in page.select(".cell_input:has(> details)")]
    assert len(folded) > 20 and len(folded) < sum(len(page.select(".cell_input")) for page in pages) / 2
    for cell in folded:
        assert cell.select_one("summary").get_text() and cell.select(".hll")
    assert not any("glue" in cell.get_text() for page in pages for cell in page.select(".cell_input"))

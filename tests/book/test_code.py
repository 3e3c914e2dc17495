"""What a page shows of a cell: no `glue`, and what only draws is folded."""

import re

import pytest
from booksite.document.code import DRAWING, without_glue

from tests.book.pages import EDITIONS, NAMES, article, cells

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
# drawing
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
# drawing
label = "$t$"

fig = plots.lines(path, curves, x_label=label)
fig"""


def test_lines_that_take_results_over_are_gone_and_a_figure_stands_where_it_was():
    assert without_glue(CELL) == SHOWN


@pytest.mark.parametrize("name", NAMES)
def test_a_cell_says_where_it_only_draws(name):
    for cell in cells("en", name):
        draws = re.search(r"\bplots\.\w+\(", cell)
        assert not draws or DRAWING in cell.splitlines(), (
            f"book/*/{name}.md: the lines of a cell that only draw come last, below the line `{DRAWING}`, got\n{cell}"
        )


@pytest.mark.parametrize("edition", EDITIONS)
def test_pages_have_both_kinds_of_cells_and_a_word_for_each_fold(site, edition):
    pages = [article(site, edition, name) for name in NAMES]
    folded = [cell for page in pages for cell in page.select(".cell_input:has(> details)")]
    assert len(folded) > 20 and len(folded) < sum(len(page.select(".cell_input")) for page in pages) / 2
    for cell in folded:
        assert cell.select_one("summary").get_text() and cell.select(".hll")
    assert not any("glue" in cell.get_text() for page in pages for cell in page.select(".cell_input"))

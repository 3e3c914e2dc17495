"""What a page shows of a cell: no `glue`, and what only draws is folded."""

import ast
import re

import pytest
from booksite.document.code import DRAWING, is_glue, without_glue

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


def served_glue(loop):
    """Whether a loop without its `glue` only gives names values that its next turn overwrites."""
    left = [node for node in loop.body if not is_glue(node)]
    names_only = (isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Subscript) for node in left)
    return len(left) < len(loop.body) and bool(left) and all(names_only)


def idle_loops(cell):
    shown = ast.parse(cell.split(f"{DRAWING}\n")[0])
    return [node.lineno for node in shown.body if isinstance(node, ast.For) and served_glue(node)]


def test_a_loop_that_only_served_glue_is_noticed():
    loop = "for b in path:\n    far = 2 * b\n    glue(f'far-{b}', far)\n"
    assert idle_loops(loop) == [1]
    assert not idle_loops(f"{DRAWING}\n{loop}") and not idle_loops(CELL) and not idle_loops(loop + "    print(far)")


@pytest.mark.parametrize("name", NAMES)
def test_no_page_shows_a_loop_that_does_nothing(name):
    for cell in cells("en", name, in_page=True):
        assert not idle_loops(cell), f"book/*/{name}.md: write `{DRAWING}` above what only serves the text, got\n{cell}"


@pytest.mark.parametrize("edition", EDITIONS)
def test_pages_have_both_kinds_of_cells_and_a_word_for_each_fold(site, edition):
    pages = [article(site, edition, name) for name in NAMES]
    folded = [cell for page in pages for cell in page.select(".cell_input:has(> details)")]
    assert len(folded) > 20 and len(folded) < sum(len(page.select(".cell_input")) for page in pages) / 2
    for cell in folded:
        assert cell.select_one("summary").get_text() and cell.select(".hll")
    assert not any("glue" in cell.get_text() for page in pages for cell in page.select(".cell_input"))

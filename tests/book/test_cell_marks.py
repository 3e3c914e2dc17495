"""What a page says of a cell before it is run, that it needs PyTorch or takes long, is said of the right cells."""

import json
import re
import sys

import pytest

from tests.book.pages import EDITIONS, NAMES, parse, read
from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "book/in_page"))

from publish import CELL, MARKS, STATIC, key_of, mark_cells

MARKED = json.loads(MARKS.read_text("utf-8"))
FIND_OUT = "run `python -m tests.benchmarks.in_page --write` with the names of these pages"
# as a cell's own code names it; a function of the package may need it as well, which only running the cell shows
TORCH = re.compile(r"^ *(?:import|from) torch\b|\btorch\.", re.M)
PAGE = """<div class="cell_input docutils container">
<div class="highlight-ipython3 notranslate"><div class="highlight"><pre><span></span><span class="kn">import</span>
<span class="nn">torch</span> <span class="c1"># 1 &lt; a &gt; 0</span>
</pre></div></div></div>
<div class="cell_input docutils container">
<div class="highlight-ipython3 notranslate"><div class="highlight"><pre><span></span><span class="mi">1</span>
</pre></div></div></div>"""


def test_a_mark_goes_to_its_cell_and_no_longer_fits_when_the_code_changes():
    # one comparison alone would do no harm
    key = key_of("import\ntorch # 1 < a > 0\n")
    marked, found = mark_cells(PAGE, {key: {"page": "faq", "needs": "torch"}})
    first, second = CELL.findall(marked)
    assert "data-mark=" in first[0] and "data-mark=" not in second[0]
    assert marked.replace(re.search(r' data-mark="[^"]*"', marked)[0], "") == PAGE
    assert found == {key, key_of("1")}
    changed, found = mark_cells(
        PAGE.replace("1 &lt; a &gt; 0", "1 &lt; a &gt; 9"), {key: {"page": "faq", "needs": "torch"}}
    )
    assert key not in found and "data-mark=" not in changed


@pytest.mark.parametrize("edition", EDITIONS)
def test_every_mark_is_that_of_a_cell_of_its_page(site, edition):
    stale = set()
    for name in {mark["page"] for mark in MARKED.values()}:
        page = site / f"book/{edition}/{name}.html"
        keys = mark_cells(read(page), {})[1] if page.is_file() else set()
        stale |= {name for key, mark in MARKED.items() if mark["page"] == name and key not in keys}
    assert not stale, f"{MARKS.name} marks cells that have changed or gone, in {', '.join(sorted(stale))}: {FIND_OUT}"


def test_every_cell_that_names_pytorch_is_marked(site):
    unmarked = []
    for name in NAMES:
        for cell in parse(site / f"book/en/{name}.html").select("article .cell_input pre"):
            code = cell.get_text().strip()
            if TORCH.search(code) and MARKED.get(key_of(code), {}).get("needs") != "torch":
                unmarked.append(f"{name}: {code.splitlines()[0]}")
    assert not unmarked, f"these cells need PyTorch, and their pages do not say so: {unmarked}; {FIND_OUT}"


def test_every_mark_has_its_words():
    words = json.loads((STATIC / "words.json").read_text("utf-8"))
    for mark in MARKED.values():
        assert set(mark) - {"page"} in ({"needs"}, {"seconds"}), mark
        name = mark.get("needs", "slow")
        assert all(name in words[edition] for edition in EDITIONS), f"words.json has no {name} in both languages"

"""What “How to run” and “Homework” say of Python in the page is what the pages say and load."""

import json
import re

import pytest

from tests.book.pages import EDITIONS, source
from tests.conftest import ROOT

STATIC = ROOT / "book/in_page/static"
QUOTED = {"en": r"\*([A-Z][^*.]*)\*", "zh": r"“([^”]*)”"}


def section(edition, label):
    return re.split(
        r"^\(\w+-sec-[\w-]+\)=$", source(edition, "how-to-run").partition(f"({edition}-sec-{label})=")[2], flags=re.M
    )[0]


@pytest.mark.parametrize("edition", EDITIONS)
def test_buttons_have_the_names_that_the_book_uses(edition):
    words = set()
    for path in STATIC.glob("*.json"):
        words |= set(json.loads(path.read_text("utf-8"))[edition].values())
    named = set(re.findall(QUOTED[edition], section(edition, "in-page")))
    assert len(named) > 3
    assert not named - words, f"book/{edition}/how-to-run.md: no button is called {named - words}"

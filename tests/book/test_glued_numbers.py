"""Numbers that cells computed read in the text as an author would write them."""

import re

import pytest
from booksite.document.text import typeset

from tests.book.pages import TWINS, parse


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("-0.60", "−0.60"),
        ("2.06e-09", "2.06·10⁻⁹"),
        ("-4e+12", "−4·10¹²"),
        ("0.70 ± 0.14", "0.70\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}0.14"),
        ("1,200", "1,200"),
        ("13/15", "13/15"),
        ("≤ 0.05", "≤\N{NO-BREAK SPACE}0.05"),
        ("gpt-2", "gpt-2"),
        ("one or two", "one or two"),
    ],
)
def test_minus_power_and_spread(written, read):
    assert typeset(written) == read


def test_no_page_shows_a_number_in_python_s_notation(site):
    texts = {page: [tag.get_text() for tag in parse(site / page).select(".pasted-text")] for page in TWINS}
    assert any(text.startswith("−") for found in texts.values() for text in found)
    for page, found in texts.items():
        wrong = [text for text in found if re.search(r"-\d|\de[-+]", text)]
        assert not wrong, f"{page}: a page has −3 and 2·10⁻⁹, typeset by document/text.py, got {wrong}"

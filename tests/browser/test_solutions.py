"""The lecturer's PDF has every exercise with its solution, and not the chapters around them."""

import re

import pypdfium2
import pytest

from book import pdf, solutions
from tests.book.pages import NAMES, article, editions, source
from tests.browser.test_print import letters, texts

MATH = ["math", "katex"]
pytestmark = [pytest.mark.xdist_group("paper"), pytest.mark.nightly]


@editions("en")
def test_every_solution_is_on_paper_and_no_chapter(browser, site, edition, tmp_path):
    target = tmp_path / "solutions.pdf"
    solutions.write_pdf(browser, site, pdf.SETTINGS.edition_of(f"{edition}/"), target)
    sheets = texts(target)
    whole = letters("".join(sheets))
    count = 0
    for name in NAMES:
        page = article(site, edition, name)
        for box in page.select(".exercise > .admonition-title, .solution section"):
            pieces = [letters(piece) for piece in box.find_all(string=True) if not piece.find_parent(class_=MATH)]
            # a page may end within it
            words = max(pieces, key=len)[:24]
            assert words in whole, f"{name}: the PDF must have “{words}”"
        count += len(re.findall(r"^`+\{exercise\}", source(edition, name), re.M))
        box = page.select_one("div.quick > .admonition-title")
        assert not box or letters(box.get_text()) not in whole, f"{name}: the PDF must have exercises only"
    assert count > 40
    assert solutions.TITLES[edition][0] in sheets[0]
    assert len(pypdfium2.PdfDocument(target)) < 150

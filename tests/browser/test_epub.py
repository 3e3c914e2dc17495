"""The pages of an EPUB as a reader on a phone shows them."""

import zipfile

import pytest

from book import epub
from tests.browser import checks
from tests.browser.visit import PHONE, Visit, too_wide

pytestmark = pytest.mark.nightly
FAULTS = """<p style="width: 400px">wide</p><article>
<p style="width: 3em"><span class="math" style="display: inline-block; width: 3em"></span>, y</p></article>"""


@pytest.mark.parametrize("key", [edition.key for edition in epub.SETTINGS.editions])
def test_nothing_sticks_out_sideways_and_no_line_begins_with_a_comma(browser, site, tmp_path, key):
    epub.write(site, epub.SETTINGS.edition_of(f"{key}/"), tmp_path / "book.epub")
    zipfile.ZipFile(tmp_path / "book.epub").extractall(tmp_path)
    pages = sorted((tmp_path / "EPUB").glob("*.xhtml"))
    assert len(pages) > 10
    wide, broken, unread = {}, {}, []
    # a reader lays its pages out as wide as the screen, whatever they say
    with Visit(browser, tmp_path.as_uri(), viewport=PHONE["viewport"]) as visit:
        for path in pages:
            page = visit.open(path.as_uri())
            # a reader shows a page of XML up to its first fault
            unread += [path.name] if page.locator("parsererror").count() else []
            if found := too_wide(page):
                wide[path.name] = found
            if found := page.evaluate(checks.BROKEN):
                broken[path.name] = found
        assert not unread and not visit.complaints, (unread, visit.complaints)
        assert not wide
        assert not broken
        # checks that cannot fail are worthless
        page.evaluate("(html) => document.body.insertAdjacentHTML('beforeend', html)", FAULTS)
        assert too_wide(page) and page.evaluate(checks.BROKEN) == ["a line begins with , y"]

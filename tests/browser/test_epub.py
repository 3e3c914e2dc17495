"""The pages of an EPUB as a reader on a phone shows them."""

import zipfile

import pytest

from book import epub
from tests.browser.visit import PHONE, Visit, too_wide

pytestmark = pytest.mark.nightly


@pytest.mark.parametrize("key", [edition.key for edition in epub.SETTINGS.editions])
def test_nothing_sticks_out_sideways(browser, site, tmp_path, key):
    epub.write(site, epub.SETTINGS.edition_of(f"{key}/"), tmp_path / "book.epub")
    zipfile.ZipFile(tmp_path / "book.epub").extractall(tmp_path)
    pages = sorted((tmp_path / "EPUB").glob("*.xhtml"))
    assert len(pages) > 10
    wide, unread = {}, []
    # a reader lays its pages out as wide as the screen, whatever they say
    with Visit(browser, tmp_path.as_uri(), java_script_enabled=False, viewport=PHONE["viewport"]) as visit:
        for path in pages:
            page = visit.open(path.as_uri())
            # a reader shows a page of XML up to its first fault
            unread += [path.name] if page.locator("parsererror").count() else []
            if found := too_wide(page):
                wide[path.name] = found
        assert not wide and not unread and not visit.complaints, (wide, unread, visit.complaints)
        # a check that cannot fail is worthless
        page.evaluate("document.body.firstElementChild.style.width = '400px'")
        assert too_wide(page)

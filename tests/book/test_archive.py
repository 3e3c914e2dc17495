"""The zip of the site: complete, and readable from a disk or a USB stick."""

import re
from urllib.parse import urlparse
from zipfile import ZipFile

import pytest

from tests.book.pages import EDITIONS, all_pages, parse

NAME = "npo-tutorial"


@pytest.fixture(scope="module")
def unpacked(site, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stick")
    with ZipFile(site / f"{NAME}.zip") as archive:
        archive.extractall(folder)
    # everything in one folder, so that unpacking scatters nothing
    assert [path.name for path in folder.iterdir()] == [NAME]
    return folder / NAME


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_contains_every_file_of_the_site_except_itself_and_pdfs_and_epubs(site, unpacked):
    downloads = {f"{NAME}.zip", *(path.name for form in ("pdf", "epub") for path in site.glob(f"*.{form}"))}
    assert files(unpacked) == files(site) - downloads
    for name in files(unpacked):
        if not name.endswith(".html"):
            assert (unpacked / name).read_bytes() == (site / name).read_bytes(), name


def test_both_first_pages_link_to_it_and_its_own_pages_do_not(site, unpacked):
    for edition in EDITIONS:
        page = f"book/{edition}/index.html"
        assert parse(site / page).select(f"p.site-archive a[href$='/{NAME}.zip']")
        text = (site / page).read_text("utf-8")
        assert (unpacked / page).read_text("utf-8") == re.sub(
            r'<p class="site-(archive|pdf|epub)">.*?</p>\s*', "", text
        )
    assert not [name for name in all_pages(unpacked) if f'{NAME}.zip"' in (unpacked / name).read_text("utf-8")]


@pytest.mark.nightly
def test_links_in_its_pages_stay_within_it(unpacked):
    # only servers show the 404 page, at any address
    for name in set(all_pages(unpacked)) - {"404.html"}:
        for tag in parse(unpacked / name).select("[href], [src]"):
            target = urlparse(tag.get("href") or tag.get("src"))
            if target.scheme or not target.path:
                continue
            file = (unpacked / name).parent.joinpath(target.path).resolve()
            assert file.is_file() and file.is_relative_to(unpacked), f"{name}: {tag}"

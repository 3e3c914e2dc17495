"""What readers take along: the wheel that notebooks install, and the source of the same commit."""

import subprocess
import sys
from zipfile import ZipFile

import pytest

import npo_tutorial
from book import downloads
from tests.conftest import ROOT
from tests.project import ask_git

sys.path.insert(0, str(ROOT / "book/in_page"))

from offline import kept_files, part_of

WHEEL = f"npo_tutorial-{npo_tutorial.__version__}-py3-none-any.whl"


def committed(folder=""):
    listing = subprocess.run(
        ["git", "-C", ROOT, "ls-tree", "-rz", "--name-only", "HEAD", folder or "."],
        capture_output=True,
        encoding="utf-8",
    )
    return set(filter(None, listing.stdout.split("\0")))


@pytest.mark.nightly
def test_wheel_and_source_are_those_of_the_last_commit_and_twice_the_same(tmp_path):
    if ask_git("rev-parse", "HEAD") is None:
        pytest.skip("no git repository here, and what is shipped is its last commit")
    (tmp_path / "npo_tutorial-0.0.1-py3-none-any.whl").write_bytes(b"of an earlier version")
    downloads.write_package(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {WHEEL, "npo-tutorial-source.zip"}
    with ZipFile(tmp_path / "npo-tutorial-source.zip") as archive:
        files = {name for name in archive.namelist() if not name.endswith("/")}
    assert files == {f"npo-tutorial-source/{name}" for name in committed()}
    with ZipFile(tmp_path / WHEEL) as archive:
        files = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert files == committed("npo_tutorial")
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    downloads.write_package(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


def test_without_git_it_says_what_it_needs(tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(SystemExit, match=r"book/downloads.py needs a clone made by git, to ship its last commit: \S"):
        downloads.write_package(tmp_path)


def test_readers_who_keep_the_course_offline_keep_no_other_form_of_it(tmp_path):
    kept = {"book/en/npo.html", "notebooks/en/npo.ipynb", "python/numpy.zip", "python/npo.whl"}
    others = {"a.zip", "a.pdf", "a.epub", WHEEL, "llms.txt", "book/en/npo.html.md", "homework/en/losses.ipynb.md"}
    for name in kept | others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("", "utf-8")
    assert {name for name, _ in kept_files(tmp_path)} == kept


@pytest.mark.parametrize(
    ("part", "names"),
    {
        "": "index.html NPO.html book/api.html _static/joined.css _images/en.svg pagefind/pagefind.js quiz/page.js "
        "pagefind/wasm.unknown.pagefind python/offline.js python/page.js",
        "en": "book/en/npo.html embed/en/npo.html notebooks/en/npo.ipynb quiz/en.html quiz/en-clicker.html "
        "pagefind/titles.en.json pagefind/fragment/en_12ab.pf_fragment pagefind/pagefind.en_12ab.pf_meta",
        "zh": "book/zh/npo.html homework/zh/losses.ipynb quiz/zh.xml pagefind/index/zh-hans_12ab.pf_index",
        "python": "python/numpy.zip python/worker.js python/LICENCES.txt",
    }.items(),
)
def test_readers_of_one_edition_keep_neither_the_other_one_nor_python(part, names):
    assert {name: part_of(name) for name in names.split()} == dict.fromkeys(names.split(), part)

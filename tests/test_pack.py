"""What a page loads is made of the same bytes each time, wherever and whenever it is made, and names no machine."""

import gzip
import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from tests.conftest import ROOT

PACK = """
import sys
from pathlib import Path

root, files, target = map(Path, sys.argv[1:])
sys.path.insert(0, str(root / "book/in_page"))
from fetch import core, wheels
from pack import pack

pyodide = core(files)
pack(pyodide, wheels(files, pyodide), root, target)
"""


def packed(root, folder, seed):
    """Name → bytes of all that is made from the sources in `root`."""
    files, target, aside = ROOT / "_build/pyodide", folder / "python", folder / "aside"
    files.mkdir(parents=True, exist_ok=True)
    aside.mkdir(parents=True)
    environment = os.environ | {"TMPDIR": str(aside), "PYTHONHASHSEED": seed}
    command = [sys.executable, "-c", PACK, root, files, target]
    made = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", errors="replace")
    assert not made.returncode, made.stderr[-1000:]
    return {path.name: path.read_bytes() for path in sorted(target.iterdir())}


def contents(path, data):
    """The file itself, or what is in it."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return {f"{path.name}/{name}": archive.read(name) for name in archive.namelist()}
    return {path.name: gzip.decompress(data) if path.suffix == ".gz" else data}


@pytest.mark.nightly
def test_two_runs_give_the_same_bytes_without_paths_of_this_machine(tmp_path):
    copy = tmp_path / "elsewhere/copy"
    for name in ("npo_tutorial", "book/in_page"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in copy.rglob("*.py"):
        # another time of the last change
        os.utime(path, (1e9, 1e9))
    first, second = packed(ROOT, tmp_path / "first", "1"), packed(copy, tmp_path / "second", "2")
    assert sorted(first) == sorted(second)
    assert not [name for name in first if first[name] != second[name]]
    listing = json.loads(first["parts.json"])
    files = {file["file"] for kind in ("core", "parts") for file in listing[kind].values()}
    assert set(first) == files | {"parts.json", "LICENCES.txt"}
    places = [str(place).encode() for place in (ROOT, tmp_path, sys.prefix)]
    for name, data in first.items():
        for part, content in contents(tmp_path / "first/python" / name, data).items():
            assert not [place for place in places if place in content], f"{part} names a folder of this machine"

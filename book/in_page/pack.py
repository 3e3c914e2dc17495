"""Makes the parts that a page loads from the files that `fetch` got: no tests, bytecode for sources, the same bytes.

A part is one ZIP for the folder of packages. Licences of all packages go into one text beside them.
"""

import gzip
import json
import re
import shutil
import time
import zipfile
from email import message_from_string
from pathlib import Path
from tempfile import TemporaryDirectory

from fetch import CORE, HERE, LIST, PLAN, VERSION, run, sha256

COMPRESSED = ("pyodide.asm.wasm", "pyodide.asm.js")
DATE = time.gmtime(315532800)[:6]
LICENCE = re.compile(
    r"(?:^|/)[^/]*\.dist-info/(?:licenses?/)?(?:.*/)?(?:LICEN[SC]E|COPYING|NOTICE|COPYRIGHT)[^/]*$", re.I
)
# a package may ask for its own version
OTHER = re.compile(r"[^/]+\.dist-info/")
METADATA = re.compile(r"[^/]+\.dist-info/METADATA")
# of the standard library: what is made for a terminal, a server, another system, or for developing Python itself
STANDARD = re.compile(
    r"(?:distutils|lib2to3|idlelib|ensurepip|turtledemo|tkinter|venv|pydoc_data|wsgiref|xmlrpc|curses|dbm|sqlite3"
    r"|unittest/test|test|lib2to3)/|(?:turtle|imaplib|smtplib|nntplib|telnetlib|ftplib|poplib|mailbox|mailcap|cgi|cgitb"
    r"|antigravity|this|webbrowser|_aix_support|_osx_support|_pydecimal|asynchat|asyncore|smtpd|crypt)\.py"
)


def write_zip(path, members):
    """The same members make the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in sorted(members.items()):
            archive.writestr(zipfile.ZipInfo(name, DATE), content, zipfile.ZIP_DEFLATED, 9)


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def of_part(part, files, own):
    """Name → content of all that a part needs."""
    kept, without = re.compile(part.get("files", "")), re.compile("|".join(part.get("without", [])) or r"\Z.")
    found = {}
    for name in part["from"]:
        content = own if name == "npo-tutorial" else members(files[name])
        found |= {
            place: data
            for place, data in content.items()
            if METADATA.fullmatch(place)
            or (kept.search(place) and not without.search(place) and not OTHER.match(place))
        }
    return found


def licences(files):
    """Name, version and licence texts of every package."""
    for name, path in sorted(files.items()):
        content = members(path)
        about = next((message_from_string(content[n].decode()) for n in content if METADATA.fullmatch(n)), {})
        licence = about.get("License-Expression") or (about.get("License") or "").split("\n")[0]
        yield f"{'=' * 80}\n{name} {about.get('Version', '')} {licence}\n{about.get('Home-page') or ''}".rstrip()
        yield from (content[n].decode("utf-8", "replace").strip() for n in sorted(content) if LICENCE.search(n))


def package(root):
    """The package in the source folder, with sources: a reader's traceback and `help` need them."""
    folder = root / "npo_tutorial"
    files = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def pack(pyodide, files, root, target):
    """Write core, parts, `parts.json` and licences into `target`; returns the parts."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in CORE:
        # not every host compresses WebAssembly, so it is compressed here
        content = (pyodide / name).read_bytes()
        packed = gzip.compress(content, 9, mtime=0) if name in COMPRESSED else content
        (target / place_of(name)).write_bytes(packed)
    standard = members(pyodide / "python_stdlib.zip")
    write_zip(target / "python_stdlib.zip", {n: data for n, data in standard.items() if not STANDARD.match(n)})
    own = package(root)
    with TemporaryDirectory() as aside:
        for name, part in PLAN["parts"].items():
            for place, data in of_part(part, files, own).items():
                path = Path(aside, name, place)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        # the package keeps its sources
        shutil.move(Path(aside, "npo-tutorial/npo_tutorial"), Path(aside, "own"))
        run("node", str(HERE / "compile.mjs"), str(pyodide), aside)
        shutil.rmtree(Path(aside, "npo-tutorial/npo_tutorial"), ignore_errors=True)
        for name in PLAN["parts"]:
            folder = Path(aside, name)
            found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
            write_zip(target / f"{name}.zip", found | (own if name == "npo-tutorial" else {}))
    text = "\n\n".join([f"Pyodide {VERSION}, MPL-2.0: https://github.com/pyodide/pyodide", *licences(files)])
    (target / "LICENCES.txt").write_text(text + "\n", "utf-8", newline="\n")
    parts = {
        name: {key: part[key] for key in ("needs", "modules", "library") if key in part} | about(target / f"{name}.zip")
        for name, part in PLAN["parts"].items()
    }
    info = json.loads((pyodide / LIST).read_text("utf-8"))["info"]
    listing = {"info": info, "core": {name: about(target / place_of(name)) for name in CORE}, "parts": parts}
    (target / "parts.json").write_text(json.dumps(listing, indent=1) + "\n", "utf-8", newline="\n")
    return listing


def place_of(name):
    return f"{name}.gz" if name in COMPRESSED else name


def about(path):
    content = path.read_bytes()
    return {"file": path.name, "bytes": len(content), "hash": sha256(content)[:16]}

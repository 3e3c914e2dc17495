"""The requirements files pin what the code imports, and pyproject.toml bounds the same packages."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

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


def test_every_bound_package_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    bounds = project["dependencies"] + [bound for extra in extras.values() for bound in extra]
    names = {plain(re.match(r"[\w.-]+", bound)[0]) for bound in bounds}
    loose = names - {"npo-tutorial"} - pins()
    assert not loose, (
        f"packages in pyproject.toml must have a pin in requirements.txt or requirements-test.txt: {loose}"
    )

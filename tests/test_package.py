"""The package as a whole: what importing it loads, what it says without its extras, what its wheel contains."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import npo_tutorial
from npo_tutorial import demos, explore, homework
from npo_tutorial._extras import require
from tests.project import copy_project

ROOT = Path(__file__).parent.parent


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True).stdout


LOADED = "; import sys; print(*{name.split('.')[0] for name in sys.modules if name not in sys.stdlib_module_names})"
DEPENDENCIES = {"numpy", "array_api_compat"}


@pytest.mark.parametrize(
    "code", ["import npo_tutorial", "from npo_tutorial import *; import npo_tutorial; dir(npo_tutorial)"]
)
def test_import_loads_numpy_and_array_api_compat_only(code):
    without = set(run("import numpy, array_api_compat" + LOADED).split())
    assert set(run(code + LOADED).split()) - without == {"npo_tutorial"}


@pytest.mark.parametrize(
    "call",
    [
        "npo_loss([-1.0], [-2.0], beta=1)",
        "simnpo_weight([-1.0], [2], beta=1)",
        "forget_set(4, 8, seed=0)",
        "coherence([[1.0, 0.0], [0.0, 1.0]])",
        "npo_gap([1.0], beta=0.5)",
    ],
)
def test_what_needs_no_scipy_loads_none(call):
    assert set(run(f"import numpy as np; from npo_tutorial import *; {call}" + LOADED).split()) & {"scipy"} == set()


def test_records_and_metrics_of_language_models_need_no_pytorch():
    code = "from npo_tutorial.language import read_records; from npo_tutorial.language.evaluation import compare"
    assert not set(run(code + LOADED).split()) & {"torch", "transformers"}


def test_scipy_comes_with_the_first_function_that_needs_it():
    code = (
        "import sys, npo_tutorial as npo; npo.gradient_descent([[1.0]], [1], [0.0], loss='ga', step_size=1, n_steps=1)"
    )
    assert "scipy" in run(code + LOADED).split()


def test_losses_work_and_say_what_is_missing_without_the_extras():
    code = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "jax", "cupy", "anywidget", "sklearn", "matplotlib"):
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Absent())
import npo_tutorial
from npo_tutorial._extras import require
print(npo_tutorial.npo_loss([-2.0], [-1.0], beta=1.0) > 0)
for call in (lambda: npo_tutorial.loss_gradient(npo_tutorial.ga_loss, [-1.0]), lambda: require("anywidget")):
    try:
        call()
    except ImportError as error:
        print(error)
"""
    assert run(code).splitlines() == [
        "True",
        "this needs torch: pip install 'npo-tutorial[torch]'",
        "this needs anywidget: pip install 'npo-tutorial[widgets]'",
    ]


def test_a_broken_optional_package_is_not_reported_as_missing(tmp_path, monkeypatch):
    (tmp_path / "anywidget.py").write_text("import a_module_that_it_lacks", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "anywidget", raising=False)
    with pytest.raises(ModuleNotFoundError, match="a_module_that_it_lacks"):
        require("anywidget")


def test_public_names_are_documented_and_exist():
    for name in npo_tutorial.__all__:
        assert getattr(npo_tutorial, name).__doc__, f"npo_tutorial.{name} has no docstring"


def test_every_public_name_is_in_the_api_reference():
    page = (ROOT / "book/api.md").read_text("utf-8")
    for module in (npo_tutorial, demos, explore, homework):
        for name in module.__all__:
            directive = f":: {module.__name__}.{name}"
            assert f"{directive}\n" in page, f"book/api.md must list every public name, add “.. auto…{directive}”"


def functions():
    return {name: thing for name in npo_tutorial.__all__ if not isinstance(thing := getattr(npo_tutorial, name), type)}


def test_functions_document_parameters_result_and_an_example():
    for name, function in functions().items():
        for part in ("Parameters\n", "Returns\n", ">>> "):
            rule = (
                f"npo_tutorial.{name}: its docstring must have {part.strip()!r}, as that of npo_tutorial.npo_loss has"
            )
            assert part in function.__doc__, rule


def test_errors_of_all_functions_are_documented_once():
    """They are in the conventions; a function lists only errors that the conventions and other functions lack."""
    kinds = ("TypeError", "ValueError", "ImportError", "RuntimeWarning", "KeyboardInterrupt")
    assert all(f"``{kind}``" in npo_tutorial.__doc__ for kind in kinds)
    found = {}
    for name, function in functions().items():
        _, _, errors = function.__doc__.partition("Raises\n    ------\n")
        for line in errors.partition("\n\n")[0].splitlines():
            if line.startswith(" " * 8):
                found.setdefault(line.strip(), []).append(name)
    repeated = {line: names for line, names in found.items() if len(names) > 1 or line.startswith("As `")}
    assert not repeated, f"the conventions say this of all functions: {repeated}"


@pytest.mark.nightly
def test_wheel_contains_every_file_of_the_package(tmp_path):
    # a copy, because setuptools leaves a build folder in its working directory
    source = tmp_path / "source"
    copy_project(source)
    files = [path for path in (source / "npo_tutorial").rglob("*") if path.is_file()]
    options = ["--no-deps", "--no-build-isolation", "-q", "-w", tmp_path]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, source], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("npo_tutorial/")}
    differing = packed ^ {path.relative_to(source).as_posix() for path in files}
    assert not differing, f"package-data in pyproject.toml must name every kind of file, these differ: {differing}"
    assert "npo_tutorial/py.typed" in packed

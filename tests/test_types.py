"""The public API has types: every function is annotated, and mypy, a step of .ci/run, checks them."""

import inspect
import subprocess
import sys
from importlib import import_module

import pytest

from tests.project import ROOT

MODULES = (
    "npo_tutorial",
    "npo_tutorial.demos",
    "npo_tutorial.explore",
    "npo_tutorial.homework",
    "npo_tutorial.language",
    "npo_tutorial.language.evaluation",
    "npo_tutorial.logistic",
    "npo_tutorial.plots",
    "npo_tutorial.results",
    "npo_tutorial.synthetic",
    "npo_tutorial.theory",
)


def public_functions(module):
    """The functions of a module's public names, and the public methods and properties of its public classes."""
    names = getattr(module, "__all__", None) or [
        name
        for name, thing in vars(module).items()
        if name[0] != "_" and getattr(thing, "__module__", "") == module.__name__
    ]
    for name in names:
        thing = getattr(module, name)
        if inspect.isclass(thing):
            for member, value in vars(thing).items():
                function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
                # what a dataclass or a NamedTuple writes for itself has no line of ours
                own = inspect.isfunction(function) and function.__code__.co_filename.startswith(str(ROOT))
                if own and (member[0] != "_" or member == "__init__"):
                    yield f"{name}.{member}", function
        elif inspect.isroutine(thing) or hasattr(thing, "__wrapped__"):
            yield name, inspect.unwrap(thing)


def unannotated(function):
    signature = inspect.signature(function)
    missing = [
        p.name for p in signature.parameters.values() if p.annotation is p.empty and p.name not in ("self", "cls")
    ]
    return missing + ["return"] * (signature.return_annotation is signature.empty)


@pytest.mark.parametrize("name", MODULES)
def test_every_public_function_is_annotated(name):
    functions = dict(public_functions(import_module(name)))
    assert functions, f"{name} has public functions"
    missing = {path: unannotated(function) for path, function in functions.items() if unannotated(function)}
    assert not missing, f"{name}: these arguments have no annotation: {missing}"


def test_a_function_without_annotations_is_found():
    def half(x: float, y) -> float: ...

    def without_return(x: float): ...

    assert unannotated(half) == ["y"]
    assert unannotated(without_return) == ["return"]


USER = """
import numpy as np
import torch
from npo_tutorial._types import Array, ArrayT, FloatArray

def keep(x: ArrayT) -> ArrayT:
    return x

tensor: torch.Tensor = keep(torch.zeros(2))
array: np.ndarray = keep(np.zeros(2))
wrong: np.ndarray = keep(torch.zeros(2))
keep([1.0])
"""


@pytest.mark.nightly
def test_an_array_keeps_its_library(tmp_path):
    (tmp_path / "user.py").write_text(USER, "utf-8")
    mypy = [sys.executable, "-m", "mypy", "--no-error-summary", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run(
        [*mypy, "--config-file", str(ROOT / "pyproject.toml"), str(tmp_path / "user.py")],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
    )
    errors = [line.rpartition("/")[2] for line in done.stdout.splitlines() if ": error:" in line]
    assert [line.split(":")[1] for line in errors] == ["11", "12"], done.stdout + done.stderr

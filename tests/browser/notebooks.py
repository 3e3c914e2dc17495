"""Notebooks for the tests that run one: how to write it, and an environment in which no setting of the user counts."""

import json
import os

from tests.conftest import ROOT

# what a notebook needs to make explorers
WAVES = """
import ipywidgets
import numpy as np
from npo_tutorial.explore import explore
def waves(title, k):
    return explore(
        lambda x, k: {"sin": np.sin(k * x)}, np.linspace(0, 6), title=title, x_label="x", y_label="y",
        say=lambda k: f"k is {k}.", k=k,
    )
"""


def write_notebook(path, *cells):
    code = {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": []}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {
        "cells": [code | {"id": f"cell-{i}", "source": source} for i, source in enumerate(cells)],
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(notebook), "utf-8")


def environment(folder):
    own = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    return os.environ | own | {"IPYTHONDIR": str(folder / "ipython"), "PYTHONPATH": str(ROOT)}

"""For the tests that run notebooks: how to write one, an environment without the user's settings, a JupyterLab."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from contextlib import closing, contextmanager
from socket import create_server

import pytest

from tests.conftest import ROOT

OPTIONS = [
    "--no-browser",
    "--allow-root",
    "--ServerApp.ip=127.0.0.1",
    "--ServerApp.port_retries=0",
    "--IdentityProvider.token=",
]
# the parts of JupyterLab that send requests to other hosts
ASKING = ["@jupyterlab/apputils-extension:announcements", "@jupyterlab/extensionmanager-extension:plugin"]
# the code a notebook needs to make explorers
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


@contextmanager
def jupyterlab(folder):
    """Address of a JupyterLab that shows `folder / "root"`."""
    (folder / "config/labconfig").mkdir(parents=True)
    settings = {"disabledExtensions": dict.fromkeys(ASKING, True)}
    (folder / "config/labconfig/page_config.json").write_text(json.dumps(settings), "utf-8")
    with closing(create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    place = [f"--ServerApp.port={port}", f"--ServerApp.root_dir={folder / 'root'}"]
    with (folder / "log").open("w+", encoding="utf-8") as log:
        command = [sys.executable, "-m", "jupyterlab", *place, *OPTIONS]
        server = subprocess.Popen(command, env=environment(folder), stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}/"
            wait_for(address, server, folder / "log")
            yield address
        finally:
            server.terminate()
            assert server.wait(30) == 0
    # a kernel removes its own file
    assert not list(folder.glob("runtime/kernel-*.json"))


def wait_for(address, server, log):
    deadline = time.monotonic() + 60
    while True:
        try:
            return urllib.request.urlopen(address + "api", timeout=10).close()
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"JupyterLab did not start:\n{log.read_text('utf-8')}")
            time.sleep(0.1)

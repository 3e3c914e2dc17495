"""Shared by all tests: a seeded generator, differences of fourth order, the built site."""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def rng():
    return np.random.default_rng(20260401)


@pytest.fixture
def one_thread():
    """PyTorch on one core: for tensors as small as a test's a second thread only waits."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def fourth_order_gradient(f, x, step=1e-3):
    """Gradient of f at the vector x by central differences of fourth order: error O(step⁴)."""
    gradient = np.empty_like(x)
    for i in range(len(x)):
        e = np.zeros_like(x)
        e[i] = step
        gradient[i] = (8 * (f(x + e) - f(x - e)) - (f(x + 2 * e) - f(x - 2 * e))) / (12 * step)
    return gradient


def autograd_trajectory(X, y, theta, loss, beta, step_size, n_steps):
    """θ at every step, by PyTorch's autograd and plain gradient descent on the package's losses."""
    # imported here: not every test needs it, and it is slow to load
    import torch

    from npo_tutorial import ga_loss, npo_loss

    X, sign = torch.tensor(X), torch.tensor(2.0 * y - 1)
    theta = torch.tensor(theta, requires_grad=True)
    ref_logp = torch.nn.functional.logsigmoid(sign * (X @ theta)).detach()
    path = [theta.detach().numpy().copy()]
    for _ in range(n_steps):
        logp = torch.nn.functional.logsigmoid(sign * (X @ theta))
        value = ga_loss(logp) if loss == "ga" else npo_loss(logp, ref_logp, beta=beta)
        (gradient,) = torch.autograd.grad(value, theta)
        theta = (theta - step_size * gradient).detach().requires_grad_()
        path.append(theta.detach().numpy().copy())
    return np.array(path)


def pytest_addoption(parser):
    parser.addoption("--no-build", action="store_true", help="test the site in _build/html as it is")


@pytest.fixture(scope="session")
def site(request):
    """The folder of the built site, made now if it is not up to date; a warning fails every test that asks for it."""
    if request.config.getoption("--no-build"):
        return ROOT / "_build/html"
    strict = ["-W", "-n", "--keep-going"]
    command = [Path(sysconfig.get_path("scripts"), "jupyter-book"), "build", ".", *strict]
    build = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", errors="replace")
    if build.returncode:
        pytest.fail(f"jupyter-book build . {' '.join(strict)} failed:\n{build.stdout[-3000:]}\n{build.stderr[-3000:]}")
    return ROOT / "_build/html"


def find_chromium():
    """Path of a Chromium, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def chromium():
    """Path of a Chromium; without one, browser tests are skipped with a reason, and under CI=true they fail."""
    found = find_chromium()
    if found is None:
        reason = "no Chromium on this machine (Debian: apt-get install chromium); browser tests cannot run"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    return found


@pytest.fixture(scope="session")
def smollm():
    """Folder of the small language model, downloaded if it is not there; where that fails, tests are skipped and say
    so, and under CI=true they fail.
    """
    from npo_tutorial.language import smollm

    try:
        return smollm.fetch(ROOT / "_build/smollm2-135m-instruct")
    except OSError as error:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"no language model: {error}")

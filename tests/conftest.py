"""Shared by all tests: which of them run and where, a seeded generator, finite differences, the built site."""

import json
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

ROOT = Path(__file__).parent.parent
# slow to import, and only their own tests need them
collect_ignore = ["benchmarks", "mutants.py"]
LEFT = pytest.StashKey[int]()


def nightly(*values):
    """Values of a parameter that only the nightly run uses."""
    rows = (value if isinstance(value, tuple) else (value,) for value in values)
    return [pytest.param(*row, marks=pytest.mark.nightly) for row in rows]


def pytest_addoption(parser):
    parser.addoption("--no-build", action="store_true", help="test the site in _build/html as it is")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """More workers than cores, because browsers mostly wait; named files and tests run in this process."""
    return 3 if all(Path(argument).is_dir() for argument in config.args) else 0


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes():
    # workers inherit it: the threads of several workers would wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Put what comes last to the end, and leave out the nightly tests unless -m selects tests."""
    for item in items:
        # these tests parse the same pages: one worker should do it once
        if item.path.is_relative_to(ROOT / "tests/book") and "site" in item.fixturenames:
            item.add_marker(pytest.mark.xdist_group("pages"))
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)
    nightly = [item for item in items if item.get_closest_marker("nightly")]
    if nightly and not config.option.markexpr:
        config.stash[LEFT] = len(nightly)
        config.hook.pytest_deselected(items=nightly)
        items[:] = [item for item in items if not item.get_closest_marker("nightly")]


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left"] = session.config.stash.get(LEFT, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    node.config.stash[LEFT] = getattr(node, "workeroutput", {}).get("left", 0)


def pytest_terminal_summary(terminalreporter, config):
    if left := config.stash.get(LEFT, 0):
        terminalreporter.write_line(f"{left} slow tests are left to .ci/nightly (`pytest -m nightly` runs them)")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Under CI=true a test fails if it lacks something; only a condition in a decorator may skip it."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not item.get_closest_marker("skipif"):
        *_, reason = report.longrepr
        report.outcome, report.longrepr = "failed", f"CI must run every test, but this one says: {reason}"
    return report


@pytest.fixture
def rng():
    return np.random.default_rng(20260401)


@pytest.fixture(scope="module")
def no_progress_bars():
    """Turn off the Trainer's progress bars, which are meant for people who wait."""
    import transformers

    transformers.utils.logging.disable_progress_bar()


@pytest.fixture
def one_thread():
    """PyTorch on one core: with tensors this small a second thread only waits."""
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
    # imported here, because it is slow to load and not every test needs it
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


def once(tmp_path_factory, name, make):
    """The result of `make`, which must be JSON: one worker calls it while the others wait."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return make()
    # the folder of this run, which contains one for each worker
    place = tmp_path_factory.getbasetemp().parent / f"{name}.json"
    with FileLock(f"{place}.lock"):
        if not place.exists():
            place.write_text(json.dumps(make()), "utf-8")
    return json.loads(place.read_text("utf-8"))


def build():
    """Build the site; returns what went wrong, or an empty string."""
    strict = ["-W", "-n", "--keep-going"]
    command = [Path(sysconfig.get_path("scripts"), "jupyter-book"), "build", ".", *strict]
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        return f"jupyter-book build . {' '.join(strict)} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return ""


@pytest.fixture(scope="session")
def site(request, tmp_path_factory):
    """The folder of the built site, built now unless it is up to date; a warning fails every test that uses it."""
    if not request.config.getoption("--no-build") and (failure := once(tmp_path_factory, "build", build)):
        pytest.fail(failure)
    return ROOT / "_build/html"


def find_chromium():
    """Path of a Chromium, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def chromium():
    """Path of a Chromium; without one, browser tests are skipped with a reason, and under CI=true they fail."""
    found = find_chromium()
    if found is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium); browser tests cannot run")
    return found


@pytest.fixture(scope="session")
def smollm(tmp_path_factory):
    """Folder of the small language model, downloaded unless it is there.

    If the download fails, tests are skipped with a reason, and under CI=true they fail.
    """
    from npo_tutorial.language import smollm

    try:
        return Path(once(tmp_path_factory, "smollm", lambda: str(smollm.fetch(ROOT / "_build/smollm2-135m-instruct"))))
    except OSError as error:
        pytest.skip(f"no language model: {error}")

"""logistic/steps.py, _progress.py and batches: every path gives one trajectory; long runs; interrupted runs."""

import re
import sys
import tracemalloc

import numpy as np
import pytest
import torch
import tqdm.auto

from npo_tutorial import _progress as progress
from npo_tutorial import forget_set, gradient_descent
from npo_tutorial.logistic import descent, steps
from tests.conftest import autograd_trajectory

LOSSES = [("ga", None), ("npo", 0.5), ("npo", 3.0)]
NEVER, ALWAYS = np.inf, 0


@pytest.fixture(params=["numpy", "numba and plain products", "numba and the library's products"])
def road(request, monkeypatch):
    if request.param != "numpy":
        pytest.importorskip("numba")
    monkeypatch.setattr(steps, "COMPILED_FROM", NEVER if request.param == "numpy" else ALWAYS)
    monkeypatch.setattr(steps, "PLAIN_BELOW", np.inf if "plain" in request.param else 0)


def random_problem(rng, n, d):
    return rng.standard_normal((n, d)), rng.integers(0, 2, n), rng.standard_normal(d)


# One trajectory on every path ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("road")
@pytest.mark.parametrize(("n", "d"), [(1, 1), (4, 9), (9, 9), (9, 4)])
@pytest.mark.parametrize(("loss", "beta"), LOSSES)
def test_gram_space_and_theta_space_equal_autograd(rng, n, d, loss, beta):
    X, y, theta = random_problem(rng, n, d)
    # columns of zeros change nothing, but make n ≤ d
    wide = np.hstack([X, np.zeros((n, n))]), y, np.append(theta, np.zeros(n))
    options = dict(loss=loss, beta=beta, step_size=0.3, n_steps=60, record=range(61))
    expected = autograd_trajectory(X, y, theta, loss, beta, 0.3, 60)
    for arguments in ((X, y, theta), wide):
        run = gradient_descent(*arguments, **options)
        np.testing.assert_allclose(run.theta(slice(None))[:, :d], expected, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(run.margins, (expected @ X.T) * (2 * y - 1), rtol=1e-10, atol=1e-11)
    assert run._problem.gram is not None
    assert (gradient_descent(X, y, theta, **options)._problem.gram is None) is (n > d)


@pytest.mark.parametrize("plain_below", [0, np.inf], ids=["library", "plain"])
@pytest.mark.parametrize(("n", "d"), [(10, 30), (30, 10)])
@pytest.mark.parametrize(("loss", "beta"), LOSSES)
@pytest.mark.parametrize("margin", [0.01, 1, 40])
def test_compiled_loop_equals_numpy_s_to_1e_12(rng, monkeypatch, n, d, loss, beta, margin, plain_below):
    pytest.importorskip("numba")
    X, y, theta = random_problem(rng, n, d)
    X /= np.sqrt(d)
    options = dict(loss=loss, beta=beta, step_size=2.0, n_steps=5000)
    monkeypatch.setattr(steps, "COMPILED_FROM", NEVER)
    plain = gradient_descent(X, y, margin * theta, **options)
    monkeypatch.setattr(steps, "COMPILED_FROM", ALWAYS)
    monkeypatch.setattr(steps, "PLAIN_BELOW", plain_below)
    compiled = gradient_descent(X, y, margin * theta, **options)
    np.testing.assert_allclose(compiled.distance, plain.distance, rtol=1e-12)
    np.testing.assert_allclose(compiled.margins, plain.margins, rtol=1e-12, atol=1e-12 * np.abs(plain.margins).max())
    np.testing.assert_allclose(compiled.theta(), plain.theta(), rtol=1e-12, atol=1e-12 * np.abs(plain.theta()).max())


@pytest.mark.parametrize("n", [steps.PLAIN_BELOW - 1, steps.PLAIN_BELOW])
def test_a_few_samples_are_multiplied_without_the_library(rng, monkeypatch, n):
    called = []
    monkeypatch.setattr(steps, "_compiled_loop", lambda: lambda *arguments: called.append(arguments[-1]))
    monkeypatch.setattr(steps, "COMPILED_FROM", ALWAYS)
    gradient_descent(*random_problem(rng, n, 3), loss="ga", step_size=0.1, n_steps=1)
    assert called == [n < steps.PLAIN_BELOW]


def test_without_numba_the_numbers_are_the_same(rng, monkeypatch):
    arguments, options = random_problem(rng, 3, 5), dict(loss="npo", beta=1.0, step_size=0.3, n_steps=3000)
    monkeypatch.setattr(steps, "COMPILED_FROM", ALWAYS)
    expected = gradient_descent(*arguments, **options)
    steps._compiled_loop.cache_clear()
    monkeypatch.setitem(sys.modules, "numba", None)
    np.testing.assert_allclose(gradient_descent(*arguments, **options).theta(), expected.theta(), rtol=1e-12)


def test_short_runs_are_not_compiled(rng, monkeypatch):
    asked = []
    monkeypatch.setattr(
        steps, "_compiled_loop", lambda: asked.append("loop") or steps.make_loop(lambda function: function)
    )
    arguments, options = random_problem(rng, 2, 3), dict(loss="ga", step_size=0.1)
    gradient_descent(*arguments, **options, n_steps=10_000)
    assert not asked
    monkeypatch.setattr(steps, "COMPILED_FROM", 5000)
    gradient_descent(*arguments, **options, n_steps=1000)
    assert asked == ["loop"]


@pytest.mark.parametrize(("step_size", "problems"), [(0.1, 1), ([0.1] * 5, 5)])
@pytest.mark.parametrize(("more", "compiled"), [(-1, True), (0, True), (1, False)])
def test_a_run_is_long_because_of_its_steps_or_its_problems(monkeypatch, step_size, problems, more, compiled):
    asked = []
    monkeypatch.setattr(steps, "_compiled_stepper", lambda *_: asked.append("loop") or (lambda z, m, k: None))
    monkeypatch.setattr(steps, "COMPILED_FROM", 1000 * (4 + problems) + more)
    gradient_descent(X2, Y2, T2, loss="ga", step_size=step_size, n_steps=1000)
    assert bool(asked) is compiled


@pytest.mark.parametrize(("loss", "beta"), [("ga", None), ("npo", 1.0)])
def test_conflicting_labels_amplify_rounding(loss, beta):
    # Two images, each with both labels, and all margins 0: every pull is balanced by another, and for β < 2 the balance
    # is unstable. Rounding moves Gram space and θ-space off it by different amounts of 1e-16, which grow exponentially.
    rng = np.random.default_rng(1)
    images, theta = rng.standard_normal((2, 3)), rng.standard_normal(3)
    theta -= np.linalg.pinv(images) @ (images @ theta)
    X, y = np.vstack([images, images]), [0, 0, 1, 1]
    options = dict(loss=loss, beta=beta, step_size=0.5, n_steps=800, record=[20, 800])
    tall = gradient_descent(X, y, theta, **options)
    wide = gradient_descent(np.hstack([X, np.zeros((4, 1))]), y, np.append(theta, 0), **options)
    early, late = np.abs(tall.margins - wide.margins).max(axis=1)
    assert early < 1e-12
    assert late > 1


# Batches -------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("road")
@pytest.mark.parametrize("batched", ["X", "y", "theta_init", "beta", "step_size", "X y theta_init beta step_size"])
@pytest.mark.parametrize(("n", "d"), [(4, 6), (6, 4)])
def test_a_batch_equals_its_problems(rng, batched, n, d):
    full = {
        "X": rng.standard_normal((3, n, d)),
        "y": rng.integers(0, 2, (3, n)),
        "theta_init": rng.standard_normal((3, d)),
        "beta": [0.3, 1.0, 2.0],
        "step_size": np.array([0.1, 0.2, 0.3]),
    }
    arguments = {name: value if name in batched.split() else value[1] for name, value in full.items()}
    options = dict(loss="npo", n_steps=50, record=[0, 7, 50])
    together = gradient_descent(**arguments, **options)
    assert together.margins.shape == (3, 3, n)
    assert together.theta().shape == (3, d) and together.theta(slice(1, None)).shape == (3, 2, d)
    assert together.distance.shape == (3, 3) and len(together) == 3
    for b in range(3):
        one = {name: value[b] if name in batched.split() else value for name, value in arguments.items()}
        alone = gradient_descent(**one, **options)
        for of in ("margins", "logp", "distance"):
            np.testing.assert_allclose(getattr(together, of)[b], getattr(alone, of), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(together.theta()[b], alone.theta(), rtol=1e-12)
        np.testing.assert_array_equal(np.broadcast_to(together.times, (3, 3))[b], alone.times)


def test_gradient_ascent_in_a_batch_of_step_sizes():
    run = gradient_descent(np.eye(2), [1, 0], [0, 0], loss="ga", step_size=[0.1, 1.0], n_steps=1, record=[1])
    np.testing.assert_allclose(run.margins, -0.25 * np.array([[[0.1, 0.1]], [[1, 1]]]))


X2, Y2, T2 = np.eye(2), [0, 1], np.zeros(2)
GOOD = dict(loss="npo", beta=1.0, step_size=0.1, n_steps=3)
BAD = [
    (
        dict(beta=[1.0, 2.0], step_size=[0.1, 0.2, 0.3]),
        r"beta, step_size must agree .* got {'beta': 2, 'step_size': 3}",
    ),
    (dict(X=np.ones((2, 2, 2)), y=np.ones((3, 2))), r"X, y must agree in the length of the batch axis"),
    (dict(X=np.ones((2, 2, 2)), theta_init=np.ones((1, 2))), r"X, theta_init must agree"),
    (dict(X=np.ones((2, 2, 3))), r"theta_init must have one entry .*, shape \(3,\), got \(2,\)"),
    (dict(theta_init=np.ones((2, 2)), beta=[1.0]), r"X, y or theta_init, beta must agree"),
    (dict(beta=[1.0, 0.0]), r"beta must be positive and finite, got 0\.0"),
    (dict(beta=[]), r"beta must not be empty"),
    (dict(beta=[[1.0]]), r"beta must have 1 dimension"),
    (dict(step_size=[0.1, np.nan]), r"step_size must be finite, got nan at index 1"),
    (dict(step_size=[0.1, -1.0]), r"step_size must be positive and finite, got -1\.0"),
    (dict(y=[[0, 1], [1, 3]]), r"y must hold labels 0 and 1 only, got 3 at index \(1, 1\)"),
    (dict(X=np.ones((1, 1, 2, 2))), r"X must have 2 dimensions, or one more for a batch"),
    (
        dict(X=X2 * 1e100, step_size=[1e-300, 1e200], record=[1]),
        r"step_size or X is too large, the iterates of problem 1 overflowed by step 1: got step_size=1e\+200",
    ),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_batches_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        gradient_descent(**(dict(X=X2, y=Y2, theta_init=T2) | GOOD | change))


@pytest.mark.parametrize("step_size", ["fast", [[1], [1, 2]], [True, True], [torch.tensor(0.1, requires_grad=True)]])
def test_only_numbers_make_a_batch(step_size):
    with pytest.raises(TypeError, match="step_size must be a"):
        gradient_descent(X2, Y2, T2, **GOOD | {"step_size": step_size})


# Symmetries ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("road")
@pytest.mark.parametrize(("n", "d"), [(4, 6), (6, 4)])
@pytest.mark.parametrize(("loss", "beta"), LOSSES)
def test_labels_rotations_and_order_do_not_matter(rng, n, d, loss, beta):
    X, y, theta = random_problem(rng, n, d)
    options = dict(loss=loss, beta=beta, step_size=0.3, n_steps=300)
    run = gradient_descent(X, y, theta, **options)
    signs = gradient_descent((2 * y - 1)[:, None] * X, np.ones(n), theta, **options)
    np.testing.assert_array_equal(signs.theta(), run.theta())
    rotation = np.linalg.qr(rng.standard_normal((d, d)))[0]
    rotated = gradient_descent(X @ rotation, y, theta @ rotation, **options)
    np.testing.assert_allclose(rotated.theta() @ rotation.T, run.theta(), rtol=1e-10)
    np.testing.assert_allclose(rotated.distance, run.distance, rtol=1e-10)
    order = rng.permutation(n)
    permuted = gradient_descent(X[order], y[order], theta, **options)
    np.testing.assert_allclose(permuted.margins, run.margins[:, order], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(permuted.theta(), run.theta(), rtol=1e-10)


# Long runs -----------------------------------------------------------------------------------------------------------


def interrupted_after(monkeypatch, n_steps):
    """The Ctrl-C of a reader after `n_steps` steps."""

    def interrupt(bar, length):
        bar.done += length
        if bar.done >= n_steps:
            raise KeyboardInterrupt

    monkeypatch.setattr(progress.Progress, "update", interrupt)


@pytest.mark.usefixtures("road")
def test_an_interrupted_run_returns_its_records(rng, monkeypatch):
    arguments = random_problem(rng, 3, 4)
    options = dict(loss="npo", beta=[0.5, 1.0], step_size=0.1, n_steps=1000, record=[0, 10, 50, 100, 1000])
    full = gradient_descent(*arguments, **options)
    monkeypatch.setattr(descent, "CHUNK", 7)
    interrupted_after(monkeypatch, 500)
    with pytest.warns(RuntimeWarning, match="^interrupted at step 506; 4 of 5 records are returned$") as warned:
        run = gradient_descent(*arguments, **options)
    assert warned[0].filename == __file__  # the line that called the solver
    assert full.stopped is None and run.stopped == "interrupted at step 506"
    assert run.steps.tolist() == [0, 10, 50, 100] and run.times.shape == (4,) and len(run) == 4
    np.testing.assert_allclose(run.margins, full.margins[:, :4], rtol=1e-12)
    np.testing.assert_allclose(run.theta(), full.theta(3), rtol=1e-12)
    assert run.distance.shape == run.logp.shape[:-1] == (2, 4)


@pytest.mark.usefixtures("road")
@pytest.mark.parametrize(("step_size", "which"), [(5e188, ""), ([1e-300, 5e188], " of problem 1")])
def test_a_run_that_overflows_returns_its_records_and_says_why(step_size, which):
    why = f"step_size or X is too large, the iterates{which} overflowed by step 2: got step_size=5e+188"
    with pytest.warns(RuntimeWarning, match=f"^{re.escape(why)}; 2 of 4 records are returned$") as warned:
        run = gradient_descent(X2 * 1e60, Y2, T2, **GOOD | {"step_size": step_size, "loss": "ga", "beta": None})
    assert warned[0].filename == __file__
    assert run.stopped == why and run.steps.tolist() == [0, 1] and len(run) == 2
    assert np.isfinite(run.margins).all() and np.isfinite(run.distance).all() and run.times.shape[-1] == 2


def test_an_interrupt_before_the_first_record_is_passed_on(monkeypatch):
    interrupted_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        gradient_descent(X2, Y2, T2, **GOOD, record=[3])


@pytest.mark.parametrize(
    ("n", "d", "step_size", "n_steps", "lengths"),
    [
        (1, 1, 0.1, 20_001, [20_000, 1]),
        (1000, 160, 0.1, 100, [62, 38]),  # 10⁷ / (1000 · 160)
        (1000, 160, [0.1, 0.2], 60, [31, 29]),
    ],
)
def test_a_run_checks_for_interrupts_often_enough(monkeypatch, n, d, step_size, n_steps, lengths):
    seen = []
    monkeypatch.setattr(descent, "stepper", lambda *_: lambda z, m, k: seen.append(k))
    arguments, options = (np.ones((n, d)), np.ones(n), np.zeros(d)), dict(loss="ga", step_size=step_size)
    gradient_descent(*arguments, **options, n_steps=n_steps, record=[n_steps])
    assert seen == lengths
    seen.clear()
    monkeypatch.setattr(descent, "CHUNK_MULTIPLICATIONS", 0)  # there is always at least one step
    gradient_descent(*arguments, **options, n_steps=3, record=[3])
    assert seen == [1, 1, 1]


class Bar:
    """The part of tqdm's bar that is used."""

    made = ()

    def __init__(self, **options):
        self.options, self.n, self.closed = options, options["initial"], False
        Bar.made = [*Bar.made, self]

    def update(self, n):
        self.n += n

    def close(self):
        self.closed = True


@pytest.fixture
def clock(monkeypatch):
    """A clock that advances a tenth of a second per call, chunks of one step, and the bars that were made."""
    now = iter(range(10**6))
    monkeypatch.setattr(progress, "monotonic", lambda: next(now) / 9.7)  # two seconds pass between two calls
    monkeypatch.setattr(descent, "CHUNK", 1)
    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    monkeypatch.setattr(Bar, "made", [])
    monkeypatch.delenv("TQDM_DISABLE", raising=False)


@pytest.mark.usefixtures("clock")
def test_only_runs_over_two_seconds_have_a_bar():
    gradient_descent(X2, Y2, T2, **GOOD | {"n_steps": 15})
    assert not Bar.made
    gradient_descent(X2, Y2, T2, **GOOD | {"n_steps": 50})
    (bar,) = Bar.made
    assert bar.options["total"] == 50 and 15 < bar.options["initial"] < 25 and not bar.options["disable"]
    assert bar.options["unit"] == "step" and not bar.options["leave"]
    assert bar.n == 50 and bar.closed


@pytest.mark.usefixtures("clock")
def test_the_bar_can_be_silenced_and_is_closed_on_errors(monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    with pytest.raises(ValueError, match="overflowed"):
        gradient_descent(X2 * 1e155, Y2, T2, **GOOD | {"n_steps": 50}, record=[50])
    (bar,) = Bar.made
    assert bar.options["disable"] and bar.closed


@pytest.mark.usefixtures("clock")
def test_without_tqdm_there_is_no_bar(monkeypatch):
    for name in ("tqdm", "tqdm.auto"):
        monkeypatch.setitem(sys.modules, name, None)
    assert len(gradient_descent(X2, Y2, T2, **GOOD | {"n_steps": 50}, record=range(51))) == 51
    assert not Bar.made


@pytest.mark.usefixtures("road")
def test_memory_is_that_of_the_gram_matrix_and_the_records(monkeypatch):
    # a progress bar, which appears on a busy machine, does not belong to the solver
    monkeypatch.setattr("npo_tutorial._progress.DELAY", np.inf)
    X, y = forget_set(50, 1000, seed=0)
    # what libraries keep of their first calls, with as many records as are measured
    gradient_descent(X, y, np.zeros(1000), loss="ga", step_size=0.1, n_steps=2_000)
    peaks = []
    for n_steps in (20_000, 2_000):
        tracemalloc.start()
        run = gradient_descent(X, y, np.zeros(1000), loss="ga", step_size=0.1, n_steps=n_steps)
        peaks.append(tracemalloc.get_traced_memory()[1] - X.nbytes)
        tracemalloc.stop()
        # Gram matrix, coordinates and margins; a third more for temporary arrays
        assert peaks[-1] < 4 / 3 * 8 * (50**2 + 2 * 50 * len(run))
    assert peaks[0] < 1.5 * peaks[1]

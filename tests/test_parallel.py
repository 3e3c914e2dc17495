"""_parallel.py: one BLAS thread inside loops over small products, and the same numbers on any number of cores."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from functools import cache
from threading import Event, Thread

import numpy as np
import pytest
import tqdm.auto
from joblib import parallel_config
from threadpoolctl import threadpool_info, threadpool_limits

from npo_tutorial import _parallel, digits, digits_split, gradient_descent, gradient_flow, synthetic, unlearn
from npo_tutorial._parallel import on_all_cores, one_blas_thread
from npo_tutorial.logistic import flow, steps
from npo_tutorial.synthetic import objectives, problem
from tests.conftest import ROOT

X, Y, THETA = np.eye(2), np.array([1, 0]), np.zeros(2)


def blas_threads():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def two_blas_threads():
    """A BLAS with more than one thread, even on one core."""
    if not blas_threads():
        pytest.skip("threadpoolctl does not know NumPy's BLAS (Accelerate), so there is no limit to test")
    with threadpool_limits(2, user_api="blas"):
        yield
        assert blas_threads() == {2}


def use_cores(monkeypatch, n):
    """Work on n cores, however short the work is."""
    monkeypatch.setattr(_parallel, "WORTHWHILE", 0)
    monkeypatch.setattr(_parallel, "cores", lambda: n)


def seen_in(monkeypatch, module, name):
    """The values of `blas_threads` whenever a function of a module is called."""
    seen, function = [], getattr(module, name)

    def spy(*arguments, **options):
        seen.append(blas_threads())
        return function(*arguments, **options)

    monkeypatch.setattr(module, name, spy)
    return seen


# One BLAS thread -----------------------------------------------------------------------------------------------------


@cache
def two():
    """Not made on import, because the other processes import this file too."""
    return synthetic.make_problem(1, [0, 1])


def fitted():
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit([[0.0], [1.0], [2.0]], [0, 1, 1])


@pytest.mark.parametrize(
    ("module", "name", "call"),
    [
        (steps, "speed", lambda: gradient_descent(X, Y, THETA, loss="ga", step_size=0.1, n_steps=3)),
        (flow, "speed", lambda: gradient_flow(X, Y, THETA, loss="ga", times=[1.0, 2.0])),
        (steps, "speed", lambda: unlearn(fitted(), [[1.0]], [1], step_size=0.1, n_steps=3)),
        (digits, "gradient_descent", lambda: digits.forget_digits(digits_split(), loss="ga", n_steps=3)),
        (objectives, "expit", lambda: synthetic.run("GA+RT", two()[0], n_steps=3)),
        (synthetic.runs, "_kl", lambda: synthetic.run("GA", two()[0], n_steps=3)),
    ],
    ids=["gradient_descent", "gradient_flow", "unlearn", "forget_digits", "run", "its distances"],
)
def test_loops_over_small_products_have_one_blas_thread(monkeypatch, module, name, call):
    seen = seen_in(monkeypatch, module, name)
    call()
    assert seen and all(threads == {1} for threads in seen)
    assert blas_threads() == {2}


def test_a_blas_that_comes_late_is_limited_too():
    # numba calls SciPy's, which `import npo_tutorial` does not load
    code = """
import npo_tutorial
from npo_tutorial._parallel import one_blas_thread
with one_blas_thread():
    import scipy.linalg.cython_blas, threadpoolctl
    print(*(info["num_threads"] for info in threadpoolctl.threadpool_info() if info["user_api"] == "blas"))
"""
    output = subprocess.check_output([sys.executable, "-c", code], encoding="utf-8", cwd=ROOT)
    assert set(output.split()) == {"1"}


def test_training_has_one_blas_thread(monkeypatch):
    monkeypatch.setattr(problem, "TRAINING_STEPS", 3)
    monkeypatch.setattr(problem, "_made", {})
    data = problem.draw(1.0, 9)
    monkeypatch.setattr(problem, "draw", lambda *_: data)
    seen = seen_in(monkeypatch, problem, "expit")
    synthetic.make_problem(1, 9)
    assert len(seen) == 6 and all(threads == {1} for threads in seen)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_limit_is_lifted_whatever_ends_the_loop(error):
    with pytest.raises(error), one_blas_thread(), one_blas_thread():
        assert blas_threads() == {1}
        raise error
    assert blas_threads() == {2}


def test_the_limit_is_lifted_by_the_outermost_loop_only():
    with one_blas_thread():
        with one_blas_thread():
            pass
        assert blas_threads() == {1}


def test_a_second_thread_leaves_no_limit_behind():
    entered, leave, seen = Event(), Event(), []

    def other():
        with one_blas_thread():
            seen.append(blas_threads())
            entered.set()
            leave.wait(60)

    thread = Thread(target=other)
    with one_blas_thread():
        thread.start()
        assert entered.wait(60)
    assert seen == [{1}]
    # the limit was set by this thread; the other one, which found it set, does not reset it
    assert blas_threads() == {2}
    leave.set()
    thread.join()
    assert blas_threads() == {2}


# Side by side --------------------------------------------------------------------------------------------------------


def square(x, update):
    if x < 0:
        raise ValueError(f"x must be at least 0, got {x}")
    update(10)
    return x * x, blas_threads()


def process(update):
    return os.getpid()


@pytest.mark.parametrize("n", [1, 2])
def test_results_come_in_the_order_of_the_tasks(monkeypatch, n):
    use_cores(monkeypatch, n)
    # joblib would give several threads to each process if there are fewer processes than cores
    with parallel_config("loky", inner_max_num_threads=2):
        assert on_all_cores(square, [(i,) for i in range(7)], 10) == [(i * i, {1}) for i in range(7)]
    assert on_all_cores(square, [], 10) == []


def test_short_work_stays_in_this_process(monkeypatch):
    monkeypatch.setattr(_parallel, "cores", lambda: 2)
    assert len(set(on_all_cores(process, [()] * 5, 1))) == 1
    use_cores(monkeypatch, 2)
    assert len(set(on_all_cores(process, [()] * 5, 1))) > 1
    use_cores(monkeypatch, 1)
    assert len(set(on_all_cores(process, [()] * 5, 1))) == 1


@pytest.mark.parametrize("n", [1, 2])
def test_an_error_keeps_its_message(monkeypatch, n):
    use_cores(monkeypatch, n)
    with pytest.raises(ValueError, match=r"^x must be at least 0, got -3$"):
        on_all_cores(square, [(1,), (2,), (-3,), (4,)], 10)


@pytest.mark.parametrize("n", [1, 2])
def test_the_bar_counts_the_steps_of_all_tasks(monkeypatch, n):
    bars = []

    class Bar:
        def __init__(self, total, initial, **_):
            self.total, self.n, self.closed = total, initial, False
            bars.append(self)

        def update(self, n_steps):
            self.n += n_steps

        def close(self):
            self.closed = True

    monkeypatch.setattr("npo_tutorial._progress.DELAY", 0)
    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    use_cores(monkeypatch, n)
    on_all_cores(square, [(i,) for i in range(5)], 10)
    (bar,) = bars
    assert (bar.total, bar.n, bar.closed) == (50, 50, True)


def test_webassembly_needs_neither_threads_nor_processes(monkeypatch):
    expected = synthetic.run("NPO", two(), n_steps=5).theta
    monkeypatch.setattr(_parallel, "SINGLE", True)
    monkeypatch.setattr(_parallel, "WORTHWHILE", 0)
    for name in ("threadpoolctl", "joblib"):
        monkeypatch.setitem(sys.modules, name, None)
    np.testing.assert_array_equal(synthetic.run("NPO", two(), n_steps=5).theta, expected)


@pytest.mark.parametrize("blas", [1, 2])
def test_numbers_are_the_same_on_any_number_of_cores(monkeypatch, blas):
    methods = [*synthetic.METHODS, *["NPO+RT"] * 20]
    options = {"n_steps": 60, "record": range(61), "step_size": np.geomspace(1e-4, 1e-2, len(methods))}
    runs = []
    for n, threads in ((1, 2), (2, blas)):
        use_cores(monkeypatch, n)
        with threadpool_limits(threads, user_api="blas"):
            runs.append(synthetic.run(methods, two(), **options))
    for name, values in vars(runs[0]).items():
        np.testing.assert_array_equal(values, getattr(runs[1], name), err_msg=name)


def test_problems_are_the_same_on_any_number_of_cores(monkeypatch):
    before = two()
    monkeypatch.setattr(problem, "_made", {})
    use_cores(monkeypatch, 2)
    for made, one in zip(synthetic.make_problem(1, [0, 1]), before, strict=True):
        assert made is not one
        for name, values in vars(made).items():
            np.testing.assert_array_equal(values, getattr(one, name), err_msg=name)


def test_an_overflow_in_another_process_is_reported_here(monkeypatch):
    use_cores(monkeypatch, 2)
    with pytest.warns(RuntimeWarning, match=r"NPO on .* overflowed at step 1: got step_size=1e\+307; 1 of") as warned:
        runs = synthetic.run(["GA+RT", "NPO"], two(), step_size=[1e-3, 1e307], beta=[None, 1], n_steps=50)
    assert [warning.filename for warning in warned] == [__file__]  # once for both, pointing at the caller's line
    assert runs.stopped.startswith("step_size is too large, NPO on SyntheticProblem(alpha=1, seed=0) overflowed")
    assert runs.theta.shape[:3] == (2, 2, len(runs.steps)) and np.isfinite(runs.theta).all()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal that ends one process like Ctrl-C")
def test_ctrl_c_ends_the_run_and_its_processes(tmp_path):
    """In a script without `if __name__ == "__main__"`, which the other processes must not run again."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
            import signal
            import scipy.special  # its BLAS is there before the threads are counted
            import threadpoolctl
            from npo_tutorial import _parallel, synthetic

            # a shell that runs the tests in the background lets its processes ignore Ctrl-C
            signal.signal(signal.SIGINT, signal.default_int_handler)
            _parallel.WORTHWHILE, _parallel.cores = 0, lambda: 2
            threadpoolctl.threadpool_limits(2)
            problems = synthetic.make_problem(1, range(4))
            print("started", flush=True)
            try:
                synthetic.run("NPO+RT", problems, n_steps=10**6, record=[10**6])
            except KeyboardInterrupt:
                print("interrupted", {library["num_threads"] for library in threadpoolctl.threadpool_info()})
        """),
        encoding="utf-8",
    )
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    process = subprocess.Popen([sys.executable, script], env=os.environ | {"PYTHONPATH": str(ROOT)}, **options)
    try:
        assert process.stdout.readline() == "started\n"
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.stdout.close(), process.stderr.close()
    assert output == "interrupted {2}\n" and process.returncode == 0, errors

"""The synthetic experiment against plain PyTorch, against autograd of the package's losses, and by its definitions."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import expit

from npo_tutorial import dpo_loss, ga_loss, npo_loss, synthetic
from npo_tutorial.synthetic.objectives import Objective
from npo_tutorial.synthetic.settings import Setting
from tests import plain_synthetic


@pytest.fixture(autouse=True)
def one_thread():
    """With matrices this small a second thread only waits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def problem_of(alpha):
    """Made once, when a test needs it."""
    return synthetic.make_problem(alpha, 0)


def way(problem, method, n_steps, **options):
    """θ after each step, by the package; with the paper's settings unless others are given."""
    return synthetic.run(method, problem, n_steps=n_steps, record=range(n_steps + 1), **options).theta


@pytest.mark.parametrize("alpha", [1, 0])
@pytest.mark.parametrize("method", synthetic.METHODS)
def test_every_step_is_that_of_plain_pytorch(method, alpha):
    step_size, beta = synthetic.TABLE_1[alpha][method]
    expected = plain_synthetic.descend(problem_of(alpha), method, step_size=step_size, beta=beta, n_steps=2000)
    theta = way(problem_of(alpha), method, 2000)
    assert np.ptp(expected, axis=0).max() > 0.01  # the runs do move
    np.testing.assert_allclose(theta, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("retain_term", synthetic.RETAIN_TERMS)
def test_retain_terms_and_their_weight_are_those_of_plain_pytorch(retain_term):
    options = {"step_size": 5e-3, "beta": 0.3, "retain_term": retain_term, "retain_weight": 2.5}
    expected = plain_synthetic.descend(problem_of(1), "NPO+RT", n_steps=200, **options)
    np.testing.assert_allclose(way(problem_of(1), "NPO+RT", 200, **options), expected, rtol=0, atol=1e-10)


def package_loss(method, problem, theta, beta):
    """The objective as a sum of the package's losses."""

    def logp(rows, labels, parameters):
        sign = torch.tensor(2 * labels - 1)
        return torch.nn.functional.logsigmoid(sign * (torch.tensor(rows) @ parameters))

    forget = [problem.X_forget, problem.y_forget]
    other = [problem.X_forget, problem.y_other]
    init = torch.tensor(problem.theta_init)
    loss = {
        "GA": lambda: ga_loss(logp(*forget, theta)),
        "IDK": lambda: -ga_loss(logp(*other, theta)),
        "NPO": lambda: npo_loss(logp(*forget, theta), logp(*forget, init), beta=beta),
        "DPO": lambda: 2 * dpo_loss(*(logp(*pair, at) for at in (theta, init) for pair in (other, forget)), beta=beta),
    }[method.partition("+")[0]]()
    return loss - ga_loss(logp(problem.X_retain, problem.y_retain, theta)) if "+" in method else loss


@pytest.mark.parametrize("method", synthetic.METHODS)
def test_the_objectives_are_sums_of_the_packages_losses(method):
    problem, beta = problem_of(1), 0.7
    rng = np.random.default_rng(3)
    at = problem.theta_init + rng.normal(0, 0.3, 128)
    theta = torch.tensor(at, requires_grad=True)
    package_loss(method, problem, theta, beta).backward()
    needs_beta = method[:3] in ("NPO", "DPO")
    objective = Objective(problem, [Setting(method, 1.0, beta if needs_beta else None, 1.0)], "cross_entropy")
    gradient = objective.rows.T @ objective.derivative(objective.rows @ at[:, None])
    np.testing.assert_allclose(gradient[:, 0], theta.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_the_problem_is_the_papers():
    problem = synthetic.make_problem(0.5, 7)
    assert problem.X_forget.shape == (200, 128) and problem.X_retain.shape == (1000, 128)
    assert problem.X_forget_test.shape == problem.X_retain_test.shape == (1000, 128)
    assert set(problem.y_forget) == set(problem.y_retain) == set(problem.y_other) == {0, 1}
    assert (problem.X_forget >= 0).all()
    # over many seeds: E relu(⟨v, x⟩)² = E⟨v, x⟩²/2 = (1 + α²)/2 and the shares of labels, E σ(N(±1, 1))
    problems = [synthetic.problem.draw(0.5, seed) for seed in range(40)]
    for name, share in (("forget", 0.6971), ("retain", 0.3029)):
        squares = np.mean([(problem[f"X_{name}"] ** 2).mean() for problem in problems])
        assert squares == pytest.approx((1 + 0.5**2) / 2, rel=0.05)
        assert np.mean([problem[f"y_{name}"].mean() for problem in problems]) == pytest.approx(share, abs=0.02)
    assert np.mean([problem["y_other"].mean() for problem in problems]) == pytest.approx(0.5, abs=0.02)


def test_the_clouds_are_separate_and_contain_their_test_points():
    data = synthetic.problem.draw(3.0, 0)
    means = {name: data[name].mean(axis=0) for name in ("X_forget", "X_retain", "X_forget_test", "X_retain_test")}
    # opposite centres: the features of one cloud are 0 where those of the other are not
    assert np.corrcoef(means["X_forget"], means["X_retain"])[0, 1] < -0.3
    for name in ("X_forget", "X_retain"):
        assert np.corrcoef(means[name], means[f"{name}_test"])[0, 1] > 0.99
    together = synthetic.problem.draw(0.0, 0)
    assert np.corrcoef(together["X_forget"].mean(axis=0), together["X_retain"].mean(axis=0))[0, 1] > 0.7


def test_a_retain_term_of_weight_0_has_no_effect():
    options = {"step_size": 5e-3, "n_steps": 50}
    with_none = way(problem_of(1), "NPO+RT", retain_weight=0, **options)
    np.testing.assert_allclose(with_none, way(problem_of(1), "NPO", **options), rtol=0, atol=1e-12)


def test_both_models_are_trained_as_in_the_paper():
    problem = problem_of(1)
    X = np.concatenate([problem.X_forget, problem.X_retain])
    y = np.concatenate([problem.y_forget, problem.y_retain])
    for expected, start in ((problem.theta_init, 0), (problem.theta_retrained, 200)):
        rows, labels, theta = X[start:], y[start:], np.zeros(128)
        for _ in range(20_000):
            theta -= 0.05 / len(rows) * (expit(rows @ theta) - labels) @ rows
        np.testing.assert_allclose(expected, theta, rtol=0, atol=1e-9)


def test_a_seed_gives_one_problem_which_is_cached():
    problem = synthetic.make_problem(1.0, 0)
    assert problem is problem_of(1)
    with pytest.raises(ValueError, match="read-only"):
        problem.X_forget[0, 0] = 1
    other = synthetic.problem.draw(1.0, 1)
    assert not np.array_equal(other["y_forget"], problem.y_forget)
    assert not np.array_equal(problem_of(0).X_forget, problem.X_forget)


def test_several_seeds_give_a_list_of_their_problems():
    first, second, again = synthetic.make_problem(1, [0, 1, 0])
    assert first is again is problem_of(1) and second is synthetic.make_problem(1, 1)
    assert [second] == synthetic.make_problem(1, np.array([1])) == synthetic.make_problem(1, range(1, 2))
    assert synthetic.make_problem(1, []) == []
    with pytest.raises(TypeError, match="seed must be an integer, got '1'"):
        synthetic.make_problem(1, [0, "1"])


def test_distances_and_divergences_match_their_definitions():
    problem = problem_of(1)
    runs = synthetic.run("NPO", problem, n_steps=30, record=[0, 30])

    def kl(rows, first, second):
        return plain_synthetic.kl(*(torch.tensor(rows @ theta) for theta in (first, second))).mean().item()

    for k, theta in enumerate(runs.theta):
        assert runs.forget_distance[k] == pytest.approx(kl(problem.X_forget_test, problem.theta_retrained, theta))
        assert runs.retain_distance[k] == pytest.approx(kl(problem.X_retain_test, problem.theta_retrained, theta))
        assert runs.kl_model_ref[k] == pytest.approx(kl(problem.X_forget, theta, problem.theta_init), abs=1e-15)
        assert runs.kl_ref_model[k] == pytest.approx(kl(problem.X_forget, problem.theta_init, theta), abs=1e-15)
    assert runs.kl_model_ref[1] != pytest.approx(runs.kl_ref_model[1], rel=1e-3)
    assert runs.kl_model_ref[0] == runs.kl_ref_model[0] == 0


def test_runs_in_a_batch_are_the_runs_made_alone():
    problems = [problem_of(1), synthetic.make_problem(1, 1)]
    betas = [None, 0.5, None, 2.0]
    methods = ["GA", "NPO", "IDK+RT", "DPO+RT"]
    together = synthetic.run(methods, problems, beta=betas, step_size=1e-2, n_steps=40, retain_weight=[1, 1, 2, 3.0])
    assert together.forget_distance.shape == (2, 4, len(together.steps))
    assert together.theta.shape == (2, 4, len(together.steps), 128)
    for p, problem in enumerate(problems):
        for i, (method, beta) in enumerate(zip(methods, betas, strict=True)):
            alone = synthetic.run(
                method, problem, beta=beta, step_size=1e-2, n_steps=40, retain_weight=[1, 1, 2, 3.0][i]
            )
            np.testing.assert_array_equal(alone.steps, together.steps)
            for name in ("forget_distance", "retain_distance", "kl_model_ref", "kl_ref_model", "theta"):
                np.testing.assert_allclose(
                    getattr(together, name)[p, i], getattr(alone, name), rtol=1e-9, atol=1e-13, err_msg=name
                )


def test_half_the_steps_at_twice_the_retain_weight_are_dpo_with_one_over_beta():
    """½ of the forget loss plus the retain term, as the docstring of `run` says about the factor 1/β."""
    halved = synthetic.run("DPO+RT", problem_of(1), beta=0.1, step_size=2.5e-3, retain_weight=2, n_steps=50).theta[-1]
    problem, theta = problem_of(1), torch.tensor(problem_of(1).theta_init)
    for _ in range(50):
        theta.requires_grad_()
        whole = package_loss("DPO+RT", problem, theta, 0.1)
        retain = whole - package_loss("DPO", problem, theta, 0.1)
        (gradient,) = torch.autograd.grad((whole - retain) / 2 + retain, theta)
        theta = (theta - 5e-3 * gradient).detach()
    np.testing.assert_allclose(halved, theta.numpy(), rtol=0, atol=1e-10)


def test_an_overflow_is_named_and_the_finite_part_is_returned():
    where = r"GA on SyntheticProblem\(alpha=1, seed=0\)"
    why = rf"step_size is too large, {where} overflowed at step \d+: got step_size=1e\+307"
    with pytest.warns(RuntimeWarning, match=rf"^{why}; \d+ of 1001 records are returned$"):
        run = synthetic.run("GA", problem_of(1), step_size=1e307, n_steps=1000, record=range(0, 1001))
    assert 1 <= len(run.steps) < 1000 and re.fullmatch(why, run.stopped)
    assert len(run.forget_distance) == len(run.theta) == len(run.steps)
    assert np.isfinite(run.forget_distance).all() and np.isfinite(run.theta).all()
    # the message names the step at which it happens, recorded or not
    with pytest.warns(RuntimeWarning, match=f"at step {run.steps[-1] + 1}:.*; 1 of 2 records"):
        short = synthetic.run("GA", problem_of(1), step_size=1e307, n_steps=1000, record=[0, 1000])
    assert short.steps.tolist() == [0]
    with pytest.raises(ValueError, match=f"^{why}$"):
        synthetic.run("GA", problem_of(1), step_size=1e307, n_steps=1000, record=[500])
    complete = synthetic.run("GA", problem_of(1), n_steps=3)
    assert complete.stopped is None and repr(complete) == "SyntheticRun(4 records, forget_distance of shape (4,))"


def test_one_overflow_ends_all_runs_of_a_batch():
    problems = [problem_of(1), problem_of(0)]
    with pytest.warns(RuntimeWarning, match="NPO on"):
        runs = synthetic.run(["GA", "NPO"], problems, step_size=[1e-3, 1e307], beta=[None, 1], n_steps=500)
    assert runs.forget_distance.shape == (2, 2, len(runs.steps))
    assert np.isfinite(runs.theta).all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"alpha": -1}, ValueError, "alpha must be at least 0 and finite, got -1.0"),
        ({"alpha": np.nan}, ValueError, "alpha must be at least 0 and finite, got nan"),
        ({"alpha": np.inf}, ValueError, "alpha must be at least 0 and finite, got inf"),
        ({"alpha": "1"}, TypeError, "alpha must be a real number, got str"),
        ({"seed": 1.0}, TypeError, "seed must be an integer, got 1.0"),
        ({"seed": True}, TypeError, "seed must be an integer, got True"),
        ({"seed": None}, TypeError, "seed must be an integer, got None"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
        ({"seed": 10**5000}, ValueError, "seed must be at most 2**53, got a larger one"),
        ({"alpha": 1e308}, ValueError, "alpha is too large, the features or the training overflowed: got 1e+308"),
    ],
)
def test_bad_problems(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        synthetic.make_problem(**({"alpha": 1, "seed": 0} | arguments))


def test_labels_of_a_changed_problem_are_checked():
    flipped = replace(problem_of(1), y_other=(1 - problem_of(1).y_forget).tolist())
    assert np.array_equal(flipped.y_other, 1 - problem_of(1).y_forget)
    with pytest.raises(ValueError, match="y_other must hold labels 0 and 1 only, got 7 at index 0"):
        replace(problem_of(1), y_other=np.full(200, 7))
    with pytest.raises(ValueError, match="y_other must have one label for each row"):
        replace(problem_of(1), y_other=[0, 1, 1])


def test_minus_zero_is_zero():
    assert synthetic.make_problem(-0.0, 0) is problem_of(0)
    assert repr(problem_of(0)) == "SyntheticProblem(alpha=0, seed=0)"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"method": "SimNPO"}, ValueError, "method must be one of 'GA', 'GA\\+RT', .*got 'SimNPO'"),
        ({"method": 3}, ValueError, "method must be one of .*got 3"),
        ({"method": []}, ValueError, "method must have one length, at least 1, got {'method': 0}"),
        ({"method": ["GA", "NPO"], "step_size": [1e-3]}, ValueError, "method, step_size must have one length"),
        ({"problem": "toy"}, TypeError, "problem must be a SyntheticProblem from make_problem or .*got 'toy'"),
        ({"problem": []}, TypeError, r"problem must be a SyntheticProblem from make_problem or .*got \[\]"),
        ({"problem": [1]}, TypeError, r"problem must be a SyntheticProblem from make_problem or .*got \[1\]"),
        ({"step_size": 0}, ValueError, "step_size must be positive and finite, got 0"),
        ({"step_size": "fast"}, TypeError, "step_size must be a real number, got str"),
        ({"beta": 1.0}, ValueError, "beta must be left out with method='GA', got 1.0"),
        ({"method": "NPO", "beta": -1}, ValueError, "beta must be positive and finite, got -1"),
        ({"method": ["NPO", "GA"], "beta": [1, 1]}, ValueError, "beta must be left out with method='GA'"),
        ({"n_steps": 0}, ValueError, "n_steps must be at least 1, got 0"),
        ({"n_steps": 10, "record": [0, 11]}, ValueError, "record must hold increasing steps between 0 and n_steps=10"),
        ({"retain_term": "kl_ref_model"}, ValueError, "retain_term must be left out with methods .*got 'kl_ref_model'"),
        (
            {"method": "GA+RT", "retain_term": "KL"},
            ValueError,
            "retain_term must be one of .*got 'KL'",
        ),
        ({"method": "GA+RT", "retain_weight": -1}, ValueError, "retain_weight must be at least 0 and finite, got -1"),
        ({"method": "GA+RT", "retain_weight": None}, TypeError, "retain_weight must be a real number, got NoneType"),
        ({"problem": problem_of(2)}, ValueError, "step_size must be given with alpha=2"),
        (
            {"problem": problem_of(2), "method": "NPO", "step_size": 1},
            ValueError,
            "beta must be given with alpha=2",
        ),
    ],
)
def test_bad_runs(arguments, error, message):
    with pytest.raises(error, match=message):
        synthetic.run(**({"method": "GA", "problem": problem_of(1)} | arguments))

"""digits.py: the run on real images agrees with scikit-learn step for step."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from npo_tutorial import classifier_logp, digits_split, forget_digits, unlearn


@pytest.mark.parametrize(("loss", "beta"), [("ga", None), ("npo", 0.5)])
def test_run_equals_unlearning_the_classifier(loss, beta):
    split = digits_split((3, 8), n_forget=10, seed=3)
    run = forget_digits(split, loss=loss, beta=beta, n_steps=120)
    trained = LogisticRegression(fit_intercept=False).fit(split.X_train, split.y_train)
    for n_steps in (0, 50, 120):
        settings = dict(loss=loss, beta=beta, step_size=1.0, n_steps=n_steps)
        forgotten = unlearn(trained, split.X_forget, split.y_forget, **settings)
        expected = classifier_logp(forgotten, split.X_forget, split.y_forget)
        np.testing.assert_allclose(run.logp[n_steps], expected, rtol=1e-9)
        assert run.retain_accuracy[n_steps] == forgotten.score(split.X_retain, split.y_retain)
        assert run.test_accuracy[n_steps] == forgotten.score(split.X_test, split.y_test)
        assert run.remembered[n_steps] == round(10 * forgotten.score(split.X_forget, split.y_forget))
    assert run.steps.tolist() == list(range(121)) and run.stopped is None


def test_retain_accuracy_at_the_first_time():
    run = forget_digits(digits_split(), loss="npo", beta=2.0, n_steps=100)
    first = int(np.flatnonzero(run.remembered <= 5)[0])
    assert run.retain_accuracy_when(run.remembered <= 5) == run.retain_accuracy[first]
    assert np.isnan(run.retain_accuracy_when(run.remembered < 0))


def test_a_run_that_overflows_ends_early_and_says_so():
    split = digits_split(n_forget=10)
    with pytest.warns(RuntimeWarning, match="overflowed by step .* records are returned$") as warned:
        run = forget_digits(split, loss="ga", step_size=5e307, n_steps=50)
    assert warned[0].filename == __file__
    assert run.stopped.startswith("step_size or X is too large, the iterates overflowed by step")
    assert 1 <= len(run.steps) == len(run.logp) == len(run.retain_accuracy) == len(run.test_accuracy) < 51
    assert np.isfinite(run.retain_accuracy).all()


def test_bad_input_is_named():
    with pytest.raises(TypeError, match="split must be a DigitsSplit, as digits_split returns it, got tuple"):
        forget_digits((1, 2), loss="ga")
    with pytest.raises(ValueError, match="n_steps must be at least 0, got -1"):
        forget_digits(digits_split(), loss="ga", n_steps=-1)
    with pytest.raises(ValueError, match="beta must be given with loss='npo'"):
        forget_digits(digits_split(), loss="npo")

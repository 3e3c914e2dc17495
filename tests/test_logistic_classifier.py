"""logistic/classifier.py: unlearning fitted scikit-learn classifiers, their log-probabilities, clear errors."""

import pickle
import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from npo_tutorial import classifier_logp, digits_split, unlearn
from tests.conftest import autograd_trajectory


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("names", [(3, 8), ("drei", "acht"), (True, False)])
@pytest.mark.parametrize(("loss", "beta"), [("ga", None), ("npo", 0.5)])
def test_unlearning_a_fitted_classifier(names, fit_intercept, loss, beta):
    split = digits_split((3, 8), n_forget=5)
    name = np.array(names)
    y_train, y_forget = name[(split.y_train == 8).astype(int)], name[(split.y_forget == 8).astype(int)]
    classifier = LogisticRegression(fit_intercept=fit_intercept, max_iter=1000).fit(split.X_train, y_train)
    before = pickle.dumps(classifier)
    forgotten = unlearn(classifier, split.X_forget, y_forget, loss=loss, beta=beta, step_size=1.0, n_steps=150)

    assert pickle.dumps(classifier) == before
    assert forgotten.score(split.X_forget, y_forget) < classifier.score(split.X_forget, y_forget) == 1
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(forgotten)).coef_, forgotten.coef_)
    assert not hasattr(clone(forgotten), "coef_")
    assert clone(forgotten).get_params() == classifier.get_params()
    np.testing.assert_allclose(forgotten.predict_proba(split.X_test).sum(axis=1), 1)
    if not fit_intercept:
        assert forgotten.intercept_ == classifier.intercept_

    # the same as gradient descent on rows with a column of ones
    ones = np.ones((5, 1)) if fit_intercept else np.ones((5, 0))
    theta = np.append(classifier.coef_[0], classifier.intercept_[: ones.shape[1]])
    expected = autograd_trajectory(
        np.hstack([split.X_forget, ones]), (y_forget == classifier.classes_[1]) * 1, theta, loss, beta, 1.0, 150
    )[-1]
    np.testing.assert_allclose(np.append(forgotten.coef_, forgotten.intercept_[: ones.shape[1]]), expected, rtol=1e-9)


def test_zero_steps_change_nothing_and_keep_the_dtype():
    X = np.array([[0.0], [1.0], [2.0], [3.0]], np.float32)
    classifier = LogisticRegression().fit(X, [0, 0, 1, 1])
    same = unlearn(classifier, X[:1], [0], step_size=1.0, n_steps=0)
    np.testing.assert_array_equal(same.coef_, classifier.coef_)
    assert same.coef_.dtype == classifier.coef_.dtype
    assert same.coef_ is not classifier.coef_


def test_classifier_logp_equals_scikit_learn_and_does_not_underflow():
    split = digits_split((3, 8), n_forget=5)
    classifier = LogisticRegression().fit(split.X_train, split.y_train)
    expected = classifier.predict_log_proba(split.X_test)[np.arange(100), (split.y_test == 8).astype(int)]
    np.testing.assert_allclose(classifier_logp(classifier, split.X_test, split.y_test), expected, rtol=1e-9, atol=1e-12)
    assert np.isfinite(classifier_logp(classifier, 1e6 * split.X_test, 11 - split.y_test)).all()
    with pytest.raises(ValueError, match=r"y must hold classes among \[3, 8\], got .*4"):
        classifier_logp(classifier, split.X_test[:1], [4])


def test_sparse_coefficients_and_an_intercept_turned_off_after_fit():
    split = digits_split((3, 8), n_forget=5)
    settings = dict(step_size=1.0, n_steps=50)
    classifier = LogisticRegression().fit(split.X_train, split.y_train)
    expected = unlearn(classifier, split.X_forget, split.y_forget, **settings)
    classifier.set_params(fit_intercept=False)
    same = unlearn(classifier, split.X_forget, split.y_forget, **settings)
    np.testing.assert_array_equal(same.intercept_, expected.intercept_)
    sparse = unlearn(classifier.sparsify(), split.X_forget, split.y_forget, **settings)
    np.testing.assert_allclose(sparse.coef_, expected.coef_)


def test_npo_with_beta_one_is_what_unlearn_does_by_default():
    X, y = [[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]
    classifier = LogisticRegression().fit(X, y)
    default = unlearn(classifier, X, y, step_size=1.0, n_steps=20)
    named = unlearn(classifier, X, y, loss="npo", beta=1.0, step_size=1.0, n_steps=20)
    np.testing.assert_array_equal(default.coef_, named.coef_)


def test_there_may_be_more_features_than_small_integers():
    # Python caches integers up to 256: in all smaller tests, equal integers are also identical
    X = np.eye(300)
    classifier = LogisticRegression().fit(X, np.arange(300) % 2)
    assert unlearn(classifier, X, np.arange(300) % 2, step_size=1.0, n_steps=1).coef_.shape == (1, 300)


def test_not_fitted_is_a_value_error():
    assert issubclass(NotFittedError, ValueError)


# Bad input -----------------------------------------------------------------------------------------------------------

TWO = LogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], ["a", "a", "b", "b"])
WIDE = LogisticRegression().fit([[0.0, 1.0], [1.0, 0.0]], [0, 1])
THREE = LogisticRegression().fit([[0.0], [1.0], [2.0]], [0, 1, 2])
BAD = [
    (
        lambda: unlearn(LogisticRegression(), [[1.0]], ["a"], step_size=1.0, n_steps=1),
        NotFittedError,
        "classifier must be fitted",
    ),
    (
        lambda: unlearn(THREE, [[1.0]], [1], step_size=1.0, n_steps=1),
        ValueError,
        "classifier must have two classes, got 3",
    ),
    (
        lambda: unlearn(DecisionTreeClassifier(), [[1.0]], [1], step_size=1.0, n_steps=1),
        TypeError,
        "classifier must be a .* got DecisionTree",
    ),
    (
        lambda: unlearn(TWO, [[1.0]], ["c"], step_size=1.0, n_steps=1),
        ValueError,
        r"y_forget must hold classes among \['a', 'b'\], got .*'c'",
    ),
    (
        lambda: unlearn(TWO, [[1.0], [2.0], [3.0]], ["a", "c", "d"], step_size=1.0, n_steps=1),
        ValueError,
        "y_forget must hold classes among .* got .*'c'",
    ),
    (
        lambda: unlearn(TWO, [[1.0, 2.0]], ["a"], step_size=1.0, n_steps=1),
        ValueError,
        r"X_forget must have 1 columns.* \(1, 2\)",
    ),
    (
        lambda: unlearn(WIDE, [[1.0]], [0], step_size=1.0, n_steps=1),
        ValueError,
        r"X_forget must have 2 columns.* \(1, 1\)",
    ),
    (
        lambda: unlearn(TWO, [[1.0]], ["a", "b"], step_size=1.0, n_steps=1),
        ValueError,
        r"y_forget must have shape \(1,\), got \(2,\)",
    ),
    (
        lambda: unlearn(TWO, [[1.0], [2.0]], ["a"], step_size=1.0, n_steps=1),
        ValueError,
        r"y_forget must have shape \(2,\), got \(1,\)",
    ),
    (
        lambda: unlearn(TWO, [[1.0], [2.0]], [["a"], ["a", "b"]], step_size=1.0, n_steps=1),
        ValueError,
        r"y_forget must have shape \(2,\), got a ragged sequence",
    ),
    (lambda: unlearn(TWO, [[np.nan]], ["a"], step_size=1.0, n_steps=1), ValueError, "X_forget must be finite, got nan"),
    (
        lambda: unlearn(TWO, [[1.0]], ["a"], loss="sgd", step_size=1.0, n_steps=1),
        ValueError,
        "loss must be one of .* got 'sgd'",
    ),
    (lambda: unlearn(TWO, [[1.0]], ["a"], beta=-1, step_size=1.0, n_steps=1), ValueError, r"beta .* got -1\.0"),
    (
        lambda: unlearn(TWO, [[1.0]], ["a"], step_size=0, n_steps=1),
        ValueError,
        r"step_size must be positive and finite, got 0\.0",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[m for _, _, m in BAD])
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


class Frame(np.ndarray):
    """The part of a data frame that scikit-learn uses."""

    columns = ("b", "a")


@pytest.mark.parametrize(("fitted", "given"), [(("a", "b"), ("b", "a")), (("b", "a"), ("a", "b"))])
def test_renamed_columns_are_rejected(monkeypatch, fitted, given):
    classifier = LogisticRegression().fit(np.array([[0.0, 1.0], [1.0, 0.0]]), [0, 1])
    X = np.zeros((1, 2)).view(Frame)
    unlearn(classifier, X, [0], step_size=1.0, n_steps=1)  # a classifier fitted without names accepts any
    classifier.feature_names_in_ = np.array(fitted, dtype=object)
    monkeypatch.setattr(Frame, "columns", fitted)
    unlearn(classifier, X, [0], step_size=1.0, n_steps=1)
    unlearn(classifier, np.zeros((1, 2)), [0], step_size=1.0, n_steps=1)
    monkeypatch.setattr(Frame, "columns", given)
    message = f"X_forget must have the columns {list(fitted)} in that order, got {list(given)}"
    with pytest.raises(ValueError, match=re.escape(message)):
        unlearn(classifier, X, [0], step_size=1.0, n_steps=1)

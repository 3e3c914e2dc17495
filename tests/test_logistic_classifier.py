"""logistic/classifier.py: unlearning fitted scikit-learn classifiers, their log-probabilities, clear errors."""

import copy
import pickle
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
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


def with_attribute(classifier, **attribute):
    changed = copy.deepcopy(classifier)
    vars(changed).update(attribute)
    return changed


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
        r"y_forget must hold classes among \['a', 'b'\], got 'c'",
    ),
    (
        lambda: unlearn(TWO, [[1.0], [2.0], [3.0]], ["a", "c", "d"], step_size=1.0, n_steps=1),
        ValueError,
        "y_forget must hold classes among .* got 'c'",
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
    (
        lambda: classifier_logp(TWO, [[1.0]], np.ma.masked_array(["a"], [True])),
        TypeError,
        "y must not be a masked array",
    ),
    (
        lambda: classifier_logp(with_attribute(TWO, coef_=np.array([[np.nan]])), [[1.0]], ["a"]),
        ValueError,
        "classifier must have finite coefficients, got nan in coef_",
    ),
    (
        lambda: unlearn(with_attribute(TWO, intercept_=np.array([np.inf])), [[1.0]], ["a"], step_size=1.0, n_steps=1),
        ValueError,
        "classifier must have finite coefficients, got inf in intercept_",
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


# What predict accepts ------------------------------------------------------------------------------------------------

FRAME = pd.DataFrame(np.random.default_rng(0).standard_normal((40, 3)), columns=["a", "b", "c"])
SIDE = (FRAME.a > 0).astype(int)
BY_NAME = LogisticRegression().fit(FRAME, SIDE)
SETTINGS = dict(step_size=0.1, n_steps=3)
ACCEPTED = {
    "float": FRAME,
    "float32": FRAME.astype("float32"),
    "dummies": pd.get_dummies(FRAME.assign(city=np.where(FRAME.b > 0, "x", "y"))),
    "bool": FRAME > 0,
    "nullable float": FRAME.astype("Float64"),
    "nullable int": FRAME.round().astype("Int64"),
    "nullable bool": (FRAME > 0).astype("boolean"),
    "object": FRAME.astype(object),
    "decimal": FRAME.map(lambda x: Decimal(str(x))),
    "category": FRAME.round().astype("category"),
    "numbers as column names": pd.DataFrame(FRAME.to_numpy()),
    "list": FRAME.to_numpy().tolist(),
    "bool array": FRAME.to_numpy() > 0,
    "object array": FRAME.to_numpy().astype(object),
    "Fortran order": np.asfortranarray(FRAME),
    "tensor": torch.tensor(FRAME.to_numpy()),
}


@pytest.mark.parametrize("samples", ACCEPTED.values(), ids=ACCEPTED)
def test_what_fit_accepted_is_accepted_without_a_warning(samples):
    classifier = LogisticRegression().fit(samples, SIDE)
    expected = classifier.predict_log_proba(samples)[np.arange(40), SIDE]
    # predict_log_proba computes in the type of the samples, and rounds log(1 − p)
    rtol = 1e-5 if expected.dtype == np.float32 else 1e-9
    np.testing.assert_allclose(classifier_logp(classifier, samples, SIDE), expected, rtol=rtol)
    numbers = np.asarray(samples).astype(float)
    forgotten = unlearn(classifier, samples, SIDE, **SETTINGS)
    expected = unlearn(LogisticRegression().fit(numbers, SIDE), numbers, SIDE, **SETTINGS)
    np.testing.assert_allclose(forgotten.coef_, expected.coef_, rtol=1e-6)
    np.testing.assert_allclose(forgotten.predict_proba(samples).sum(axis=1), 1)


@pytest.mark.parametrize("dtype", ["Int64", "boolean", object, "category", float])
def test_labels_of_every_type_are_accepted(dtype):
    expected = classifier_logp(BY_NAME, FRAME, SIDE)
    np.testing.assert_array_equal(classifier_logp(BY_NAME, FRAME, SIDE.astype(dtype)), expected)
    np.testing.assert_array_equal(
        unlearn(BY_NAME, FRAME, SIDE.astype(dtype), **SETTINGS).coef_, unlearn(BY_NAME, FRAME, SIDE, **SETTINGS).coef_
    )


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csr_matrix, sparse.coo_array])
def test_sparse_samples_have_log_probs_and_must_be_dense_to_be_forgotten(make):
    numbers = FRAME.to_numpy() * (FRAME > 0)
    classifier = LogisticRegression().fit(make(numbers), SIDE)
    expected = classifier_logp(classifier, numbers.to_numpy(), SIDE)
    np.testing.assert_allclose(classifier_logp(classifier, make(numbers), SIDE), expected)
    np.testing.assert_allclose(classifier_logp(classifier.sparsify(), make(numbers), SIDE), expected)
    with pytest.raises(TypeError, match=r"X_forget must be dense, got sparse samples, .*: pass X_forget\.toarray\(\)$"):
        unlearn(classifier, make(numbers), SIDE, **SETTINGS)


def test_sparse_columns_must_be_dense_to_be_forgotten():
    frame = FRAME.round().astype(pd.SparseDtype("float", 0.0))
    classifier = LogisticRegression().fit(frame, SIDE)
    dense = unlearn(classifier, frame.sparse.to_dense(), SIDE, **SETTINGS)
    try:
        forgotten = unlearn(classifier, frame, SIDE, **SETTINGS)
    except TypeError as error:
        assert re.search(r"X_forget must be dense, .*: pass X_forget\.sparse\.to_dense\(\)$", str(error))
    else:
        # scikit-learn 1.6 makes such a frame dense by itself
        np.testing.assert_array_equal(forgotten.coef_, dense.coef_)


def test_names_are_missed_as_predict_misses_them():
    for call in (
        lambda: BY_NAME.predict(FRAME.to_numpy()),
        lambda: classifier_logp(BY_NAME, FRAME.to_numpy(), SIDE),
        lambda: unlearn(BY_NAME, FRAME.to_numpy(), SIDE, **SETTINGS),
    ):
        with pytest.warns(UserWarning, match="X does not have valid feature names") as warned:
            call()
        assert len(warned) == 1


def with_missing(frame, value):
    frame = frame.copy()
    frame.iloc[3, 1] = value
    return frame


REJECTED = [
    (
        FRAME[["b", "a", "c"]],
        ValueError,
        r"X must have the columns \['a', 'b', 'c'\] in that order, got \['b', 'a', 'c'\]",
    ),
    (FRAME[["a", "b"]], ValueError, r"X must have the columns \['a', 'b', 'c'\] in that order, got \['a', 'b'\]"),
    (FRAME.rename(columns={"c": "z"}), ValueError, r"X must have the columns .* got \['a', 'b', 'z'\]"),
    (FRAME.assign(b="x"), TypeError, "X must hold numbers, got dtype .* in column 'b': convert it as for fit"),
    (FRAME.assign(b=pd.Categorical(["u"] * 40)), TypeError, "X must hold numbers, got dtype category in column 'b'"),
    (
        FRAME.assign(c=pd.Timestamp("2020-01-01")),
        TypeError,
        "X must hold numbers, got dtype datetime64.* in column 'c'",
    ),
    (with_missing(FRAME, np.nan), ValueError, "X must be finite, got nan in row 3 of column 'b': fill in or drop"),
    (with_missing(FRAME, np.inf), ValueError, "X must be finite, got inf in row 3 of column 'b'"),
    (with_missing(FRAME.astype("Float64"), pd.NA), ValueError, "X must be finite, got nan in row 3 of column 'b'"),
    (with_missing(FRAME.astype(object), None), ValueError, "X must be finite, got nan in row 3 of column 'b'"),
    (FRAME[:0], ValueError, r"X must not be empty, got shape \(0, 3\)"),
    (FRAME.a.to_numpy(), ValueError, r"X must have 2 dimensions, got shape \(40,\)"),
    (FRAME.a, ValueError, r"X must have 2 dimensions, got shape \(40,\)"),
    (np.zeros((2, 3, 1)), ValueError, r"X must have 2 dimensions, got shape \(2, 3, 1\)"),
    ([[1.0, 2.0, 3.0], [1.0]], ValueError, "X must have 2 dimensions, got a ragged sequence"),
    (None, ValueError, r"X must have 2 dimensions, got shape \(\)"),
    (FRAME.to_numpy().astype(str), TypeError, "X must hold numbers, got dtype <U32 in column 0"),
    (FRAME.to_numpy() + 1j, TypeError, "X must hold numbers, got dtype complex128 in column 0"),
    (np.ma.array(FRAME.to_numpy()), TypeError, "X must not be a masked array"),
    (torch.zeros((2, 3), requires_grad=True), TypeError, "X must be samples as in fit: .*detach"),
    (sparse.csr_array(np.zeros((2, 4))), ValueError, r"X must have 3 columns, as in fit, got shape \(2, 4\)"),
    (sparse.csr_array(np.full((2, 3), np.nan)), ValueError, "X must be samples as in fit: Input X contains NaN"),
]


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize(("samples", "error", "message"), REJECTED, ids=[message for *_, message in REJECTED])
def test_rejected_samples_are_rejected_by_predict_too_and_the_message_says_where(samples, error, message):
    if not isinstance(samples, np.ma.MaskedArray):  # scikit-learn ignores the mask
        with pytest.raises((TypeError, ValueError, RuntimeError)):
            BY_NAME.predict(samples)
    with pytest.raises(error, match=message):
        classifier_logp(BY_NAME, samples, SIDE)
    with pytest.raises(error, match=message.replace("X", "X_forget", 1)):
        unlearn(BY_NAME, samples, SIDE, **SETTINGS)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_missing_labels_are_named(missing):
    labels = SIDE.astype(object).where(SIDE == 0, missing)
    with pytest.raises(ValueError, match=r"y must hold classes among \[0, 1\], got (None|nan|a missing value)"):
        classifier_logp(BY_NAME, FRAME, labels)


@pytest.mark.parametrize(
    ("classifier", "remedy"),
    [
        (make_pipeline(LogisticRegression()), r"Pipeline: pass its last step, classifier\[-1\]$"),
        (
            make_pipeline(StandardScaler(), LogisticRegression()),
            r"Pipeline: .*, classifier\[-1\], and classifier\[:-1\]\.transform\(X_forget\) for X_forget$",
        ),
        (GridSearchCV(LogisticRegression(), {"C": [1]}), r"GridSearchCV: pass classifier\.best_estimator_$"),
    ],
)
def test_a_pipeline_or_a_search_is_told_what_to_pass(classifier, remedy):
    classifier.fit(FRAME, SIDE)
    with pytest.raises(TypeError, match="classifier must be a sklearn LogisticRegression, got " + remedy):
        unlearn(classifier, FRAME, SIDE, **SETTINGS)


def test_the_remedy_for_a_pipeline_works():
    classifier = make_pipeline(StandardScaler(), LogisticRegression()).fit(FRAME, SIDE)
    forgotten = unlearn(classifier[-1], classifier[:-1].transform(FRAME), SIDE, **SETTINGS)
    assert (
        classifier_logp(forgotten, classifier[:-1].transform(FRAME), SIDE).mean()
        < classifier_logp(classifier[-1], classifier[:-1].transform(FRAME), SIDE).mean()
    )

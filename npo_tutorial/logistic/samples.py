"""Checks of a fitted classifier and of samples for it: scikit-learn decides, and our messages name the argument."""

from typing import TYPE_CHECKING, Any

import numpy as np

from npo_tutorial._checks import refuse_masked
from npo_tutorial._types import BoolArray

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression


def check_classifier(classifier: Any, X_name: str) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.utils.validation import check_is_fitted

    if not isinstance(classifier, LogisticRegression):
        remedy = ""
        if hasattr(classifier, "best_estimator_"):
            remedy = ": pass classifier.best_estimator_"
        elif hasattr(classifier, "steps"):
            remedy = ": pass its last step, classifier[-1]"
            if len(classifier.steps) > 1:
                remedy += f", and classifier[:-1].transform({X_name}) for {X_name}"
        raise TypeError(f"classifier must be a sklearn LogisticRegression, got {type(classifier).__name__}{remedy}")
    check_is_fitted(classifier, msg="classifier must be fitted before it can forget, got an unfitted %(name)s")
    if len(classifier.classes_) != 2:
        raise ValueError(f"classifier must have two classes, got {len(classifier.classes_)}: {classifier.classes_}")
    for name in ("coef_", "intercept_"):
        values = getattr(classifier, name)
        values = values.data if hasattr(values, "toarray") else np.asarray(values)
        if not np.isfinite(values).all():
            raise ValueError(
                f"classifier must have finite coefficients, got {values[~np.isfinite(values)][0]} in {name}"
            )


def check_samples(classifier: "LogisticRegression", X: Any, name: str) -> Any:
    """The samples as a float64 array, or a sparse one, if scikit-learn accepts them for this classifier."""
    from sklearn.utils.validation import validate_data

    refuse_masked(name, X)
    try:
        # as `predict` calls it
        return validate_data(classifier, X, reset=False, accept_sparse="csr").astype(np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        # scikit-learn says what is wrong in words that do not know the argument
        _explain(classifier, X, name)
        kind = ValueError if isinstance(error, ValueError) else TypeError
        reason = str(error).partition("\n")[0]
        raise kind(f"{name} must be samples as in fit: {reason}") from None


def _explain(classifier: "LogisticRegression", X: Any, name: str) -> None:
    """Raise an error that says what is wrong with samples that scikit-learn has rejected, where we find it."""
    columns, fitted = getattr(X, "columns", None), getattr(classifier, "feature_names_in_", None)
    if columns is not None and fitted is not None and list(columns) != list(fitted):
        raise ValueError(f"{name} must have the columns {list(fitted)} in that order, got {list(columns)}")
    shape = getattr(X, "shape", None)
    if shape is None:
        try:
            shape = np.shape(X)
        except ValueError:
            raise ValueError(f"{name} must have 2 dimensions, got a ragged sequence") from None
    if len(shape) != 2:
        raise ValueError(f"{name} must have 2 dimensions, got shape {tuple(shape)}")
    if 0 in shape:
        raise ValueError(f"{name} must not be empty, got shape {tuple(shape)}")
    if shape[1] != classifier.n_features_in_:
        raise ValueError(f"{name} must have {classifier.n_features_in_} columns, as in fit, got shape {tuple(shape)}")
    if columns is not None:
        by_column = {repr(column): X[column] for column in columns}
    else:
        try:
            by_column = {str(j): column for j, column in enumerate(np.asarray(X).T)}
        except (RuntimeError, TypeError):  # a tensor that needs a gradient, a sparse matrix
            return
    for where, column in by_column.items():
        _explain_column(name, f"column {where}", column)


def _explain_column(name: str, where: str, column: Any) -> None:
    from sklearn.utils.validation import check_array

    dtype = getattr(column, "dtype", type(column).__name__)
    try:
        numbers = check_array(column, ensure_2d=False, ensure_all_finite=False).astype(np.float64)
    except (TypeError, ValueError):
        numbers = None
    # one column of dates alone would be converted, and so would complex numbers by some libraries
    if numbers is None or getattr(dtype, "kind", "") in ("M", "m", "c"):
        raise TypeError(f"{name} must hold numbers, got dtype {dtype} in {where}: convert it as for fit")
    bad = ~np.isfinite(numbers)
    if bad.any():
        i = int(np.argmax(bad))
        raise ValueError(f"{name} must be finite, got {numbers[i]} in row {i} of {where}: fill in or drop such rows")


def is_second_class(classifier: "LogisticRegression", y: Any, n: int, name: str) -> BoolArray:
    """Whether each label is the second class."""
    refuse_masked(name, y)
    try:
        labels = np.asarray(y)
    except ValueError:
        raise ValueError(f"{name} must have shape ({n},), got a ragged sequence") from None
    if labels.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), got {labels.shape}")
    classes = classifier.classes_.tolist()
    try:
        unknown = ~np.isin(labels, classifier.classes_)
    except TypeError:  # pandas' missing value equals nothing, and differs from nothing
        raise ValueError(f"{name} must hold classes among {classes}, got a missing value") from None
    if unknown.any():
        raise ValueError(f"{name} must hold classes among {classes}, got {labels[unknown].tolist()[0]!r}")
    return labels == classifier.classes_[1]

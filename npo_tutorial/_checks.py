"""Checks of arguments, shared by all modules: every message names the argument and what it got.

Here are numbers, flags, choices and NumPy arrays; `_log_probs` checks arrays of other libraries.
"""

import math
from collections.abc import Collection, Sequence
from numbers import Integral, Real
from typing import Any, TypeGuard, TypeVar, cast

import numpy as np
from array_api_compat import is_array_api_obj, is_torch_array

from npo_tutorial._types import FloatArray

Choice = TypeVar("Choice", bound=str)


def check_beta(beta: Any, info: Any = None) -> float:
    """The inverse temperature as a float; it and 2/beta must be numbers of the type that `info`, a finfo, describes."""
    beta = check_positive("beta", beta)
    info = info or np.finfo(np.float64)
    if not (float(info.smallest_normal) <= beta <= float(info.max) and 2 / beta <= float(info.max)):
        raise ValueError(f"beta is too small or too large for {info.bits}-bit numbers, got {beta!r}")
    return beta


def check_positive(name: str, value: Any) -> float:
    """A positive finite number, as a float."""
    value = check_real(name, value)
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be positive and finite, got {value!r}")
    return value


def check_finite_real(name: str, value: Any) -> float:
    """A finite number, as a float."""
    value = check_real(name, value)
    if not -math.inf < value < math.inf:  # `torch.compile` traces comparisons, and not math.isfinite
        raise ValueError(f"{name} must be finite, got {value!r}")
    return value


def check_real(name: str, value: Any) -> float:
    """A Python or NumPy real number, as a float."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a real number, got {describe(value)}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} must fit a floating-point number, got a larger one") from None


def check_count(name: str, value: Any, *, minimum: int = 1) -> int:
    """A Python or NumPy integer of at least `minimum`, as an int."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    count = int(value)
    if count < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {count}")
    if count > 2**53:
        raise ValueError(f"{name} must be at most 2**53, got a larger one")
    return count


def check_flag(name: str, value: Any) -> bool:
    """True or False, as a real bool: truthy strings such as "no" are rejected."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def check_choice(name: str, value: Any, choices: Collection[Choice]) -> Choice:
    """One of a few strings."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return cast(Choice, value)


def is_sequence(value: object) -> TypeGuard[Sequence[Any]]:
    """Whether an argument is a list or an array of values, not one value; a string is one."""
    return (isinstance(value, Sequence) and not isinstance(value, str)) or (
        isinstance(value, np.ndarray) and value.ndim > 0
    )


def check_finite_array(name: str, value: Any, *, ndim: int, batch: bool = False) -> FloatArray:
    """A finite float64 NumPy array of `ndim` dimensions, or with `batch` one more in front, none of them empty."""
    if is_torch_array(value):
        raise TypeError(f"{name} must be a NumPy array, got a PyTorch tensor: pass {name}.numpy()")
    array = as_float64(name, value, "biuf")
    if array.ndim != ndim and not (batch and array.ndim == ndim + 1):
        wanted = f"{ndim} dimension{'s' if ndim > 1 else ''}{', or one more for a batch' if batch else ''}"
        raise ValueError(f"{name} must have {wanted}, got shape {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    bad = ~np.isfinite(array)
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(f"{name} must be finite, got {array[index]} at index {show_index(index)}")
    return array


def check_labels(name: str, value: Any, n: int, *, batch: bool = False) -> FloatArray:
    """`n` labels, each 0 or 1, as a float64 NumPy array; with `batch` possibly several times `n`."""
    labels = check_finite_array(name, value, ndim=1, batch=batch)
    if labels.shape[-1] != n:
        raise ValueError(f"{name} must have one label for each row of X, shape ({n},), got {labels.shape}")
    bad = (labels != 0) & (labels != 1)
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(f"{name} must hold labels 0 and 1 only, got {labels[index]:g} at index {show_index(index)}")
    return labels


def refuse_masked(name: str, x: Any) -> None:
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"{name} must not be a masked array, whose mask would be ignored: select the valid entries")


def as_float64(name: str, x: Any, kinds: str) -> FloatArray:
    """A float64 NumPy array; unlike NumPy's own conversion it takes neither None for NaN nor text for numbers."""
    refuse_masked(name, x)
    try:
        array = np.asarray(x)
    except (ValueError, RuntimeError):  # ragged lists, tensors within lists
        array = None
    if array is None or (array.dtype.kind not in kinds and array.size):
        raise TypeError(f"{name} must be an array of real numbers or a number, got {describe(x)}")
    with np.errstate(over="ignore"):
        return array.astype(np.float64, order="C")


def show_index(index: tuple[int, ...]) -> int | tuple[int, ...]:
    return index[0] if len(index) == 1 else index


def describe(x: Any) -> str:
    if is_array_api_obj(x):
        return f"{type(x).__module__.split('.')[0]} array of dtype {x.dtype}"
    return f"{type(x).__name__} {x!r}" if isinstance(x, (str, bool, type(None))) else type(x).__name__

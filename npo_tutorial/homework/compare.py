"""Compare the result of an answer with the right one, and with the result of each mistake that a check knows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

# Wrong formulas differ by percents; an answer in float32 may be off in the seventh digit.
TOLERANCE = 1e-4


class Mistake(Exception):
    """What a check found: the short name of its hint, what the hint fills in, and the call that shows the mistake."""

    def __init__(self, hint: str, *, result: "Result | None" = None, **details: Any) -> None:
        super().__init__(hint)
        self.hint, self.result, self.details = hint, result, details


@dataclass(frozen=True)
class Result:
    """What an answer returned, as a float64 array, and the arguments it was called with; None if there was no call."""

    value: np.ndarray
    arguments: Mapping[str, Any] | None = None

    def mistake(self, hint: str, **details: Any) -> Mistake:
        return Mistake(hint, result=self, **details)


def as_numbers(result: object) -> np.ndarray:
    """A float64 array of what a function returned: a number, an array, a tensor, or a list of them."""
    if result is None:
        raise Mistake("returns-nothing")
    try:
        array = np.asarray([_detached(x) for x in result] if isinstance(result, (list, tuple)) else _detached(result))
        # objects: Fraction, Decimal, numbers of mpmath
        if array.dtype.kind in "fiu" or (
            array.dtype.kind == "O" and all(isinstance(x, (Real, Decimal)) for x in array.flat)
        ):
            return array.astype(np.float64)
    except BaseException:  # the conversion may run code of the student's, or ask for more memory than there is
        pass
    raise Mistake("not-numbers", got=described(result))


def described(value: object) -> str:
    """Its type and the beginning of its repr, both of which may be a student's and raise."""
    return attempt(lambda: f"{type(value).__name__} {value!r:.60}", attempt(lambda: type(value).__name__, "an object"))


def attempt(text: Callable[[], str], otherwise: str) -> str:
    """What `text` returns, or if it raises `otherwise`."""
    try:
        return text()
    except BaseException:  # SystemExit as well: it must not end the notebook
        return otherwise


def compare(
    result: Result, expected: ArrayLike, mistakes: Mapping[str, Any], *, otherwise: str = "value", **details: Any
) -> None:
    """Raise unless the result is `expected`: the first of `mistakes`, {hint: what it gives}, that explains it.

    A list holds several results of one mistake. `otherwise` is the hint if none explains the result; `details` are its.
    """
    if close(result.value, expected):
        return
    for hint, wrong in mistakes.items():
        if any(close(result.value, value) for value in (wrong if isinstance(wrong, list) else [wrong])):
            raise result.mistake(hint)
    if otherwise == "value" and not np.isfinite(result.value).all():
        raise result.mistake("nan")
    raise result.mistake(otherwise, **details)


def close(got: ArrayLike, expected: ArrayLike, tolerance: float = TOLERANCE) -> bool:
    """Equal shapes and, up to rounding, equal numbers: relative to each of them, so that small ones count as well."""
    got, expected = np.asarray(got), np.asarray(expected)
    return got.shape == expected.shape and np.allclose(got, expected, rtol=tolerance, atol=1e-300, equal_nan=True)


def shaped(result: Result, shape: tuple[int, ...]) -> Result:
    """The result itself, if it has this shape."""
    if result.value.shape != shape:
        raise result.mistake("shape", wanted=shape, got=result.value.shape)
    return result


def scalar(result: Result, n: int) -> Result:
    """The result as a single number, if it is one; an array of one element counts."""
    if result.value.size != 1:
        if result.value.shape == (n,):
            raise result.mistake("not-averaged")
        raise result.mistake("shape", wanted="()", got=result.value.shape)
    return replace(result, value=result.value.reshape(()))


def _detached(value):
    return value.detach().cpu().double().numpy() if hasattr(value, "detach") else value

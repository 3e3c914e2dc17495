"""Types of the public API, for editors and for mypy.

An array of any library is an `Array`; a function that computes with the library of its arguments says `ArrayT` for them
and for its result. What works in NumPy alone takes an `ArrayLike` and returns a `FloatArray`. Scalars are `Real`: a
Python or NumPy number.
"""

from collections.abc import Sequence
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Array",
    "ArrayLike",
    "ArrayT",
    "BoolArray",
    "FloatArray",
    "IntArray",
    "Language",
    "Loss",
    "Nested",
    "Real",
    "Reduction",
    "RetainTerm",
]

Real: TypeAlias = float | np.floating[Any] | np.integer[Any]
# numbers in lists, which become NumPy arrays
Nested: TypeAlias = float | Sequence["Nested"]
FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.integer[Any]]
BoolArray: TypeAlias = NDArray[np.bool_]

Language: TypeAlias = Literal["en", "zh"]
Loss: TypeAlias = Literal["ga", "npo"]
Reduction: TypeAlias = Literal["mean", "sum", "none"]
RetainTerm: TypeAlias = Literal["cross_entropy", "kl_ref_model", "kl_model_ref"]


class Array(Protocol):
    """An array of the array-API standard: NumPy's, PyTorch's, JAX's, CuPy's.

    The standard marks its arrays by a method that PyTorch's do not have; these are what all of them do have.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> Any: ...

    @property
    def ndim(self) -> int: ...

    def __neg__(self) -> Any: ...

    def __getitem__(self, key: Any, /) -> Any: ...


ArrayT = TypeVar("ArrayT", bound=Array)

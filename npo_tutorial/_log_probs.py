"""Checks of log-probabilities, lengths and β, in the arrays of any library.

Shapes, types and hyperparameters are always checked. *Values* of arrays are read only where that costs neither a device
synchronisation nor a trace: on NumPy arrays and on eager PyTorch and JAX arrays in CPU memory.
"""

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_array_api_obj

from npo_tutorial._checks import as_float64, describe, refuse_masked, show_index


def check_log_probs(policy: dict[str, Any], reference: dict[str, Any] | None = None) -> tuple[Any, tuple[Any, ...]]:
    """Return the array namespace and the arrays, all of one library and one shape, checked to be log-probabilities.

    Both arguments are dictionaries of arrays by name. Those of the reference model must be finite, and of those of the
    policy at most one may be −inf at an index: otherwise a log-ratio would be ∞ − ∞.
    """
    reference = reference or {}
    given = policy | reference
    arrays = {name: _as_float_array(name, x) for name, x in given.items()}
    first = next(iter(arrays))
    xp = namespace(arrays[first])
    if any(namespace(x) is not xp for x in arrays.values()):
        kinds = ", ".join(f"{name}: {describe(x)}" for name, x in given.items())
        raise TypeError(f"{first} and the other log-probabilities must come from one array library, got {kinds}")
    if math.prod(arrays[first].shape) == 0:
        raise ValueError(f"{first} must not be empty, got shape {tuple(arrays[first].shape)}")
    for name, x in arrays.items():
        _check_shape(name, x, first, arrays[first])
    if all(is_readable(x) for x in arrays.values()):
        values = {name: _values(x) for name, x in arrays.items()}
        for name, x in values.items():
            _check_values(xp, name, x, finite=name in reference)
        for name in list(policy)[1:]:
            if bool(((values[first] == -math.inf) & (values[name] == -math.inf)).any()):
                raise ValueError(f"{name} must be finite where {first} is -inf, got -inf for both: no margin")
    return xp, tuple(arrays.values())


def check_lengths(name: str, lengths: Any, logp: Any, xp: Any) -> Any:
    """Lengths ≥ 1, one for each log-probability, as floating-point numbers of their library and type."""
    array = _as_array(name, lengths, "integers or an integer")
    if namespace(array) is not xp:
        kinds = f"{describe(lengths)} and {describe(logp)}"
        raise TypeError(f"{name} and logp must come from one array library, got {kinds}")
    if not _is_kind(array, "integral"):
        raise TypeError(f"{name} must hold integers, got dtype {array.dtype}")
    _check_shape(name, array, "logp", logp)
    array = xp.astype(array, logp.dtype)
    if is_readable(array) and bool(xp.any(array < 1)):
        raise ValueError(f"{name} must be at least 1, got {float(xp.min(array)):g}")
    return array


def check_scalar(name: str, value: Any, check: Callable[[Any], float], logp: Any) -> Any:
    """`value` as `check` returns it, a float; a scalar of JAX that cannot be read as an array of the type of `logp`.

    Under `jax.jit` every number that is not static is such a scalar.
    """
    jax = sys.modules.get("jax")
    if jax is None or not isinstance(value, (jax.Array, jax.core.Tracer)):
        return check(value)
    if value.shape != () or not _is_kind(value, ("real floating", "integral")):
        raise TypeError(f"{name} must be a real number, got {describe(value)} and shape {value.shape}")
    if is_readable(value):
        return check(value.item())
    if namespace(value) is not namespace(logp):
        raise TypeError(
            f"{name} must come from the library of the log-probabilities where it is traced, "
            f"got {describe(value)} and {describe(logp)}"
        )
    return value.astype(logp.dtype)


def namespace(x: Any) -> Any:
    """The functions of the library of an array."""
    # array_api_compat finds the same by cached look-ups, and `torch.compile` warns of each. NumPy 2 itself follows the
    # standard; array_api_compat.numpy would load all of NumPy.
    if _is_numpy(x):
        return np
    if _is_torch(x):
        from array_api_compat import torch

        return torch
    return array_namespace(x)


def is_readable(x: Any) -> bool:
    """Whether reading the values of an array costs neither a device synchronisation nor a trace."""
    if _is_numpy(x):
        return True
    if _is_torch(x):
        torch = sys.modules["torch"]
        # inside vmap, grad or a compiled graph, and on subclasses without data, a test of values would break the trace
        traced = torch.compiler.is_compiling() or torch._C._functorch.is_functorch_wrapped_tensor(x)
        return x.device.type == "cpu" and not traced and type(x) in (torch.Tensor, torch.nn.Parameter)
    jax = sys.modules.get("jax")
    if jax is not None and isinstance(x, jax.Array):
        return not isinstance(x, jax.core.Tracer) and all(d.platform == "cpu" for d in x.devices())
    return False


def _is_numpy(x: Any) -> bool:
    return isinstance(x, (np.ndarray, np.generic)) and not isinstance(x, np.matrix)


def _is_torch(x: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def _is_kind(x: Any, kind: str | tuple[str, ...]) -> bool:
    try:
        return namespace(x).isdtype(x.dtype, kind)
    except TypeError:  # a dtype the library does not define itself (for example ml_dtypes)
        return False


def _as_array(name: str, x: Any, what: str) -> Any:
    """An array of any library as it is, anything else as NumPy makes an array of it."""
    refuse_masked(name, x)
    if _is_numpy(x) or _is_torch(x) or is_array_api_obj(x):
        return x
    try:
        array = np.asarray(x)
    except (ValueError, RuntimeError):  # ragged lists, tensors within lists
        array = None
    if array is None or array.dtype.kind not in "biufc":
        raise TypeError(f"{name} must be an array of {what}, got {describe(x)}")
    return array


def _as_float_array(name: str, x: Any) -> Any:
    if not (_is_numpy(x) or _is_torch(x) or is_array_api_obj(x)):
        return as_float64(name, x, "iuf")
    refuse_masked(name, x)
    if _is_kind(x, "integral"):
        xp = namespace(x)
        return xp.astype(x, xp.zeros(0).dtype)
    if not _is_kind(x, "real floating"):
        raise TypeError(f"{name} must hold real numbers, got dtype {x.dtype}")
    return x


def _check_shape(name: str, x: Any, first: str, first_array: Any) -> None:
    if x.shape != first_array.shape:
        raise ValueError(
            f"{name} must have the shape of {first}, {tuple(first_array.shape)}, got {tuple(x.shape)}; "
            "shapes are never broadcast"
        )


def _values(x: Any) -> Any:
    """A readable array without gradient; of JAX as NumPy's, since `jax.jit` would trace a test of constants too."""
    return x.detach() if _is_torch(x) else np.asarray(x)


def _check_values(xp: Any, name: str, x: Any, finite: bool) -> None:
    # the sum of rounded terms may exceed 0 slightly: not the caller's mistake
    tolerance = float(xp.finfo(x.dtype).eps) ** 0.5
    if float(x.max()) <= tolerance and (not finite or float(x.min()) > -math.inf):
        return
    x = x.double().numpy() if _is_torch(x) else x
    for wrong, rule in (
        (np.isnan(x), "must not hold NaN"),
        (x > tolerance, "must be log-probabilities, at most 0"),
        (np.isinf(x), "must be finite: without a reference probability there is no log-ratio"),
    ):
        if wrong.any():
            index = tuple(int(i) for i in np.argwhere(wrong)[0])
            where = f" at index {show_index(index)}" if index else ""
            raise ValueError(f"{name} {rule}, got {x[index]}{where}")

"""Checks of arguments, shared by all modules: every message names the argument and what it got.

Shapes, types and hyperparameters are always checked. *Values* of arrays are read only where that costs neither a device
synchronisation nor a trace: on NumPy arrays and on eager PyTorch and JAX arrays in CPU memory.
"""

import math
from numbers import Integral, Real

import numpy as np
from array_api_compat import (
    array_namespace,
    is_array_api_obj,
    is_jax_array,
    is_numpy_array,
    is_torch_array,
)


def check_log_probs(**arrays):
    """Return the array namespace and the arrays, all of one library and one shape, checked to be log-probabilities.

    Reference log-probabilities (names that start with ``ref_``) must be finite, and of the others at most one may be
    −inf at an index: otherwise a log-ratio would be ∞ − ∞.
    """
    arrays = {name: _as_float_array(name, x) for name, x in arrays.items()}
    first = next(iter(arrays))
    try:
        xp = array_namespace(*arrays.values())
    except TypeError:
        kinds = ", ".join(f"{name}: {_kind(x)}" for name, x in arrays.items())
        raise TypeError(
            f"{first} and the other log-probabilities must come from one array library, got {kinds}"
        ) from None
    if math.prod(arrays[first].shape) == 0:
        raise ValueError(f"{first} must not be empty, got shape {tuple(arrays[first].shape)}")
    for name, x in arrays.items():
        if x.shape != arrays[first].shape:
            raise ValueError(
                f"{name} must have the shape of {first}, {tuple(arrays[first].shape)}, got {tuple(x.shape)}; "
                "shapes are never broadcast"
            )
    if all(_is_readable(x) for x in arrays.values()):
        for name, x in arrays.items():
            _check_log_prob_values(xp, name, x)
        if "rejected_logp" in arrays:
            impossible = (arrays["chosen_logp"] == -math.inf) & (arrays["rejected_logp"] == -math.inf)
            if bool(xp.any(impossible)):
                raise ValueError("rejected_logp must be finite where chosen_logp is -inf, got -inf for both: no margin")
    return xp, tuple(arrays.values())


def check_lengths(name, lengths, logp, xp):
    """Lengths ≥ 1, one for each log-probability, as floating-point numbers of their library and type."""
    if not is_array_api_obj(lengths):
        array = as_float64(name, lengths, "iu")
        if not is_numpy_array(logp):
            raise TypeError(f"{name} and logp must come from one array library, got {_kind(lengths)} and {_kind(logp)}")
    else:
        refuse_masked(name, lengths)
        if array_namespace(lengths) is not xp:
            raise TypeError(f"{name} and logp must come from one array library, got {_kind(lengths)} and {_kind(logp)}")
        if not xp.isdtype(lengths.dtype, "integral"):
            raise TypeError(f"{name} must hold integers, got dtype {lengths.dtype}")
        array = xp.astype(lengths, logp.dtype)
    if array.shape != logp.shape:
        raise ValueError(
            f"{name} must have the shape of logp, {tuple(logp.shape)}, got {tuple(array.shape)}; "
            "shapes are never broadcast"
        )
    if _is_readable(array) and bool(xp.any(array < 1)):
        raise ValueError(f"{name} must be at least 1, got {float(xp.min(array)):g}")
    return array


def check_beta(beta, info=None):
    """The inverse temperature as a float; it and 2/beta must be numbers of the type that `info`, a finfo, describes."""
    beta = check_positive("beta", beta)
    info = info or np.finfo(np.float64)
    if not (float(info.smallest_normal) <= beta <= float(info.max) and 2 / beta <= float(info.max)):
        raise ValueError(f"beta is too small or too large for {info.bits}-bit numbers, got {beta!r}")
    return beta


def check_positive(name, value):
    """A positive finite number, as a float."""
    value = check_real(name, value)
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be positive and finite, got {value!r}")
    return value


def check_real(name, value):
    """A Python or NumPy real number, as a float."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a real number, got {_kind(value)}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} must fit a floating-point number, got a larger one") from None


def check_count(name, value, *, minimum=1):
    """A Python or NumPy integer of at least `minimum`, as an int."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {int(value)}")
    if value > 2**53:
        raise ValueError(f"{name} must be at most 2**53, got a larger one")
    return int(value)


def check_flag(name, value):
    """True or False, and nothing that merely counts as one of them: "no" would be true."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def check_choice(name, value, choices):
    """One of a few strings."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return value


def check_finite_array(name, value, *, ndim, batch=False):
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
        raise ValueError(f"{name} must be finite, got {array[index]} at index {_show(index)}")
    return array


def check_labels(name, value, n, *, batch=False):
    """`n` labels, each 0 or 1, as a float64 NumPy array; with `batch` possibly several times `n`."""
    labels = check_finite_array(name, value, ndim=1, batch=batch)
    if labels.shape[-1] != n:
        raise ValueError(f"{name} must have one label for each row of X, shape ({n},), got {labels.shape}")
    bad = (labels != 0) & (labels != 1)
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(f"{name} must hold labels 0 and 1 only, got {labels[index]:g} at index {_show(index)}")
    return labels


def _as_float_array(name, x):
    if not is_array_api_obj(x):
        return as_float64(name, x, "iuf")
    refuse_masked(name, x)
    try:
        is_float = array_namespace(x).isdtype(x.dtype, "real floating")
    except TypeError:  # a type that the library lends from elsewhere
        is_float = False
    if not is_float:
        raise TypeError(f"{name} must hold real floating-point numbers, got dtype {x.dtype}")
    return x


def refuse_masked(name, x):
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"{name} must not be a masked array, whose mask would be ignored: select the valid entries")


def as_float64(name, x, kinds):
    """A float64 NumPy array; unlike NumPy's own conversion it takes neither None for NaN nor text for numbers."""
    refuse_masked(name, x)
    try:
        array = np.asarray(x)
    except (ValueError, RuntimeError):  # ragged lists, tensors within lists
        array = None
    if array is None or (array.dtype.kind not in kinds and array.size):
        raise TypeError(f"{name} must be an array of real numbers or a number, got {_kind(x)}")
    with np.errstate(over="ignore"):
        return array.astype(np.float64, order="C")


def _is_readable(x):
    if is_numpy_array(x):
        return True
    if is_torch_array(x):
        import torch

        # inside vmap, grad or a compiled graph, and on subclasses without data, a test of values would break the trace
        traced = torch.compiler.is_compiling() or torch._C._functorch.is_functorch_wrapped_tensor(x)
        return x.device.type == "cpu" and not traced and type(x) in (torch.Tensor, torch.nn.Parameter)
    if is_jax_array(x):
        import jax

        return not isinstance(x, jax.core.Tracer) and all(d.platform == "cpu" for d in x.devices())
    return False


def _check_log_prob_values(xp, name, x):
    # the sum of rounded terms may pass 0 by a little: that is no mistake of the caller's
    tolerance = float(xp.finfo(x.dtype).eps) ** 0.5
    if is_torch_array(x):
        x = x.detach()
    if float(xp.max(x)) <= tolerance and (not name.startswith("ref_") or float(xp.min(x)) > -math.inf):
        return
    x = x.double().numpy() if is_torch_array(x) else np.asarray(x)
    for wrong, rule in (
        (np.isnan(x), "must not hold NaN"),
        (x > tolerance, "must be log-probabilities, at most 0"),
        (np.isinf(x), "must be finite: without a reference probability there is no log-ratio"),
    ):
        if wrong.any():
            index = tuple(int(i) for i in np.argwhere(wrong)[0])
            where = f" at index {_show(index)}" if index else ""
            raise ValueError(f"{name} {rule}, got {x[index]}{where}")


def _show(index):
    return index[0] if len(index) == 1 else index


def _kind(x):
    if is_array_api_obj(x):
        return f"{type(x).__module__.split('.')[0]} array of dtype {x.dtype}"
    return f"{type(x).__name__} {x!r}" if isinstance(x, (str, bool, type(None))) else type(x).__name__

"""Gradients of the losses by PyTorch's autograd, for readers who would rather not trust a formula."""

from collections.abc import Callable
from typing import Any

import numpy as np

from npo_tutorial._checks import as_float64, describe
from npo_tutorial._extras import require
from npo_tutorial._types import ArrayLike, FloatArray


def loss_gradient(loss: Callable[..., Any], logp: ArrayLike, *args: Any, **kwargs: Any) -> FloatArray:
    """Derivative of a loss in each log-probability of its first argument, by PyTorch's autograd in float64.

    For ``loss=npo_loss`` with the mean over n samples it is w/n, with the weights of `npo_weight`; for `ga_loss` it
    is 1/n.

    Parameters
    ----------
    loss : callable
        A loss of this package, or any function of tensors that returns a scalar tensor.
    logp : (n,) array
        Where to take the derivative, in nats; the first argument of `loss`.
    *args, **kwargs
        Further arguments of `loss`. NumPy arrays and lists become tensors.

    Returns
    -------
    (n,) NumPy array

    Raises
    ------
    ImportError
        PyTorch is not installed; the message names the extra to install.
    TypeError
        `logp` is not an array of numbers, or `loss` is not a function that returns a scalar tensor that depends on it.
    ValueError, TypeError
        Errors that `loss` raises.

    Examples
    --------
    >>> from npo_tutorial import npo_loss, npo_weight
    >>> logp, ref_logp = np.array([-1.0, -30.0]), np.array([-1.0, -1.0])
    >>> bool(np.allclose(2 * loss_gradient(npo_loss, logp, ref_logp, beta=0.1), npo_weight(logp, ref_logp, beta=0.1)))
    True
    """
    torch = require("torch")
    if not callable(loss):
        raise TypeError(f"loss must be a function, got {describe(loss)}")

    def tensor(name: str, x: Any) -> Any:
        return torch.from_numpy(as_float64(name, x, "iuf").copy()) if isinstance(x, (list, np.ndarray)) else x

    # gradients are needed even under no_grad or inference_mode
    with torch.inference_mode(False), torch.enable_grad():
        at = tensor("logp", np.asarray(as_float64("logp", logp, "iuf"))).requires_grad_()
        more = [tensor(f"args[{i}]", x) for i, x in enumerate(args)]
        value = loss(at, *more, **{name: tensor(name, x) for name, x in kwargs.items()})
        if not isinstance(value, torch.Tensor) or value.ndim or not value.requires_grad:
            raise TypeError(f"loss must return a scalar tensor that depends on logp, got {value!r}")
        (gradient,) = torch.autograd.grad(value, at, allow_unused=True, materialize_grads=True)
    return gradient.numpy()

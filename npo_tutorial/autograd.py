"""Gradients of the losses by PyTorch's autograd, for those who do not want to trust a formula."""

import numpy as np

from npo_tutorial._checks import as_float64
from npo_tutorial._extras import require


def loss_gradient(loss, logp, *args, **kwargs):
    """Derivative of a loss in each log-probability of its first argument, by PyTorch's autograd in float64.

    For ``loss=npo_loss`` with the mean over n samples it is w/n, with the weights of `npo_weight`; for `ga_loss` it
    is 1/n.

    Parameters
    ----------
    loss : callable
        A loss of this package, or any function of tensors that returns a scalar tensor.
    logp : (n,) array
        Where the derivative is taken, in nats; handed to `loss` as its first argument.
    *args, **kwargs
        Further arguments of `loss`; NumPy arrays and lists among them become tensors.

    Returns
    -------
    (n,) NumPy array

    Raises
    ------
    ImportError
        PyTorch is not installed; the message names the extra to install.
    TypeError
        `logp` is not an array of numbers, or `loss` returns no scalar tensor that depends on it.
    ValueError, TypeError
        Whatever `loss` raises.

    Examples
    --------
    >>> from npo_tutorial import npo_loss, npo_weight
    >>> logp, ref_logp = np.array([-1.0, -30.0]), np.array([-1.0, -1.0])
    >>> bool(np.allclose(2 * loss_gradient(npo_loss, logp, ref_logp, beta=0.1), npo_weight(logp, ref_logp, beta=0.1)))
    True
    """
    torch = require("torch")

    def tensor(name, x):
        return torch.from_numpy(as_float64(name, x, "iuf").copy()) if isinstance(x, (list, np.ndarray)) else x

    # gradients are wanted here, whatever the caller has switched off
    with torch.inference_mode(False), torch.enable_grad():
        logp = tensor("logp", np.asarray(as_float64("logp", logp, "iuf"))).requires_grad_()
        args = [tensor(f"args[{i}]", x) for i, x in enumerate(args)]
        value = loss(logp, *args, **{name: tensor(name, x) for name, x in kwargs.items()})
        if not isinstance(value, torch.Tensor) or value.ndim or not value.requires_grad:
            raise TypeError(f"loss must return a scalar tensor that depends on logp, got {value!r}")
        (gradient,) = torch.autograd.grad(value, logp, allow_unused=True, materialize_grads=True)
    return gradient.numpy()

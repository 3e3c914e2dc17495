"""Gradients of the losses by PyTorch's autograd, for those who do not want to trust a formula (chapter "stability")."""

import numpy as np

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
        Further arguments of `loss`; NumPy arrays and lists among `args` become tensors.

    Returns
    -------
    (n,) NumPy array

    Raises
    ------
    ImportError
        PyTorch is not installed; the message names the extra to install.
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
    tensors = [torch.as_tensor(np.asarray(x, dtype=np.float64)) for x in (logp, *args)]
    tensors[0].requires_grad_(True)
    loss(*tensors, **kwargs).backward()
    return tensors[0].grad.numpy()

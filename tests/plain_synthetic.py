"""The runs of the synthetic experiment, written the obvious way in PyTorch; the package is compared with them."""

import torch
import torch.nn.functional as F


def kl(z, other):
    """KL(σ(z) ‖ σ(other)) of each row."""
    p = torch.sigmoid(z)
    return p * (F.logsigmoid(z) - F.logsigmoid(other)) + (1 - p) * (F.logsigmoid(-z) - F.logsigmoid(-other))


def forget_loss(loss, z, ref, y, y_other, beta):
    u = F.logsigmoid((2 * y - 1) * z) - F.logsigmoid((2 * y - 1) * ref)
    u_other = F.logsigmoid((2 * y_other - 1) * z) - F.logsigmoid((2 * y_other - 1) * ref)
    if loss == "GA":
        return -F.binary_cross_entropy_with_logits(z, y)
    if loss == "IDK":
        return F.binary_cross_entropy_with_logits(z, y_other)
    if loss == "NPO":
        return -2 / beta * F.logsigmoid(-beta * u).mean()
    return -2 / beta * F.logsigmoid(beta * (u_other - u)).mean()


def retain_loss(kind, z, ref, y):
    if kind == "cross_entropy":
        return F.binary_cross_entropy_with_logits(z, y)
    return (kl(ref, z) if kind == "kl_ref_model" else kl(z, ref)).mean()


def descend(problem, method, *, step_size, beta, n_steps, retain_term="cross_entropy", retain_weight=1.0):
    """θ after every step, (n_steps + 1, 128)."""
    names = ("X_forget", "y_forget", "y_other", "X_retain", "y_retain", "theta_init")
    X_forget, y_forget, y_other, X_retain, y_retain, theta_init = (
        torch.tensor(getattr(problem, name)) for name in names
    )
    loss_name, _, has_retain = method.partition("+")
    theta = theta_init.clone().requires_grad_()
    optimizer = torch.optim.SGD([theta], lr=step_size)
    way = [theta_init.clone()]
    for _ in range(n_steps):
        optimizer.zero_grad()
        loss = forget_loss(loss_name, X_forget @ theta, X_forget @ theta_init, y_forget, y_other, beta)
        if has_retain:
            retained = retain_loss(retain_term, X_retain @ theta, X_retain @ theta_init, y_retain)
            loss = loss + retain_weight * retained
        loss.backward()
        optimizer.step()
        way.append(theta.detach().clone())
    return torch.stack(way).numpy()

"""Gradient descent of several linear models at once, on a loss that is given by its derivative in the logits."""

import numpy as np

# parameters beyond it have overflowed: products of them with rows, and sums over those, would no longer be finite
LARGEST = 1e290


def descend(rows, derivative, thetas, step_size, record, update):
    """Yield (step, θ's) at the recorded steps, and once more, early, where the parameters have overflowed.

    The k models are the columns of `thetas`, (d, k), and share the `rows`, (n, d), so that each step is two matrix
    products: logits = rows·θ, and θ ← θ − η rowsᵀ·derivative(logits). Each is reported to `update(1)`.

    Seeds, which have rows of their own, are descents of their own: stacked, their rows no longer fit the processor's
    cache, and a step takes longer than the steps of each.
    """
    # column by column, products with few models are a tenth faster
    rows, thetas, step = np.asfortranarray(rows), thetas.copy(), 0
    for stop in record:
        while step < stop:
            thetas -= step_size * (rows.T @ derivative(rows @ thetas))
            step += 1
            update(1)
            if np.abs(thetas).max() >= LARGEST:
                yield step, thetas
                return
        yield step, thetas.copy()

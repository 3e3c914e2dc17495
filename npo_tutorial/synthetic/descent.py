"""Gradient descent of several linear models at once, on a loss given by its derivative in the logits."""

from collections.abc import Callable, Iterator

import numpy as np

from npo_tutorial._types import FloatArray, IntArray

# beyond it parameters count as overflowed: their products with rows, and sums of those, would no longer be finite
LARGEST = 1e290


def descend(
    rows: FloatArray,
    derivative: Callable[[FloatArray], FloatArray],
    thetas: FloatArray,
    step_size: FloatArray,
    record: IntArray,
    update: Callable[[int], None],
) -> Iterator[tuple[int, FloatArray]]:
    """Yield (step, θ's) at the recorded steps; where the parameters overflow, yield that step, and end there.

    The k models are the columns of `thetas`, (d, k), and share the `rows`, (n, d), so that each step is two matrix
    products: logits = rows·θ, and θ ← θ − η rowsᵀ·derivative(logits). Each step calls `update(1)`.

    Seeds have rows of their own and are descended one by one: stacked rows no longer fit the processor's cache, and a
    step takes longer than the steps of all seeds together.
    """
    # column-major rows make products with few models a tenth faster
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

"""Scales of axes: which numbers they accept, and how they measure them."""

import numpy as np

SCALES = ("linear", "log")
# far enough from the largest and the smallest float for margins and differences
LARGEST = 1e250


def on_scale(name: str, numbers: np.ndarray, scale: str) -> np.ndarray:
    """Numbers as an axis of this scale measures them; an error if it cannot."""
    least = 1 / LARGEST if scale == "log" else -LARGEST
    bad = (numbers < least) | (numbers > LARGEST)
    if bad.any():
        index = int(np.argmax(bad))
        raise ValueError(
            f"{name} must lie between {least:g} and {LARGEST:g} on a {scale} scale, "
            f"got {numbers[index]:g} at index {index}"
        )
    return np.log10(numbers) if scale == "log" else numbers

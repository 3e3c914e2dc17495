"""Colours as readers see them, on light pages and on dark ones."""

import numpy as np


def linear(rgb):
    return np.array([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb])


def luminance(rgb):
    return float(linear(rgb) @ [0.2126, 0.7152, 0.0722])


def contrast(one, other):
    high, low = sorted([luminance(one), luminance(other)], reverse=True)
    return (high + 0.05) / (low + 0.05)


def in_dark_mode(rgb):
    """What the CSS `filter: invert(1) hue-rotate(180deg)` makes of a colour (matrix of the Filter Effects standard)."""
    # the general matrix with cos = −1, sin = 0
    matrix = np.array([[0.213, 0.715, 0.072]] * 3) - [
        [0.787, -0.715, -0.072],
        [-0.213, 0.285, -0.072],
        [-0.213, -0.715, 0.928],
    ]
    return np.clip(matrix @ (1 - np.array(rgb)), 0, 1)

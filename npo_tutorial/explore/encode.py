"""Numbers as the browser receives them: 16 bits each, between the ends of their channel's range.

explorer.js reads them in `reader`, and `Explorer.drawn` by the functions here.
"""

from collections.abc import Sequence

import numpy as np

from npo_tutorial.explore.chart import Curve
from npo_tutorial.explore.kinds import KINDS

LEVELS = 2**16 - 1


def count_channels(curves: Sequence[Curve]) -> int:
    """How many rows of numbers these curves have."""
    return sum(len(KINDS[curve["kind"]].channels) for curve in curves)


def count_numbers(curves: Sequence[Curve]) -> int:
    """How many numbers these curves have."""
    return sum(len(KINDS[curve["kind"]].channels) * curve["length"] for curve in curves)


def quantise(curves: Sequence[Curve], table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of each grid point as 16-bit integers, and for each channel the range that they divide."""
    lengths = [curve["length"] for curve in curves for _ in KINDS[curve["kind"]].channels]
    starts = np.cumsum([0, *lengths[:-1]])
    lo, hi = np.minimum.reduceat(table, starts, axis=1), np.maximum.reduceat(table, starts, axis=1)
    widths = np.repeat(np.where(hi > lo, hi - lo, 1), lengths, axis=1)
    numbers = np.rint((table - np.repeat(lo, lengths, axis=1)) / widths * LEVELS).astype(np.uint16)
    return numbers, np.stack([lo, hi], axis=-1)


def pack(numbers: np.ndarray) -> bytes:
    """16-bit integers as differences modulo 65536, first all high bytes, then all low bytes."""
    differences = np.diff(numbers.ravel(), prepend=np.uint16(0))
    return np.concatenate([differences >> 8, differences & 255]).astype(np.uint8).tobytes()


def unpack(packed: bytes, frames: int) -> np.ndarray:
    """The inverse of `pack`: a row for each grid point."""
    high, low = np.frombuffer(packed, np.uint8).reshape(2, -1).astype(np.uint16)
    return np.cumsum(256 * high + low, dtype=np.uint16).reshape(frames, -1)

"""Passages under a chart: texts in pieces, each with a strength, as the browser gets them."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Passage(NamedTuple):
    """A text in pieces, each with a number in [0, 1] that a page shows in per cent, under a title.

    The title is a text in one language or in several; the pieces, joined, are the text.
    """

    title: str | dict
    pieces: Sequence[str]
    strengths: np.ndarray


def describe_passages(told):
    """Passages as described in the chart, from a list of them, in whole per cent, for each grid point.

    A passage that comes again is kept once, and so is a piece: those that come most often have the shortest numbers.
    """
    parts = [[(passage.pieces, passage.strengths) for passage in passages] for passages in told]
    numbers = {part: number for number, part in enumerate(dict.fromkeys(part for row in parts for part in row))}
    counted = Counter(piece for pieces, _ in numbers for piece in pieces)
    places = {piece: place for place, (piece, _) in enumerate(counted.most_common())}
    return {
        "titles": [passage.title for passage in told[0]],
        "pieces": list(places),
        "texts": [[[places[piece] for piece in pieces], list(strengths)] for pieces, strengths in numbers],
        "frames": [numbers[part] for row in parts for part in row],
        # for each title the text that needs most room: what stands below is to keep its place
        "longest": [numbers[max(column, key=_room)] for column in zip(*parts, strict=True)],
    }


def passages_at(described, frame):
    """The described passages of a grid point as a reader sees them: strengths to a whole per cent."""
    titles, texts = described["titles"], described["texts"]
    shown = [texts[number] for number in described["frames"][frame * len(titles) :][: len(titles)]]
    return [
        Passage(title, [described["pieces"][place] for place in places], np.array(strengths, float) / 100)
        for title, (places, strengths) in zip(titles, shown, strict=True)
    ]


def _room(part):
    """About how many characters wide a text is, with a number of up to three digits over each piece."""
    return sum(max(3, len(piece)) for piece in part[0])

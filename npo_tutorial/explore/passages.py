"""Passages under a chart: texts in pieces, each with a strength, checked and as the browser receives them."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from npo_tutorial._checks import check_finite_array
from npo_tutorial.explore.chart import PassagesState
from npo_tutorial.explore.texts import Text, check_text


class Passage(NamedTuple):
    """A text in pieces under a title; each piece has a number in [0, 1], which a page shows in per cent.

    The title may be in one language or in several; the pieces, joined, are the text.
    """

    title: Text
    pieces: Sequence[str]
    strengths: ArrayLike


def describe_passages(label: Text, rows: list[list[Passage]]) -> PassagesState:
    """Passages as described in the chart, from the checked passages of each grid point.

    A repeated passage is kept once, and so is a repeated piece: the most frequent pieces have the shortest numbers.
    """
    parts = [[(passage.pieces, passage.strengths) for passage in passages] for passages in rows]
    numbers = {part: number for number, part in enumerate(dict.fromkeys(part for row in parts for part in row))}
    counts = Counter(piece for pieces, _ in numbers for piece in pieces)
    places = {piece: place for place, (piece, _) in enumerate(counts.most_common())}
    return {
        "label": label,
        "titles": [passage.title for passage in rows[0]],
        "pieces": list(places),
        "texts": [
            [[places[piece] for piece in pieces], np.asarray(strengths).tolist()] for pieces, strengths in numbers
        ],
        "frames": [numbers[part] for row in parts for part in row],
        # for each title the text that needs most room, so that what is below keeps its place
        "longest": [numbers[max(column, key=_room)] for column in zip(*parts, strict=True)],
    }


def passages_at(described: PassagesState, frame: int) -> list[Passage]:
    """The passages of a grid point as a reader sees them: strengths rounded to a whole per cent."""
    titles, texts = described["titles"], described["texts"]
    shown = [texts[number] for number in described["frames"][frame * len(titles) :][: len(titles)]]
    return [
        Passage(title, [described["pieces"][place] for place in places], np.array(strengths, float) / 100)
        for title, (places, strengths) in zip(titles, shown, strict=True)
    ]


def _room(part):
    """About how many characters wide a text is, with a number of up to three digits over each piece."""
    return sum(max(3, len(piece)) for piece in part[0])


def check_passages(where: str, passages: Sequence[Passage], before: list[list[Passage]]) -> list[Passage]:
    """The passages of a grid point with strengths in whole per cent; `before` are those of earlier grid points."""
    if not isinstance(passages, Sequence) or isinstance(passages, (str, Passage)):
        raise TypeError(f"{where} must be a sequence of Passage, got {type(passages).__name__}")
    if not passages:
        raise ValueError(f"{where} must contain at least one Passage, got {passages!r}")
    checked = [_check_passage(f"{where}[{i}]", passage) for i, passage in enumerate(passages)]
    titles, first = ([passage.title for passage in those] for those in (checked, before[0] if before else checked))
    if titles != first:
        raise ValueError(f"{where} must have the titles of the first grid point, {first}, got {titles}")
    return checked


def _check_passage(name, passage):
    if not isinstance(passage, Passage):
        raise TypeError(f"{name} must be a Passage, got {passage!r}")
    title, pieces, strengths = passage
    pieces = pieces.tolist() if isinstance(pieces, np.ndarray) else pieces
    if not isinstance(pieces, Sequence) or isinstance(pieces, str):
        raise TypeError(f"{name}.pieces must be a sequence of str, got {pieces!r}")
    for i, piece in enumerate(pieces):
        if not isinstance(piece, str):
            raise TypeError(f"{name}.pieces must contain only str, got {piece!r} at index {i}")
    # a passage may be empty, but check_finite_array rejects an empty array
    is_empty = not pieces and isinstance(strengths, (Sequence, np.ndarray)) and np.shape(strengths) == (0,)
    strengths = np.zeros(0) if is_empty else check_finite_array(f"{name}.strengths", strengths, ndim=1)
    if len(strengths) != len(pieces):
        raise ValueError(f"{name}.strengths must have the length of pieces, {len(pieces)}, got {len(strengths)}")
    bad = (strengths < 0) | (strengths > 1)
    if bad.any():
        i = int(np.argmax(bad))
        raise ValueError(f"{name}.strengths must lie between 0 and 1, got {strengths[i]:g} at index {i}")
    per_cent = np.rint(100 * strengths).astype(int).tolist()
    return Passage(check_text(f"{name}.title", title), tuple(map(str, pieces)), tuple(per_cent))

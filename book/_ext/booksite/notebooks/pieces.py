"""What a notebook is put together from: blocks of Markdown, which are strings, and code cells, in the page's order."""

from dataclasses import dataclass


@dataclass
class Cell:
    source: str
    folded: bool = False


def details(summary, pieces):
    """Closed until asked for. A cell cannot lie inside, so its code is folded and the text goes on after it."""
    found = []
    for piece in grouped(pieces):
        if isinstance(piece, Cell):
            found.append(Cell(piece.source, folded=True))
        else:
            found.append(f"<details>\n<summary>{summary}</summary>\n\n{piece}\n\n</details>")
    return found


def quote(pieces):
    return [
        piece if isinstance(piece, Cell) else "\n".join(f"> {line}".rstrip() for line in piece.split("\n"))
        for piece in grouped(pieces)
    ]


def grouped(pieces):
    """The same pieces, blocks of text that follow each other made one; a heading begins another."""
    found = []
    for piece in pieces:
        if found and isinstance(piece, str) and isinstance(found[-1], str) and not piece.startswith("#"):
            found[-1] += "\n\n" + piece
        else:
            found.append(piece)
    return found


def join(blocks):
    return "\n\n".join(blocks)

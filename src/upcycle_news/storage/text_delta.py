"""A text as what it shares with another one: pieces of that, and what it has alone.

Variants of an issue differ by a few blocks of lines. So hundreds of them take little more room than one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

Delta = list[str | list[int]]
"""Two numbers are a piece of the other text, from one character to before another; a text is itself."""


def encode(base: str, text: str) -> Delta:
    """Return `text` as pieces of `base`, line by line in one pass: short where lines were left out."""
    starts: dict[str, list[int]] = {}
    position = 0
    for line in base.splitlines(keepends=True):
        starts.setdefault(line, []).append(position)
        position += len(line)
    delta: Delta = []
    end = 0  # of the last piece: lines stand in the same order
    for line in text.splitlines(keepends=True):
        places = starts.get(line, [])
        place = bisect_left(places, end)
        last = delta[-1] if delta else None
        if place == len(places):
            if isinstance(last, str):
                delta[-1] = last + line
            else:
                delta.append(line)
            continue
        start = places[place]
        if isinstance(last, list) and last[1] == start:
            last[1] = start + len(line)
        else:
            delta.append([start, start + len(line)])
        end = start + len(line)
    return delta


def decode(base: str, delta: Sequence[str | Sequence[int]]) -> str:
    """Return the text that `encode` was given."""
    return "".join(
        piece if isinstance(piece, str) else base[piece[0] : piece[1]] for piece in delta
    )

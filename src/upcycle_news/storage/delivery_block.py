"""A block of settled deliveries as bytes: columns of differences, compressed with zlib. Pure.

Subscribers, ids and times of neighbours differ little. A column of numbers is stored as differences,
those byte by byte (all lowest bytes first, the highest last), so that most of it is zeros.
"""

from __future__ import annotations

import json
import struct
import sys
import zlib
from array import array
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from operator import sub
from typing import NamedTuple

FORMAT = b"\x01"
"""The first byte of a block; another way of writing it will have another one."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_COUNT = struct.Struct("<I")
_WIDTH = 8  # bytes of a number
_NUMBERS = 7  # columns of numbers


class BlockEntry(NamedTuple):
    """What a block holds of a delivery: the columns of `deliveries` that its block has not in common.

    Numbers are not negative and below 2**63; times are aware.
    """

    id: int
    subscriber_id: int
    attempts: int
    worker_id: int
    code: int | None
    enhanced: str
    reason: str
    queued_at: datetime
    changed_at: datetime


def encode(entries: Sequence[BlockEntry]) -> bytes:
    """Return the entries as bytes, in their order; smallest when that is the one of the subscribers."""
    numbers: list[Sequence[int]] = [
        [entry.id for entry in entries],
        [entry.subscriber_id for entry in entries],
        [entry.attempts for entry in entries],
        [entry.worker_id for entry in entries],
        [0 if entry.code is None else entry.code + 1 for entry in entries],
        [(entry.queued_at - _EPOCH) // _MICROSECOND for entry in entries],
        [(entry.changed_at - _EPOCH) // _MICROSECOND for entry in entries],
    ]
    texts = [[entry.enhanced for entry in entries], [entry.reason for entry in entries]]
    parts = [_COUNT.pack(len(entries)), *map(_differences, numbers), json.dumps(texts).encode()]
    return FORMAT + zlib.compress(b"".join(parts))


def decode(data: bytes, only: Collection[int] | None = None) -> list[BlockEntry]:
    """Return the entries of a block in their order, or those of the subscribers in `only`.

    Raises `ValueError` for bytes that are none.
    """
    block = _Block(data)
    ids, readers, attempts, workers, codes, queued, changed = map(block.numbers, range(_NUMBERS))
    return [
        BlockEntry(
            ids[row],
            readers[row],
            attempts[row],
            workers[row],
            codes[row] - 1 if codes[row] else None,
            block.enhanced[row],
            block.reasons[row],
            _EPOCH + queued[row] * _MICROSECOND,
            _EPOCH + changed[row] * _MICROSECOND,
        )
        for row in range(block.count)
        if only is None or readers[row] in only
    ]


def decode_keys(data: bytes) -> tuple[list[int], list[int]]:
    """Return the ids of a block's deliveries and those of their subscribers, in its order.

    Raises as `decode` does: the checksum is that of the whole block. It costs a fraction.
    """
    block = _Block(data)
    return block.numbers(0), block.numbers(1)


class _Block:
    """A block without its compression; `ValueError` for bytes that are none."""

    def __init__(self, data: bytes) -> None:
        if data[:1] != FORMAT:
            raise ValueError("a block of deliveries in an unknown format")
        try:
            self._content = zlib.decompress(data[1:])  # with a checksum of it
            self.count: int = _COUNT.unpack_from(self._content)[0]
            self._size: int = self.count * _WIDTH
            self.enhanced, self.reasons = json.loads(self._content[self._start(_NUMBERS) :])
            if not self.count == len(self.enhanced) == len(self.reasons):
                raise ValueError
        except (zlib.error, struct.error, ValueError, TypeError) as error:
            raise ValueError("a damaged block of deliveries") from error

    def numbers(self, column: int) -> list[int]:
        """Return a column of numbers."""
        start = self._start(column)
        return _sums(self._content[start : start + self._size], self.count)

    def _start(self, column: int) -> int:
        return _COUNT.size + self._size * column


def _differences(numbers: Sequence[int]) -> bytes:
    """Return each number's difference from the one before, small ones as small positive numbers."""
    steps = map(sub, numbers, [0, *numbers])
    words = array("Q", [step << 1 if step >= 0 else ~step << 1 | 1 for step in steps])
    if sys.byteorder == "big":
        words.byteswap()
    raw = words.tobytes()
    return b"".join(raw[place::_WIDTH] for place in range(_WIDTH))


def _sums(planes: bytes, count: int) -> list[int]:
    """Return the numbers of which `_differences` returned these bytes."""
    raw = bytearray(len(planes))
    for place in range(_WIDTH):
        raw[place::_WIDTH] = planes[place * count : (place + 1) * count]
    words = array("Q", bytes(raw))
    if sys.byteorder == "big":
        words.byteswap()
    return list(accumulate(~(word >> 1) if word & 1 else word >> 1 for word in words))

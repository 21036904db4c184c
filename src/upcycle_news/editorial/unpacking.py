"""Bodies off the wire, decoded without ever holding more than is allowed.

Done here and not by an HTTP library: a chunk of 64 kB can inflate to 64 MB before anybody counts.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable


class BadBodyError(Exception):
    """Why a body cannot be had, in one sentence."""


def unpack(chunks: Iterable[bytes], encoding: str, most: int) -> bytes:
    """Join and decode the chunks of a reply; raises `BadBodyError` beyond `most` decoded bytes."""
    encoding = encoding.strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise BadBodyError(f"it is encoded as {encoding[:20]!r}, which was not asked for")
    inflate = None if encoding in ("", "identity") else _Inflater(encoding)
    body = bytearray()
    for chunk in chunks:
        body += inflate(chunk, most + 1 - len(body)) if inflate else chunk
        if len(body) > most:
            raise BadBodyError(f"it is larger than {most / 1024 / 1024:.0f} MiB")
    if inflate and not inflate.complete:
        raise BadBodyError("the reply broke off")
    return bytes(body)


class _Inflater:
    """gzip (also of several members) and deflate, with a cap on each step."""

    def __init__(self, encoding: str) -> None:
        self._bits = zlib.MAX_WBITS | 32  # gzip or zlib, by the header
        self._deflate = encoding == "deflate"
        self._engine = zlib.decompressobj(self._bits)
        self._started = False

    def __call__(self, data: bytes, most: int) -> bytes:
        out = bytearray()
        while data and len(out) < most:
            if self._engine.eof:
                self._engine, self._started = zlib.decompressobj(self._bits), False
            try:
                out += self._engine.decompress(data, most - len(out))
            except zlib.error:
                if not self._deflate or self._started:
                    raise BadBodyError("its compression is broken") from None
                # Some servers mean raw deflate (RFC 1951) where RFC 9110 says zlib.
                self._bits = -zlib.MAX_WBITS
                self._engine, self._started = zlib.decompressobj(self._bits), True
                continue
            self._started = True
            data = self._engine.unused_data if self._engine.eof else self._engine.unconsumed_tail
        return bytes(out)

    @property
    def complete(self) -> bool:
        return self._engine.eof or not self._started

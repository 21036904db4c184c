"""The codings of a body (RFC 9110, 8.4): undone within a limit on the decoded bytes.

gzip is told by its first bytes, whether it was announced or not, and so is a text that is announced as
gzip. A name that is no content coding says nothing; one that is registered and that we cannot undo was
not asked for.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence

from upcycle_news.feeds.http_response import CutResponseError
from upcycle_news.i18n.messages import LocalizedText, localized

GZIP_MAGIC = b"\x1f\x8b\x08"
# What feeds begin with; gzip and zlib do not.
_TEXT = re.compile(rb"(?:\xef\xbb\xbf)?\s*[<{]|\xff\xfe|\xfe\xff")
MAX_LAYERS = 4  # of gzip around a body
_DECODED = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
# The other names of IANA's registry of content codings; "identity" says nothing.
_UNDECODABLE = frozenset(
    {"aes128gcm", "br", "compress", "dcb", "dcz", "exi", "pack200-gzip", "x-compress", "zstd"}
)


class BodyError(Exception):
    """A body cannot be decoded; the message is one sentence."""

    def __init__(self, text: LocalizedText) -> None:
        super().__init__(str(text))


class _CompressionError(BodyError):
    """A body is not compressed as was said, or not rightly."""


def decode_body(chunks: Iterable[bytes], codings: Sequence[str], max_bytes: int) -> bytes:
    """Join the chunks of a body and undo its `codings`, given in the order they were applied.

    Raises `BodyError` above `max_bytes` and for what cannot be decoded, `CutResponseError` when it is
    not all there. A body whose length is that of its decoded text, and which is all there by its own
    checksum, is whole: some servers name the wrong one of the two, and browsers read it.
    """
    names = [name.partition(";")[0].strip() for name in codings]
    for name in names:
        if name in _UNDECODABLE:
            raise BodyError(localized("body-coding", name=name))
    body, cut = _joined(chunks, max_bytes)
    if cut is not None and not body.startswith(GZIP_MAGIC):
        raise cut
    try:
        decoded = _undo(body, [_DECODED[name] for name in names if name in _DECODED], max_bytes)
    except BodyError:
        if cut is not None:
            raise cut from None
        raise
    if cut is not None and len(decoded) != cut.expected:
        raise cut
    return decoded


def _joined(chunks: Iterable[bytes], max_bytes: int) -> tuple[bytes, CutResponseError | None]:
    """Return what came, and the error that ended it."""
    body = bytearray()
    try:
        for chunk in chunks:
            body += chunk
            _raise_if_larger(body, max_bytes)
    except CutResponseError as error:
        return bytes(body), error
    return bytes(body), None


def _undo(data: bytes, codings: Sequence[str], max_bytes: int) -> bytes:
    """Undo the codings, the last one first, and whatever gzip is left by its first bytes."""
    for number, coding in enumerate(reversed(codings[-MAX_LAYERS:])):
        if number and coding == "gzip" and not data.startswith(GZIP_MAGIC):
            continue  # named by two servers, done by one
        try:
            data = _inflated(data, coding, max_bytes)
        except _CompressionError:
            if not _TEXT.match(data):
                raise
    for _ in range(MAX_LAYERS):
        if not data.startswith(GZIP_MAGIC):
            break
        data = _inflated(data, "gzip", max_bytes)
    return data


def _inflated(data: bytes, coding: str, max_bytes: int) -> bytes:
    """Undo gzip (also of several members) or deflate; what follows the last member is ignored."""
    out = bytearray()
    window = zlib.MAX_WBITS | 32  # gzip or zlib, by the header
    while data:
        decompressor = zlib.decompressobj(window)
        try:
            out += decompressor.decompress(data, max_bytes + 1 - len(out))
        except zlib.error:
            # Some servers mean raw deflate (RFC 1951) where RFC 9110 says zlib.
            if coding != "deflate" or out or window < 0:
                raise _CompressionError(localized("body-broken")) from None
            window = -zlib.MAX_WBITS
            continue
        _raise_if_larger(out, max_bytes)
        if not decompressor.eof:
            raise BodyError(localized("body-cut"))
        data = decompressor.unused_data
        if not data.startswith(GZIP_MAGIC[:2]):
            break
    return bytes(out)


def _raise_if_larger(body: bytearray, max_bytes: int) -> None:
    if len(body) > max_bytes:
        raise BodyError(localized("body-large", size=f"{max_bytes / 1024 / 1024:.0f}"))

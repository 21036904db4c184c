"""An HTTP/1.x response, read as browsers read it (RFC 9112): what is odd is forgiven, what is cut is not.

Libraries refuse a whole response for a header line without a colon or a chunk size with a space behind
it. Whether all of a body has come is never guessed: a length or a last chunk says it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from upcycle_news.i18n.messages import LocalizedText, localized

MAX_HEAD = 256 * 1024  # bytes; what Chromium reads
MAX_LINE = 16 * 1024  # bytes of a chunk's size and its extensions
MAX_INTERIM = 20  # responses of status 1xx before the final one
_STATUS_LINE = re.compile(
    rb"HTTP/(\d{1,3})(?:\.(\d{1,3}))?[ \t]+([1-9]\d\d)(?:[^\d].*)?", re.IGNORECASE | re.DOTALL
)
_HEAD_END = re.compile(rb"\n\r?\n")
NO_CHUNKS = localized("response-no-chunks")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")


class ResponseError(Exception):
    """A response cannot be read; the message is one sentence."""

    def __init__(self, text: LocalizedText) -> None:
        super().__init__(str(text))


class CutResponseError(ResponseError):
    """A response ended before its end. `expected` is the length it named, `received` what came."""

    def __init__(self, text: LocalizedText, received: int = 0, expected: int | None = None) -> None:
        super().__init__(text)
        self.received = received
        self.expected = expected


@dataclass(frozen=True)
class ResponseHead:
    """Status, version and header fields; a field has its values in their order."""

    status: int
    version: tuple[int, int]
    fields: Mapping[str, tuple[bytes, ...]]

    def first(self, name: str) -> bytes:
        """Return the first value of a field, empty without one."""
        return next(iter(self.fields.get(name, ())), b"")

    def text(self, name: str) -> str:
        """Return the first value of a field as text."""
        return self.first(name).decode("latin-1")

    def members(self, name: str) -> tuple[str, ...]:
        """Return the members of a field that is a list, from all its lines (RFC 9110, 5.6.1)."""
        joined = ",".join(value.decode("latin-1") for value in self.fields.get(name, ()))
        return tuple(member for part in joined.split(",") if (member := part.strip().lower()))


class Response:
    """A response whose head has been read, and whose body is read when it is asked for."""

    def __init__(self, receive: Callable[[], bytes]) -> None:
        """Read the head. `receive` returns the next bytes, and none at the end of the connection."""
        self._source = _Source(receive)
        self.head = _read_head(self._source)

    @property
    def status(self) -> int:
        """The status code."""
        return self.head.status

    def body(self) -> Iterator[bytes]:
        """Yield the body; raises `CutResponseError` when it is not all there, else `ResponseError`.

        Chunks count before a length (RFC 9112, 6.3); without both the connection's end is the end. A
        length that is no number says nothing.
        """
        if "chunked" in self.head.members("transfer-encoding") and self._is_chunked():
            return self._chunks()
        lengths = {int(value) for value in self.head.members("content-length") if _is_number(value)}
        if len(lengths) > 1:
            raise ResponseError(localized("response-lengths"))
        length = lengths.pop() if lengths else None
        if length is not None and length < 0:
            raise ResponseError(localized("response-negative"))
        return self._source.rest() if length is None else self._counted(length)

    def _is_chunked(self) -> bool:
        """Tell whether there are chunks; HTTP/1.0 has none, so there the first line decides."""
        if self.head.version >= (1, 1):
            return True
        return self._source.starts_with_line(re.compile(rb"[0-9A-Fa-f]{1,8}[ \t]*(?:;.*)?\r?"))

    def _counted(self, length: int) -> Iterator[bytes]:
        left = length
        while left:
            data = self._source.take(left)
            if not data:
                received = length - left
                text = localized("response-cut", received=str(received), expected=str(length))
                raise CutResponseError(text, received, length)
            left -= len(data)
            yield data

    def _chunks(self) -> Iterator[bytes]:
        while True:
            line = self._source.line()
            size = (line or b"").partition(b";")[0].strip(b" \t")
            if line is None:
                raise CutResponseError(localized("response-last-chunk"))
            if not _CHUNK_SIZE.fullmatch(size):
                raise ResponseError(NO_CHUNKS)
            left = int(size, 16)
            if left == 0:  # all is here (RFC 9112, 8); trailers say nothing that we need
                return
            while left:
                data = self._source.take(left)
                if not data:
                    raise CutResponseError(localized("response-chunk-cut"))
                left -= len(data)
                yield data
            if self._source.line():
                raise ResponseError(localized("response-chunk-long"))


class _Source:
    """Bytes as they come, with those that were received and not yet used."""

    def __init__(self, receive: Callable[[], bytes]) -> None:
        self._receive = receive
        self._buffer = bytearray()

    @property
    def is_empty(self) -> bool:
        return not self._buffer

    def more(self) -> bool:
        data = self._receive()
        self._buffer += data
        return bool(data)

    def head(self) -> bytes | None:
        """Return the lines up to an empty one; None at the end of the connection."""
        searched = 0
        while True:
            # What is left over from a response before this one (RFC 9112, 2.2).
            del self._buffer[: len(self._buffer) - len(self._buffer.lstrip(b"\r\n"))]
            if self._buffer and not b"HTTP/".startswith(bytes(self._buffer[:5]).upper()):
                raise ResponseError(localized("response-not-http"))
            match = _HEAD_END.search(self._buffer, max(0, searched - 3))
            if (match.end() if match else len(self._buffer)) > MAX_HEAD:
                raise ResponseError(localized("response-head-large", size=MAX_HEAD // 1024))
            if match:
                return self._cut(match.end())
            searched = len(self._buffer)
            if not self.more():
                return None

    def line(self) -> bytes | None:
        """Return the next line between chunks; None where the connection ends within it.

        The last chunk is known by its size, even if its line is not ended.
        """
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > MAX_LINE:
                raise ResponseError(NO_CHUNKS)
            if not self.more():
                size = self._buffer.partition(b";")[0].strip()
                is_begun = not size or (size.strip(b"0") and _CHUNK_SIZE.fullmatch(size))
                return None if is_begun else self._cut(searched)
        return self._cut(end + 1).rstrip(b"\r\n")

    def starts_with_line(self, pattern: re.Pattern[bytes]) -> bool:
        while b"\n" not in self._buffer and len(self._buffer) < 200 and self.more():
            pass
        return bool(pattern.fullmatch(bytes(self._buffer[:200]).partition(b"\n")[0]))

    def take(self, size: int) -> bytes:
        """Return at most `size` bytes, none at the end of the connection."""
        if not self._buffer and not self.more():
            return b""
        return self._cut(min(size, len(self._buffer)))

    def rest(self) -> Iterator[bytes]:
        while data := self.take(1 << 20):
            yield data

    def _cut(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data


def _read_head(source: _Source) -> ResponseHead:
    """Read the head of the final response; those before it announce it (RFC 9110, 15.2)."""
    for _ in range(MAX_INTERIM):
        data = source.head()
        if data is None:
            raise CutResponseError(
                localized("response-closed") if source.is_empty else localized("response-head-cut")
            )
        head = _parse_head(data)
        if not 100 <= head.status < 200 or head.status == 101:
            return head
    raise ResponseError(localized("response-announced"))


def _parse_head(data: bytes) -> ResponseHead:
    first, *lines = (line.rstrip(b"\r") for line in data.split(b"\n"))
    status = _STATUS_LINE.fullmatch(first)
    if status is None:
        raise ResponseError(localized("response-no-status"))
    fields: dict[str, tuple[bytes, ...]] = {}
    name = ""
    for line in lines:
        if line[:1] in (b" ", b"\t") and name:  # folded (RFC 9112, 5.2)
            *before, last = fields[name]
            fields[name] = (*before, (last + b" " + line.strip()).strip())
            continue
        before_colon, colon, value = line.partition(b":")
        name = before_colon.strip().decode("latin-1").lower() if colon else ""
        if name:  # a line without a name or a colon says nothing
            fields[name] = (*fields.get(name, ()), value.strip(b" \t"))
    version = int(status[1]), int(status[2] or b"0")
    return ResponseHead(int(status[3]), version, fields)


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"-?\d{1,18}", text, re.ASCII))

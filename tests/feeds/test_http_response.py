"""Responses as servers really write them: the odd ones are read, the cut ones are refused in words."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator

import pytest

from upcycle_news.feeds.http_body import BodyError, decode_body
from upcycle_news.feeds.http_response import (
    MAX_HEAD,
    NO_CHUNKS,
    CutResponseError,
    Response,
    ResponseError,
)
from upcycle_news.i18n.recognition import recognise

BODY = "<rss><title>Äpfel</title></rss>".encode()
N = len(BODY)
LIMIT = 1_000_000


def received(answer: bytes, step: int) -> Callable[[], bytes]:
    """Return a function that gives the answer in pieces of `step` bytes, then nothing."""
    pieces: Iterator[bytes] = iter(
        [answer[place : place + step] for place in range(0, len(answer), step)]
    )
    return lambda: next(pieces, b"")


def body_of(answer: bytes, step: int = 1 << 16) -> bytes:
    response = Response(received(answer, step))
    codings = response.head.members("content-encoding")
    return decode_body(response.body(), codings, LIMIT)


def answer(*lines: str, body: bytes = BODY, status: str = "HTTP/1.1 200 OK") -> bytes:
    return "".join(f"{line}\r\n" for line in (status, *lines, "")).encode("latin-1") + body


def sized(*lines: str, body: bytes = BODY) -> bytes:
    return answer(f"Content-Length: {len(body)}", *lines, body=body)


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n", size: str = "{:x}\r\n") -> bytes:
    framed = b"".join(size.format(len(p)).encode() + p + b"\r\n" for p in pieces)
    return answer("Transfer-Encoding: chunked", body=framed + end)


HALVES = BODY[:7], BODY[7:]
TWICE = gzip.compress(gzip.compress(BODY))
raw = zlib.compressobj(wbits=-15)
RAW_DEFLATE = raw.compress(BODY) + raw.flush()
ODD = {
    # the first line
    "a status without a reason": answer(status="HTTP/1.1 200"),
    "two spaces before the status": answer(status="HTTP/1.1  200 OK"),
    "a protocol in lower case": answer(status="http/1.1 200 OK"),
    "a version of one digit": answer(status="HTTP/2 200"),
    "empty lines in front": b"\r\n\r\n" + answer(),
    "line feeds alone": sized().replace(b"\r\n", b"\n"),
    "hints before the answer": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + sized(),
    # header fields
    "a space before a colon": sized("Content-Type : text/xml"),
    "a space before the colon of the length": answer(f"Content-Length : {N}", body=BODY + b"x"),
    "a line without a colon": sized("Das ist keine Kopfzeile"),
    "a colon without a name": sized(": nichts"),
    "a name with an umlaut": sized("Größe: 5"),
    "a name with brackets": sized("X(y): z", "a b c: d"),
    "a folded field": sized("X-Lang: eins", "  zwei"),
    "a folded field first": answer("  verirrt", f"Content-Length: {N}"),
    "control characters": sized("X: \x01\x00\x7f"),
    # the length
    "a length named twice": answer(f"Content-Length: {N}", f"Content-Length: {N}", body=BODY + b"x"),
    "a length named twice in a line": answer(f"Content-Length: {N}, {N}", body=BODY + b"x"),
    "a length with zeros": answer(f"Content-Length: 000{N}"),
    "an empty length": answer("Content-Length:"),
    "a length in words": answer("Content-Length: unbekannt"),
    "no length": answer(),
    "more than the length": answer(f"Content-Length: {N}", body=BODY + b"rest"),
    # chunks
    "chunks": chunked(*HALVES),
    "an extension": chunked(*HALVES, size="{:x};name=value\r\n"),
    "an extension after a space": chunked(*HALVES, size="{:x} ;name=value\r\n"),
    "an extension in quotes": chunked(*HALVES, size='{:X};a="b;c"\r\n'),
    "sizes filled up with spaces": chunked(*HALVES, size="{:x}      \r\n"),
    "sizes filled up with zeros": chunked(*HALVES, size="{:08X}\r\n"),
    "chunks with line feeds alone": chunked(*HALVES, size="{:x}\n", end=b"0\n\n"),
    "trailers": chunked(*HALVES, end=b"0\r\nX-Sum: 5\r\nkein Doppelpunkt\r\n\r\n"),
    "no empty line at the end": chunked(*HALVES, end=b"0\r\n"),
    "no line end at the end": chunked(*HALVES, end=b"0"),
    "chunks and a length": chunked(*HALVES).replace(b"\r\n", b"\r\nContent-Length: 3\r\n", 1),
    "chunks named twice": chunked(*HALVES).replace(b"\r\n", b"\r\nTransfer-Encoding: chunked\r\n", 1),
    "chunks of HTTP/1.0": chunked(*HALVES).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "no chunks of HTTP/1.0": answer("Transfer-Encoding: chunked", status="HTTP/1.0 200 OK"),
    "chunks in capitals": chunked(*HALVES).replace(b"chunked", b"CHUNKED", 1),
    "gzip as a transfer coding": answer(
        "Transfer-Encoding: gzip, chunked",
        body=b"%x\r\n" % len(gzip.compress(BODY, mtime=0)) + gzip.compress(BODY, mtime=0) + b"\r\n0\r\n\r\n",
    ),
    "the identity as a transfer coding": sized("Transfer-Encoding: identity"),
    # content codings
    "gzip": sized("Content-Encoding: gzip", body=gzip.compress(BODY)),
    "gzip in capitals": sized("CONTENT-ENCODING: GZip", body=gzip.compress(BODY)),
    "gzip with a parameter": sized("Content-Encoding: gzip;q=1.0", body=gzip.compress(BODY)),
    "gzip that is not said": sized(body=gzip.compress(BODY)),
    "gzip beside a name that is none": sized("Content-Encoding: aws-chunked,gzip", body=gzip.compress(BODY)),
    "gzip in a second field": sized("Content-Encoding: none", "Content-Encoding: gzip", body=gzip.compress(BODY)),
    "gzip done twice": sized("Content-Encoding: gzip, gzip", body=TWICE),
    "gzip done twice and said once": sized("Content-Encoding: gzip", body=TWICE),
    "gzip done once and said twice": sized("Content-Encoding: gzip, gzip", body=gzip.compress(BODY)),
    "gzip that is said and not done": sized("Content-Encoding: gzip"),
    "deflate that is said and not done": sized("Content-Encoding: deflate"),
    "gzip said to be deflate": sized("Content-Encoding: deflate", body=gzip.compress(BODY)),
    "gzip of two members": sized("Content-Encoding: gzip", body=b"".join(map(gzip.compress, HALVES))),
    "gzip filled up with zeros": sized("Content-Encoding: gzip", body=gzip.compress(BODY) + bytes(9)),
    "gzip with the length of its text": answer(
        f"Content-Length: {3000}", "Content-Encoding: gzip", body=gzip.compress(BODY.ljust(3000))
    ),
    "deflate": sized("Content-Encoding: deflate", body=zlib.compress(BODY)),
    "raw deflate": sized("Content-Encoding: deflate", body=RAW_DEFLATE),
    "a charset as a coding": sized("Content-Encoding: UTF-8"),
    "a word as a coding": sized("Content-Encoding: none"),
    "a media type as a coding": sized("Content-Encoding: application/xml"),
    "an empty coding": sized("Content-Encoding:"),
}  # fmt: skip


@pytest.mark.parametrize("step", [1, 3, 1 << 16])
@pytest.mark.parametrize("name", ODD)
def test_an_odd_response_is_read(name: str, step: int) -> None:
    assert body_of(ODD[name], step).rstrip() == BODY


CUT = {
    "nothing at all": (b"", "the server closed the connection without an answer"),
    "half a head": (answer()[:12], "the reply broke off within its head"),
    "a head without its end": (b"HTTP/1.1 200 OK\r\nA: b\r\n", "the reply broke off within its head"),
    "less than the length": (answer(f"Content-Length: {N + 9}"), f"the reply broke off: {N} of {N + 9} bytes came"),
    "no body": (answer("Content-Length: 9", body=b""), "the reply broke off: 0 of 9 bytes came"),
    "no last chunk": (chunked(*HALVES, end=b""), "the reply broke off: its last chunk did not come"),
    "a size without its line": (chunked(*HALVES, end=b"1"), "the reply broke off: its last chunk did not come"),
    "a chunk that is cut": (chunked(end=b"ff\r\n<rss>"), "the reply broke off in the middle of a chunk"),
    "gzip that is cut": (sized("Content-Encoding: gzip", body=gzip.compress(BODY)[:-9]),
                         "the reply broke off: its compressed text has no end"),
    "gzip not said that is cut": (sized(body=gzip.compress(BODY)[:-9]),
                                  "the reply broke off: its compressed text has no end"),
    "gzip that is cut by the length": (
        answer(f"Content-Length: {len(gzip.compress(BODY))}", "Content-Encoding: gzip", body=gzip.compress(BODY)[:-9]),
        f"the reply broke off: {len(gzip.compress(BODY)) - 9} of {len(gzip.compress(BODY))} bytes came",
    ),
    "gzip with another length than its text": (
        answer("Content-Length: 5000", "Content-Encoding: gzip", body=gzip.compress(BODY.ljust(3000))), "the reply broke off:",
    ),
}  # fmt: skip


@pytest.mark.parametrize("step", [1, 1 << 16])
@pytest.mark.parametrize("name", CUT)
def test_a_response_that_is_cut_is_an_error_that_says_what_is_missing(name: str, step: int) -> None:
    data, sentence = CUT[name]
    with pytest.raises((CutResponseError, BodyError)) as error:
        body_of(data, step)
    assert str(error.value).startswith(sentence)
    assert recognise(str(error.value), "feeds").key != "untranslated"


REFUSED = {
    "another protocol": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "its answer is not HTTP"),
    "no protocol": (b"<rss></rss>\n\n", "its answer is not HTTP"),
    "no status": (answer(status="HTTP/1.1 OK"), "its answer is not HTTP: the first line has no status"),
    "a status of four digits": (answer(status="HTTP/1.1 2000"), "its answer is not HTTP: the first line has no status"),
    "a head without end": (answer("X: " + "x" * MAX_HEAD), "the head of its answer is larger than 256 KiB"),
    "announced for ever": (b"HTTP/1.1 100 Continue\r\n\r\n" * 30, "the server announces an answer and never gives it"),
    "two lengths": (answer("Content-Length: 5", "Content-Length: 6"), "its answer names several lengths"),
    "a negative length": (answer("Content-Length: -5"), "its answer names a negative length"),
    "chunks that are none": (answer("Transfer-Encoding: chunked"), NO_CHUNKS),
    "a negative chunk": (chunked(end=b"-5\r\nx"), NO_CHUNKS),
    "a chunk longer than it says": (chunked(end=b"2\r\nxxx\r\n0\r\n\r\n"), "a chunk of its answer is longer than it says"),
    "a chunk line without end": (chunked(end=b"5;" + b"x" * 20_000), NO_CHUNKS),
    "brotli": (sized("Content-Encoding: br"), "it is encoded as 'br', which was not asked for"),
    "zstandard beside gzip": (sized("Content-Encoding: zstd, gzip"), "it is encoded as 'zstd', which was not asked for"),
    "no gzip": (sized("Content-Encoding: gzip", body=b"\x01\x02nichts"), "its compression is broken"),
    "no deflate": (sized("Content-Encoding: deflate", body=b"\xff\xff\x00"), "its compression is broken"),
    "broken gzip": (sized(body=b"\x1f\x8b\x08" + b"\xff" * 30), "its compression is broken"),
    "a wrong checksum": (sized(body=gzip.compress(BODY)[:-8] + bytes(8)), "its compression is broken"),
    "a bomb": (sized(body=gzip.compress(bytes(2 * LIMIT))), "it is larger than 1 MiB"),
    "a bomb in a bomb": (sized(body=gzip.compress(gzip.compress(bytes(50 * LIMIT)))), "it is larger than 1 MiB"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_response_that_cannot_be_read_is_refused_in_words(name: str) -> None:
    data, sentence = REFUSED[name]
    with pytest.raises((ResponseError, BodyError)) as error:
        body_of(data)
    assert str(error.value) == str(sentence)
    assert recognise(str(error.value), "feeds").key != "untranslated"


def test_a_head_has_its_fields_in_order_and_joined_where_they_are_lists() -> None:
    head = Response(
        received(answer("Set-Cookie: a=1", "X: 1", "set-cookie: b=2, c", "X: 2,,3"), 5)
    ).head
    assert head.fields["set-cookie"] == (b"a=1", b"b=2, c")
    assert head.members("x") == ("1", "2", "3")
    assert (head.first("x"), head.text("fehlt"), head.status, head.version) == (
        b"1",
        "",
        200,
        (1, 1),
    )

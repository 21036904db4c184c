"""The body of a message: its parts encoded once, with gaps where the readers' own links go."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from upcycle_news.errors import UpcycleError
from upcycle_news.mail import headers
from upcycle_news.mail.dot_stuffing import double_leading_dots, end_of_data
from upcycle_news.models import InlineImage, Placeholder, RenderedIssue

# What follows the colon of Content-Type and Content-ID is not ours: one token of RFC 2045 each.
_CONTENT_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+\Z")
_CID = re.compile(r"[!#-;=?-Z^-~]+\Z")
_LEFTOVER = "https://reader.invalid/"
_PLACEHOLDER = re.compile("(" + "|".join(re.escape(place) for place in Placeholder) + ")")

Gap = tuple[Placeholder, bool]
"""Whose link goes there, and whether it stands in HTML."""

Piece = bytes | Gap
"""Ready bytes, or a gap."""


def encode_body(rendered: RenderedIssue, revision: str) -> tuple[Piece, ...]:
    """From Content-Type to the last boundary; raises `UpcycleError` when a part lacks its link.

    multipart/alternative, the plainest form first (RFC 2046, section 5.1.4).
    """
    _check_placeholders(rendered)
    outer = _boundary(revision, "alternative")
    pieces: list[Piece] = [
        b'Content-Type: multipart/alternative;\r\n boundary="' + outer + b'"\r\n\r\n',
        b"--" + outer + b"\r\n",
        *_text_part("plain", rendered.text),
        b"\r\n--" + outer + b"\r\n",
    ]
    if rendered.images:
        pieces += _related(rendered, _boundary(revision, "related"))
    else:
        pieces += _text_part("html", rendered.html)
    pieces.append(b"\r\n--" + outer + b"--\r\n")
    return tuple(_joined(pieces))


def dot_stuff_pieces(body: Sequence[Piece]) -> tuple[Piece, ...]:
    """The pieces of a body as they travel after DATA, with the end mark.

    A gap is filled with lines of their own without the last line end: so it always begins a line,
    and what follows never does.
    """
    pieces: list[Piece] = []
    fresh = True
    for piece in body:
        if isinstance(piece, bytes):
            pieces.append(double_leading_dots(piece, fresh_line=fresh))
            fresh = piece.endswith(b"\r\n")
        else:
            assert fresh, "a gap in the middle of a line"
            pieces.append(piece)
            fresh = False
    last = pieces[-1]
    assert isinstance(last, bytes)
    pieces[-1] = last + end_of_data(last)
    return tuple(pieces)


def _related(rendered: RenderedIssue, boundary: bytes) -> list[Piece]:
    """The HTML together with the images it shows (RFC 2387)."""
    pieces: list[Piece] = [
        b'Content-Type: multipart/related; type="text/html";\r\n boundary="' + boundary + b'"\r\n',
        b"\r\n--" + boundary + b"\r\n",
        *_text_part("html", rendered.html),
    ]
    for image in rendered.images:
        pieces += [b"\r\n--" + boundary + b"\r\n", _image_part(image)]
    pieces.append(b"\r\n--" + boundary + b"--\r\n")
    return pieces


def _text_part(subtype: str, text: str) -> list[Piece]:
    header = (
        f"Content-Type: text/{subtype}; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    )
    return [header.encode("ascii"), *_encoded(text, in_html=subtype == "html")]


def _encoded(text: str, *, in_html: bool) -> list[Piece]:
    """`text` in quoted-printable, cut at its placeholders.

    A value stands on lines of its own between soft line breaks, which vanish when decoded, so a
    link of any length keeps all lines legal and nothing around it has to be encoded again.
    """
    pieces: list[Piece] = []
    fresh_line = True
    for number, part in enumerate(_PLACEHOLDER.split(text)):
        if number % 2:
            if not fresh_line:
                pieces.append(headers.SOFT_BREAK)
            pieces.append((Placeholder(part), in_html))
            fresh_line = False
        elif part:
            if number and not part.startswith("\n"):
                pieces.append(headers.SOFT_BREAK)
            pieces.append(_quoted(part))
            fresh_line = part.endswith("\n")
    return pieces


def _quoted(text: str) -> bytes:
    try:
        return headers.quoted_printable(text)
    except UnicodeEncodeError:
        raise UpcycleError("the issue contains half a character (a lone surrogate)") from None


def _image_part(image: InlineImage) -> bytes:
    if not _CONTENT_TYPE.match(image.content_type) or not _CID.match(image.cid):
        raise UpcycleError("an inline image has an impossible content type or cid")
    header = (
        f"Content-Type: {image.content_type}\r\nContent-Transfer-Encoding: base64\r\n"
        f"Content-ID: <{image.cid}>\r\nContent-Disposition: inline\r\n\r\n"
    )
    return header.encode("ascii") + headers.base64_lines(image.data)


def _boundary(revision: str, purpose: str) -> bytes:
    """A boundary no part can contain: "=_" is neither quoted-printable nor base64."""
    digest = hashlib.sha256(f"{purpose}/{revision}".encode()).hexdigest()
    return b"=_" + digest[:32].encode("ascii")


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    """Neighbouring bytes made one, so that `for_reader` joins few pieces."""
    joined: list[Piece] = []
    for piece in pieces:
        if joined and isinstance(piece, bytes) and isinstance(joined[-1], bytes):
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


def _check_placeholders(rendered: RenderedIssue) -> None:
    for part, text in (("HTML", rendered.html), ("text", rendered.text)):
        if Placeholder.UNSUBSCRIBE not in text:
            raise UpcycleError(
                f"issue {rendered.issue}: the {part} part has no unsubscribe link: put it back "
                "into the template"
            )
        if _LEFTOVER in _PLACEHOLDER.sub("", text):
            raise UpcycleError(
                f"issue {rendered.issue}: the {part} part has an unknown placeholder: correct the "
                f"link to {_LEFTOVER}"
            )

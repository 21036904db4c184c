"""The body of a message: its parts encoded once, with gaps for each recipient's own links."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.mail.dot_stuffing import double_leading_dots, end_of_data
from upcycle_news.mail.headers import SOFT_BREAK, base64_lines, quoted_printable
from upcycle_news.models import InlineImage, Placeholder, RenderedIssue

# The values of Content-Type and Content-ID come from outside: one token of RFC 2045 each.
_CONTENT_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+\Z")
_CID = re.compile(r"[!#-;=?-Z^-~]+\Z")
_PLACEHOLDER_URL = "https://reader.invalid/"
_PLACEHOLDER = re.compile("(" + "|".join(re.escape(place) for place in Placeholder) + ")")

Gap = tuple[Placeholder, bool]
"""The placeholder whose link goes there, and True when that is in HTML."""

Piece = bytes | Gap
"""Ready bytes, or a gap."""


def encode_body(rendered: RenderedIssue, revision_id: str) -> tuple[Piece, ...]:
    """Return the message from Content-Type to the last boundary.

    multipart/alternative, the plainest form first (RFC 2046, section 5.1.4). Raises `UpcycleError`
    when a part lacks the unsubscribe link.
    """
    _check_placeholders(rendered)
    outer = _boundary(revision_id, "alternative")
    pieces: list[Piece] = [
        b'Content-Type: multipart/alternative;\r\n boundary="' + outer + b'"\r\n\r\n',
        b"--" + outer + b"\r\n",
        *_text_part("plain", rendered.text),
        b"\r\n--" + outer + b"\r\n",
    ]
    if rendered.images:
        pieces += _related(rendered, _boundary(revision_id, "related"))
    else:
        pieces += _text_part("html", rendered.html)
    pieces.append(b"\r\n--" + outer + b"--\r\n")
    return tuple(_join_bytes(pieces))


def dot_stuff_pieces(body: Sequence[Piece]) -> tuple[Piece, ...]:
    """Return the pieces of a body as they are sent after DATA, with the final line.

    A gap is filled with lines of their own without the last line end: so it always begins a line,
    and what follows never does.
    """
    pieces: list[Piece] = []
    at_line_start = True
    for piece in body:
        if isinstance(piece, bytes):
            pieces.append(double_leading_dots(piece, at_line_start=at_line_start))
            at_line_start = piece.endswith(b"\r\n")
        else:
            assert at_line_start, "a gap in the middle of a line"
            pieces.append(piece)
            at_line_start = False
    last = pieces[-1]
    assert isinstance(last, bytes)
    pieces[-1] = last + end_of_data(last)
    return tuple(pieces)


def _related(rendered: RenderedIssue, boundary: bytes) -> list[Piece]:
    """Return the HTML together with the images it shows (RFC 2387)."""
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
    """Return `text` in quoted-printable, cut at its placeholders.

    A value stands on lines of its own between soft line breaks, which vanish when decoded, so a
    link of any length keeps all lines legal and nothing around it has to be encoded again.
    """
    pieces: list[Piece] = []
    at_line_start = True
    for number, part in enumerate(_PLACEHOLDER.split(text)):
        if number % 2:
            if not at_line_start:
                pieces.append(SOFT_BREAK)
            pieces.append((Placeholder(part), in_html))
            at_line_start = False
        elif part:
            if number and not part.startswith("\n"):
                pieces.append(SOFT_BREAK)
            pieces.append(_quoted(part))
            at_line_start = part.endswith("\n")
    return pieces


def _quoted(text: str) -> bytes:
    try:
        return quoted_printable(text)
    except UnicodeEncodeError:
        raise UpcycleError(localized("half-character")) from None


def _image_part(image: InlineImage) -> bytes:
    if not _CONTENT_TYPE.match(image.content_type) or not _CID.match(image.cid):
        raise UpcycleError(localized("inline-image-bad"))
    header = (
        f"Content-Type: {image.content_type}\r\nContent-Transfer-Encoding: base64\r\n"
        f"Content-ID: <{image.cid}>\r\nContent-Disposition: inline\r\n\r\n"
    )
    return header.encode("ascii") + base64_lines(image.data)


def _boundary(revision_id: str, purpose: str) -> bytes:
    """Return a boundary that no part can contain: "=_" is neither quoted-printable nor base64."""
    digest = hashlib.sha256(f"{purpose}/{revision_id}".encode()).hexdigest()
    return b"=_" + digest[:32].encode("ascii")


def _join_bytes(pieces: Sequence[Piece]) -> list[Piece]:
    """Join neighbouring bytes, so that filling the gaps joins few pieces."""
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
            raise UpcycleError(localized("part-no-leave-link", issue=rendered.issue, part=part))
        if _PLACEHOLDER_URL in _PLACEHOLDER.sub("", text):
            raise UpcycleError(
                localized("part-placeholder", issue=rendered.issue, part=part, url=_PLACEHOLDER_URL)
            )

"""Encode header fields and text for mail: quoted-printable, RFC 2047 words, phrases, folding.

Written here because `EmailMessage` on Python 3.11 to 3.13 encodes long List-Unsubscribe addresses
(the one-click button disappears) and glues words of long subjects. All functions are pure.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata

from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized

LINE_LIMIT = 998
"""The longest line without its CRLF (RFC 5322, section 2.1.1)."""

SOFT_BREAK = b"=\r\n"

_FOLD_AT = 76
_WORD_LIMIT = 75  # RFC 2047, section 2: an encoded word with its delimiters
_PLAIN = re.compile(r"[ -~]*\Z")
_Q_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_BRACKETED = re.compile(r"[^\s<>\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# Control characters, surrogates and the Unicode line breaks: never in a name or a header.
_FORBIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})


def quoted_printable(text: str) -> bytes:
    """Encode `text` (RFC 2045, section 6.7) in lines of at most 76 characters, CRLF between them.

    Every kind of line break in `text` becomes CRLF, as text parts of mail want it. The last line
    has room for a soft break behind it.
    """
    data = text.replace("\r\n", "\n").replace("\r", "\n").encode()
    encoded = binascii.b2a_qp(data, istext=True)
    if len(encoded) - encoded.rfind(b"\n") - 1 >= _FOLD_AT:
        # b2a_qp fills the last line to the brim; its last character is then a plain one.
        encoded = encoded[:-1] + b"=\n" + encoded[-1:]
    return encoded.replace(b"\n", b"\r\n")


def base64_lines(data: bytes) -> bytes:
    """Encode `data` in base64 lines of 76 characters with CRLF between them."""
    encoded = base64.b64encode(data)
    return b"\r\n".join(encoded[at : at + 76] for at in range(0, len(encoded), 76))


def is_clean(text: str) -> bool:
    """Return True when `text` has no control character, line break or surrogate."""
    return not any(unicodedata.category(char) in _FORBIDDEN for char in text)


def clean_name(text: str) -> str:
    """Return `text` as a header takes it: one line, single spaces, no control characters."""
    cleaned = "".join(" " if unicodedata.category(char) in _FORBIDDEN else char for char in text)
    return " ".join(cleaned.split())


def encoded_words(text: str, *, first: int) -> str:
    """Return `text` as RFC 2047 words on lines of their own; the first line has `first` columns left.

    The white space between two encoded words is no part of the text (section 6.2), so the words
    are cut between characters, never within one, and decode to exactly `text`.
    """
    in_q = len(_q(text)) <= len(_b(text))
    words: list[str] = []
    width, chunk = min(first, _WORD_LIMIT), ""
    for char in text:
        grown = chunk + char
        if chunk and len(_word(grown, in_q)) > width:
            words.append(_word(chunk, in_q))
            width, grown = _WORD_LIMIT, char
        chunk = grown
    words.append(_word(chunk, in_q))
    return "\r\n ".join(words)


def unstructured_header(name: str, text: str) -> bytes:
    """Return the header `name` with free text such as a subject, folded.

    Raises `UpcycleError` for an empty text and for control characters.
    """
    text = text.strip()
    if not text:
        raise UpcycleError(localized("header-empty", name=name))
    if not is_clean(text):
        raise UpcycleError(localized("header-control", name=name))
    folded = _fold_plain(name, text)
    if folded is None:
        folded = encoded_words(text, first=_FOLD_AT - len(name) - 2)
    return f"{name}: {folded}\r\n".encode("ascii")


def ascii_header(name: str, value: str) -> bytes:
    """Return the header `name` with `value` as it is; raises `UpcycleError` unless ASCII on one line."""
    if not _PLAIN.match(value) or not value.strip():
        raise UpcycleError(localized("header-not-ascii", name=name))
    line = f"{name}: {value}".encode("ascii")
    if len(line) > LINE_LIMIT:
        raise UpcycleError(localized("header-long", name=name, limit=LINE_LIMIT))
    return line + b"\r\n"


def mailbox_header(name: str, display: str, bracketed: str) -> bytes:
    """Return the header `name` as ``display <bracketed>`` (RFC 5322, 3.4), folded when long.

    A name is never a reason to fail: control characters are dropped from `display`. `bracketed`
    is an address or a List-Id; a non-ASCII one is written as UTF-8 (RFC 6532).
    """
    if not _BRACKETED.fullmatch(bracketed):
        raise UpcycleError(localized("header-address", name=name))
    phrase = _phrase(clean_name(display), first=_FOLD_AT - len(name) - 2)
    value = f"<{bracketed}>"
    if phrase:
        last = len(phrase.rpartition("\r\n")[2]) + (0 if "\r\n" in phrase else len(name) + 2)
        separator = " " if last + 1 + len(value) <= _FOLD_AT else "\r\n "
        value = phrase + separator + value
    if len(bracketed.encode()) > LINE_LIMIT - 20:
        raise UpcycleError(localized("header-address-long", name=name))
    return f"{name}: {value}\r\n".encode()


def _phrase(display: str, *, first: int) -> str:
    """Return a display name as a quoted string when it is short ASCII, else as encoded words."""
    if not display:
        return ""
    if _PLAIN.match(display) and len(display) <= 60 and "=?" not in display:
        return '"' + display.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return encoded_words(display, first=first)


def _fold_plain(name: str, text: str) -> str | None:
    """Return `text` folded at single spaces, or None when only encoded words keep it exactly."""
    if not _PLAIN.match(text) or "=?" in text or "  " in text:
        return None
    lines, line = [], ""
    width = _FOLD_AT - len(name) - 2
    for word in text.split(" "):
        if len(word) > _FOLD_AT - 20:
            return None
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line, width = word, _FOLD_AT - 1
        else:
            line = f"{line} {word}" if line else word
    return "\r\n ".join([*lines, line])


def _word(text: str, in_q: bool) -> str:
    return _q(text) if in_q else _b(text)


def _q(text: str) -> str:
    """Return one encoded word in Q; the safe set is the one for phrases (RFC 2047, section 5 (3))."""
    chars = (
        chr(byte) if byte in _Q_SAFE else "_" if byte == 0x20 else f"={byte:02X}"
        for byte in text.encode()
    )
    return f"=?utf-8?q?{''.join(chars)}?="


def _b(text: str) -> str:
    return f"=?utf-8?b?{base64.b64encode(text.encode()).decode('ascii')}?="

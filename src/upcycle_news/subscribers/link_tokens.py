"""Signed links in a subscriber's mail: unguessable, bound to one purpose, without an address.

A token is 32 bytes, 43 characters of base64url, short enough to stay on one header line:

    key number (1) | subscriber (6) | issue number (3) | HMAC-SHA-256, truncated (22)

The purpose goes into the HMAC, so a token for one purpose never reads for another. 176 bits of MAC
are far beyond guessing (RFC 2104, section 5 asks for at least 80).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256

MAC_BYTES = 22
TOKEN_BYTES = 32
# What mail programs leave at the end of an address in a text: a full stop or bracket of the sentence, the
# soft line break of quoted-printable (RFC 2045, section 6.7), a slash, an entity of HTML.
_WITH_TAIL = re.compile(r"([A-Za-z0-9_-]{43})(?:[^A-Za-z0-9]|=3D|&(?:gt|lt|amp|quot|nbsp);){0,16}")
_POSSIBLE = re.compile(r"(?=([A-Za-z0-9_-]{43}))")
_MAX_LINE = 2000


class Purpose(StrEnum):
    """The purpose of a link; also its path below the public URL."""

    CONFIRM = "confirm"
    UNSUBSCRIBE = "unsubscribe"
    PREFERENCES = "preferences"
    ADDRESS = "address"


@dataclass(frozen=True)
class Token:
    """The content of a valid token. `issue` is the number of the issue it was sent with, 0 for none."""

    purpose: Purpose
    subscriber: int
    issue: int


@dataclass(frozen=True, repr=False)
class LinkSigner:
    """Makes and reads tokens. `keys` by number; new tokens are signed with the highest one."""

    keys: Mapping[int, bytes]
    public_url: str

    def url(self, purpose: Purpose, subscriber: int, issue: int = 0) -> str:
        """Return the subscriber's link for `purpose` below the public URL."""
        return f"{self.public_url}/{purpose}/{self.token(purpose, subscriber, issue)}"

    def token(self, purpose: Purpose, subscriber: int, issue: int = 0) -> str:
        """Return the token: 43 characters of base64url."""
        # One look at the keys, which are read again when their folder has changed.
        number, key = max(self.keys.items())
        body = bytes([number]) + subscriber.to_bytes(6, "big") + issue.to_bytes(3, "big")
        return _encoded(body + _link_mac(key, purpose, body))

    def read(self, purpose: Purpose, token: str) -> Token | None:
        """Return the token's content, or None if it is altered, foreign or for another purpose.

        What mail programs glue to the end of a link does not count (`trimmed`).
        """
        raw = token_bytes(trimmed(token), TOKEN_BYTES)
        if raw is None or raw[0] not in self.keys:
            return None
        body, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
        if not hmac.compare_digest(mac, _link_mac(self.keys[raw[0]], purpose, body)):
            return None
        return Token(purpose, int.from_bytes(body[1:7], "big"), int.from_bytes(body[7:10], "big"))


def trimmed(token: str) -> str:
    """Return a token without the signs that a mail program left at its end; anything else unchanged.

    Nothing is guessed: the 43 characters before them are verified as ever.
    """
    match = _WITH_TAIL.fullmatch(token)
    return match[1] if match else token


def possible_tokens(text: str) -> Iterator[str]:
    """Yield what may be a token in a line of text, wherever it begins: ``subject=3DTOKEN`` as well."""
    for match in _POSSIBLE.finditer(text[:_MAX_LINE]):
        yield match[1]


def token_bytes(token: str, length: int) -> bytes | None:
    """Decode `length` bytes of base64url without padding; None for anything else.

    Only the canonical spelling: base64 ignores spare bits, in which an altered copy could differ.
    """
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) != length or _encoded(raw) != token:
        return None
    return raw


_PREVIEW_BODY_BYTES = 16


@dataclass(frozen=True)
class PreviewToken:
    """The content of a valid preview token; `revision_prefix` is 8 bytes of the id in hexadecimal."""

    issue: int
    revision_prefix: str


def preview_token(
    keys: Mapping[int, bytes], *, issue: int, revision_id: str, expires: datetime
) -> str:
    """Return a token for a revision of the issue with this number, valid until `expires`."""
    number = max(keys)
    body = (
        bytes([number])
        + int(expires.timestamp()).to_bytes(4, "big")
        + issue.to_bytes(3, "big")
        + bytes.fromhex(revision_id)[:8]
    )
    return _encoded(body + _mac(keys[number], "preview", body))


def read_preview_token(
    keys: Mapping[int, bytes], token: str, *, now: datetime
) -> PreviewToken | None:
    """Return the token's content; None if it is altered, foreign or has expired."""
    raw = token_bytes(token, _PREVIEW_BODY_BYTES + MAC_BYTES)
    if raw is None or raw[0] not in keys:
        return None
    body, mac = raw[:_PREVIEW_BODY_BYTES], raw[_PREVIEW_BODY_BYTES:]
    if not hmac.compare_digest(mac, _mac(keys[raw[0]], "preview", body)):
        return None
    if _has_expired(body, now):
        return None
    return PreviewToken(int.from_bytes(body[5:8], "big"), body[8:].hex())


_REPORT_BODY_BYTES = 5
_REPORT_MAC_BYTES = TOKEN_BYTES - _REPORT_BODY_BYTES  # as long as others, so that logs mask it, too


def report_token(keys: Mapping[int, bytes], *, expires: datetime) -> str:
    """Return a token for the report page, valid until `expires`."""
    number = max(keys)
    body = bytes([number]) + int(expires.timestamp()).to_bytes(4, "big")
    return _encoded(body + _mac(keys[number], "report", body, _REPORT_MAC_BYTES))


def is_report_token(keys: Mapping[int, bytes], token: str, *, now: datetime) -> bool:
    """Return whether a token opens the report page; not if it is altered, foreign or has expired."""
    raw = token_bytes(token, TOKEN_BYTES)
    if raw is None or raw[0] not in keys:
        return False
    body, mac = raw[:_REPORT_BODY_BYTES], raw[_REPORT_BODY_BYTES:]
    expected = _mac(keys[raw[0]], "report", body, _REPORT_MAC_BYTES)
    return hmac.compare_digest(mac, expected) and not _has_expired(body, now)


def _has_expired(body: bytes, now: datetime) -> bool:
    return now.timestamp() >= int.from_bytes(body[1:5], "big")


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _link_mac(key: bytes, purpose: Purpose, body: bytes) -> bytes:
    return _mac(key, f"link/{purpose}", body)


def _mac(key: bytes, page: str, body: bytes, length: int = MAC_BYTES) -> bytes:
    mac = _begun_mac(key, page).copy()
    mac.update(body)
    return mac.digest()[:length]


@lru_cache(maxsize=32)
def _begun_mac(key: bytes, page: str) -> hmac.HMAC:
    """Return the MAC of what all tokens for a page begin with."""
    return hmac.new(key, f"upcycle_news/{page}/".encode(), sha256)

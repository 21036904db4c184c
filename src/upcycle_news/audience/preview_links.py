"""Signed, expiring links to the preview of one revision, for editors on other machines.

A token is 38 bytes, 51 characters of base64url, and names nobody:

    key number (1) | expires, seconds since 1970 (4) | issue number (3) | revision (8) | HMAC (22)
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from upcycle_news.audience.links import token_bytes

MAC_BYTES = 22
_BODY_BYTES = 16


@dataclass(frozen=True)
class PreviewToken:
    """What a valid token opens: `revision` is how its hash begins."""

    issue: int
    revision: str


def preview_token(
    keys: Mapping[int, bytes], *, issue: int, revision: str, expires: datetime
) -> str:
    """A token for the revision (its hash in hexadecimal) of the issue with this number."""
    number = max(keys)
    body = (
        bytes([number])
        + int(expires.timestamp()).to_bytes(4, "big")
        + issue.to_bytes(3, "big")
        + bytes.fromhex(revision)[:8]
    )
    return base64.urlsafe_b64encode(body + _mac(keys[number], body)).decode().rstrip("=")


def read_preview_token(
    keys: Mapping[int, bytes], token: str, *, now: datetime
) -> PreviewToken | None:
    """What the token opens; None for one that is altered, foreign or has expired."""
    raw = token_bytes(token, _BODY_BYTES + MAC_BYTES)
    if raw is None or raw[0] not in keys:
        return None
    body, mac = raw[:_BODY_BYTES], raw[_BODY_BYTES:]
    if not hmac.compare_digest(mac, _mac(keys[raw[0]], body)):
        return None
    if now.timestamp() >= int.from_bytes(body[1:5], "big"):
        return None
    return PreviewToken(int.from_bytes(body[5:8], "big"), body[8:].hex())


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.new(key, b"upcycle_news/preview/" + body, sha256).digest()[:MAC_BYTES]

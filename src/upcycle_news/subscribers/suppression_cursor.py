"""Where a page of suppressions ends, as an opaque word: an address must not stand in a query, which is logged.

The place is a time and a key, sealed with AES-GCM, so that the next page begins there whatever was added or
lifted meanwhile, the row of the place itself included.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from datetime import datetime
from typing import TYPE_CHECKING

from upcycle_news.models import Suppression

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12  # bytes (NIST SP 800-38D, 8.2)


def seal(secret: bytes, last: Suppression) -> str:
    """Return the cursor of the page that ends with `last`, in the letters of a URL."""
    nonce = os.urandom(_NONCE)
    place = f"{last.at.isoformat()} {last.key}".encode()
    return (
        base64.urlsafe_b64encode(nonce + _cipher(secret).encrypt(nonce, place, None))
        .decode()
        .rstrip("=")
    )


def unseal(secret: bytes, cursor: str) -> tuple[datetime, str]:
    """Return time and key of the last row of a page; raises `ValueError` for what `seal` did not return."""
    from cryptography.exceptions import InvalidTag

    try:
        sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        place = _cipher(secret).decrypt(sealed[:_NONCE], sealed[_NONCE:], None).decode()
    except (binascii.Error, InvalidTag, ValueError):
        raise ValueError("no cursor of this publication") from None
    at, _, key = place.partition(" ")
    return datetime.fromisoformat(at), key


def _cipher(secret: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # late: few ask for a page

    return AESGCM(hmac.digest(secret, b"upcycle_news/suppressions/cursor", "sha256"))

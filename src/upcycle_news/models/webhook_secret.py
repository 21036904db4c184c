"""The secret of an outgoing webhook, as the Standard Webhooks specification writes it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Self

PREFIX = "whsec_"
_LEAST, _MOST = 24, 64  # bytes, by the specification


@dataclass(frozen=True)
class WebhookSecret:
    """The keys that sign: one, or two while the receiver changes over to a new one."""

    keys: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``whsec_`` and the base64 of 24 to 64 bytes, several with blanks; raises `ValueError`."""
        keys = []
        for word in text.split():
            if not word.startswith(PREFIX):
                raise ValueError("no prefix")
            try:
                key = base64.b64decode(word.removeprefix(PREFIX), validate=True)
            except (binascii.Error, ValueError):
                raise ValueError("no base64") from None
            if not _LEAST <= len(key) <= _MOST:
                raise ValueError("not 24 to 64 bytes")
            keys.append(key)
        if not keys:
            raise ValueError("empty")
        return cls(tuple(keys))

    def headers(self, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
        """Return the three headers of a message; `timestamp` is in seconds since 1970."""
        signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
        signatures = (
            base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode("ascii")
            for key in self.keys
        )
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
        }

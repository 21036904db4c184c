"""What a receiver of webhooks does first: tell whether a message is genuine and new."""

import base64
import hashlib
import hmac
import time


def is_genuine(secret: str, headers: dict[str, str], body: bytes, now: float | None = None) -> bool:
    """Return True if the secret signed this body within the last five minutes."""
    sent_at = headers.get("webhook-timestamp", "")
    if not sent_at.isdecimal() or abs((now or time.time()) - int(sent_at)) > 300:
        return False
    signed = f"{headers.get('webhook-id', '')}.{sent_at}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    wanted = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(signature.encode(), wanted.encode()) for signature in given)

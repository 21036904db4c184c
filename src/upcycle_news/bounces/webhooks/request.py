"""What a webhook is given, and how it refuses what its provider did not send. Pure."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from upcycle_news.bounces.parser import BounceReport
from upcycle_news.errors import WebhookRefused


@dataclass(frozen=True)
class WebhookRequest:
    """A request of a provider. Names of `headers` are in lower case; `now` is for signed times."""

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    secret: str = field(repr=False)
    now: datetime

    def require_bearer(self) -> None:
        """Raise `WebhookRefused` unless the request has ``Authorization: Bearer SECRET``."""
        given = self.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self.secret}".encode()):
            raise WebhookRefused("the request lacks the secret of this webhook")


@dataclass(frozen=True)
class WebhookEvent:
    """A report of one delivery, and the piece of the body that it was read from.

    The piece is kept for inspection and recognises a report that comes again: give it the part that
    stays the same when the provider repeats a request.
    """

    report: BounceReport
    raw: bytes = field(repr=False)


Webhook = Callable[[WebhookRequest], Iterator[WebhookEvent]]
"""Reads a provider's request: raises `WebhookRefused` before anything else, `WebhookUnreadable` after."""

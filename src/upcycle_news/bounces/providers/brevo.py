"""Brevo: one event in a request, or a list of them; with HTTP basic authentication, without a signature.

https://developers.brevo.com/docs/transactional-webhooks
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from upcycle_news.bounces.parser import BounceKind, BounceReport
from upcycle_news.bounces.providers.provider import (
    EventBatch,
    EventRequest,
    Header,
    OutgoingOptions,
    Provider,
    ProviderEvent,
    event_id,
    events_of,
    failure_report,
    headers_with_values,
    json_records,
    require_basic_auth,
    text_of,
)

_IRRELEVANT = (
    *("request", "sent", "opened", "unique_opened", "proxy_open", "unique_proxy_open", "click"),
    *("list_addition", "contact_updated", "contact_deleted", "inbound_email_processed"),
)
_KINDS: Mapping[str, BounceKind] = {
    "delivered": BounceKind.DELIVERED,
    "deferred": BounceKind.DELAYED,
    "spam": BounceKind.COMPLAINT,
    "complaint": BounceKind.COMPLAINT,
    "unsubscribed": BounceKind.UNSUBSCRIBED,
    "unsubscribe": BounceKind.UNSUBSCRIBED,
}
_FAILURES: Mapping[str, BounceKind] = {
    "hard_bounce": BounceKind.HARD,
    "invalid_email": BounceKind.SOFT,  # documented of the sender's address as well
    "soft_bounce": BounceKind.SOFT,
    "blocked": BounceKind.SOFT,  # on Brevo's own list; nothing was sent
    "error": BounceKind.SOFT,
}


def outgoing_headers(options: OutgoingOptions, delivery_key: str) -> tuple[Header, ...]:
    """Return Brevo's headers: the tag, and the key; a switch against tracking is not documented.

    https://developers.brevo.com/docs/smtp-integration
    """
    headers = {"X-Mailin-Tag": options.tag, "X-Mailin-custom": delivery_key}
    return headers_with_values(headers)


def read_events(request: EventRequest) -> EventBatch:
    """Verify a request of Brevo and return its events."""
    require_basic_auth(request)
    return EventBatch(_events(json_records(request.body)))


def _events(records: list[Any]) -> Iterator[ProviderEvent]:
    return events_of(records, _IRRELEVANT, _report, _event_id)


def _report(name: str, record: Mapping[str, Any]) -> BounceReport | None:
    key = text_of(record, "X-Mailin-custom", 100)
    if name in _FAILURES:
        words, address = text_of(record, "reason"), text_of(record, "email")
        return failure_report(_FAILURES[name], words, recipient=address, delivery_key=key)
    kind = _KINDS.get(name)
    return None if kind is None else BounceReport(kind, delivery_key=key)


def _event_id(record: Mapping[str, Any]) -> str:
    """Return what recognises an event: `id` is the webhook's, and the same in each of its events."""
    at = text_of(record, "ts_event") or text_of(record, "ts") or text_of(record, "date")
    address = hashlib.sha256(text_of(record, "email").lower().encode()).hexdigest()[:16]
    return event_id(text_of(record, "message-id"), text_of(record, "event"), at, address)


BREVO = Provider("brevo", "Brevo", outgoing_headers, read_events)

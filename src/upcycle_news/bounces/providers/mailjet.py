"""Mailjet: one event in a request, or a list of them; with HTTP basic authentication, without a signature.

https://dev.mailjet.com/email/guides/webhooks/
"""

from __future__ import annotations

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

_IRRELEVANT = ("open", "click")
_KINDS: Mapping[str, BounceKind] = {
    "sent": BounceKind.DELIVERED,  # the recipient's server has accepted the mail
    "spam": BounceKind.COMPLAINT,
    "unsub": BounceKind.UNSUBSCRIBED,
}
_BLOCKED_FOR_US = ("content", "spam", "mailjet", "system")
"""Where `error_related_to` is about the mail or the account, not about the recipient."""


def outgoing_headers(options: OutgoingOptions, delivery_key: str) -> tuple[Header, ...]:
    """Return Mailjet's headers: no tracking, the campaign, and the key.

    https://dev.mailjet.com/smtp-relay/custom-headers/
    """
    headers = {
        "X-Mailjet-TrackOpen": "0",
        "X-Mailjet-TrackClick": "0",
        "X-Mailjet-Campaign": options.tag,
        "X-MJ-CustomID": delivery_key,
    }
    return headers_with_values(headers)


def read_events(request: EventRequest) -> EventBatch:
    """Verify a request of Mailjet and return its events."""
    require_basic_auth(request)
    return EventBatch(_events(json_records(request.body)))


def _events(records: list[Any]) -> Iterator[ProviderEvent]:
    return events_of(records, _IRRELEVANT, _report, _event_id)


def _report(name: str, record: Mapping[str, Any]) -> BounceReport | None:
    key = text_of(record, "CustomID", 100)
    if name in ("bounce", "blocked"):
        return _failure(name, record, key)
    kind = _KINDS.get(name)
    return None if kind is None else BounceReport(kind, delivery_key=key)


def _failure(name: str, record: Mapping[str, Any], key: str) -> BounceReport:
    """Read a bounce, or a mail that Mailjet kept back (`blocked`); an address is dead by a bounce only."""
    about = text_of(record, "error_related_to", 40)
    verdict = BounceKind.SOFT
    if about in _BLOCKED_FOR_US:
        verdict = BounceKind.BLOCKED
    elif name == "bounce" and record.get("hard_bounce") is True:
        verdict = BounceKind.HARD
    words = text_of(record, "comment") or text_of(record, "error")
    return failure_report(verdict, words, recipient=text_of(record, "email"), delivery_key=key)


def _event_id(record: Mapping[str, Any]) -> str:
    message = text_of(record, "Message_GUID") or text_of(record, "MessageID")
    return event_id(message, text_of(record, "event"), text_of(record, "time"))


MAILJET = Provider("mailjet", "Mailjet", outgoing_headers, read_events)

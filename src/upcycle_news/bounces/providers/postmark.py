"""Postmark: one event in a request, with HTTP basic authentication.

https://postmarkapp.com/developer/webhooks/webhooks-overview
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from upcycle_news.bounces.parser import BounceKind, BounceReport
from upcycle_news.bounces.providers.provider import (
    IRRELEVANT,
    KEY_NAME,
    EventBatch,
    EventRequest,
    Header,
    OutgoingOptions,
    Provider,
    ProviderEvent,
    event_id,
    failure_report,
    headers_with_values,
    json_object,
    json_of,
    raw_of,
    require_basic_auth,
    required_text,
    text_of,
)

_BOUNCES: Mapping[str, BounceKind] = {
    "HardBounce": BounceKind.HARD,
    "BadEmailAddress": BounceKind.HARD,
    "SoftBounce": BounceKind.SOFT,
    "DnsError": BounceKind.SOFT,
    "Unknown": BounceKind.SOFT,
    "ChallengeVerification": BounceKind.SOFT,
    "ManuallyDeactivated": BounceKind.SOFT,  # nothing was sent
    "Transient": BounceKind.DELAYED,
    "Blocked": BounceKind.BLOCKED,
    "SpamNotification": BounceKind.BLOCKED,
    "VirusNotification": BounceKind.BLOCKED,
    "DMARCPolicy": BounceKind.BLOCKED,
    "SMTPApiError": BounceKind.BLOCKED,
    "SpamComplaint": BounceKind.COMPLAINT,
    "Unsubscribe": BounceKind.UNSUBSCRIBED,
    "AutoResponder": BounceKind.AUTO_REPLY,
    "AddressChange": BounceKind.AUTO_REPLY,
    "Subscribe": BounceKind.OTHER,
    "OpenRelayTest": BounceKind.OTHER,
    "Unconfirmed": BounceKind.OTHER,
    "InboundError": BounceKind.OTHER,
    "TemplateRenderingFailed": BounceKind.OTHER,
}
"""https://postmarkapp.com/developer/api/bounce-api#bounce-types"""


def outgoing_headers(options: OutgoingOptions, delivery_key: str) -> tuple[Header, ...]:
    """Return Postmark's headers: no tracking, our own Message-ID, the stream, and the key as metadata.

    https://postmarkapp.com/developer/user-guide/send-email-with-smtp
    """
    headers = {
        "X-PM-TrackOpens": "false",
        "X-PM-TrackLinks": "None",
        "X-PM-KeepID": "true",
        "X-PM-Message-Stream": options.stream,
        "X-PM-Tag": options.tag,
        f"X-PM-Metadata-{KEY_NAME}": delivery_key,
    }
    return headers_with_values(headers)


def read_events(request: EventRequest) -> EventBatch:
    """Verify a request of Postmark and return its event."""
    require_basic_auth(request)
    return EventBatch(_events(json_object(json_of(request.body))))


def _events(record: Mapping[str, Any]) -> Iterator[ProviderEvent]:
    name = required_text(record, "RecordType")
    if name in ("Open", "Click"):
        yield ProviderEvent(name, IRRELEVANT)
        return
    metadata = record.get("Metadata")
    key = text_of(metadata, KEY_NAME, 100) if isinstance(metadata, dict) else ""
    message = text_of(record, "MessageID")  # null where someone changed the list of suppressions
    if name in ("Bounce", "SpamComplaint"):
        kind_name = text_of(record, "Type", 60) or name
        kind = BounceKind.COMPLAINT if name == "SpamComplaint" else _BOUNCES.get(kind_name)
        name, part = f"{name} {kind_name}", required_text(record, "ID")
        report = None if kind is None else _report(kind, record, key)
    elif name == "Delivery":
        part, report = text_of(record, "DeliveredAt"), _report(BounceKind.DELIVERED, record, key)
    elif name == "SubscriptionChange":
        part, report = text_of(record, "ChangedAt"), _subscription_change(record, key)
    else:
        yield ProviderEvent(name, None)
        return
    yield ProviderEvent(name, report, event_id(message, part), raw_of(record))


def _report(kind: BounceKind, record: Mapping[str, Any], key: str) -> BounceReport:
    if kind not in (BounceKind.HARD, BounceKind.SOFT, BounceKind.BLOCKED):
        return BounceReport(kind, delivery_key=key)
    words = text_of(record, "Details") or text_of(record, "Description")
    return failure_report(kind, words, recipient=text_of(record, "Email"), delivery_key=key)


def _subscription_change(record: Mapping[str, Any], key: str) -> BounceReport:
    """Read a change of Postmark's suppression list; who bounced has an event of their own."""
    if record.get("SuppressSending") is not True:
        return IRRELEVANT
    reason = text_of(record, "SuppressionReason")
    if reason == "SpamComplaint":
        return BounceReport(BounceKind.COMPLAINT, delivery_key=key)
    if reason == "ManualSuppression" and text_of(record, "Origin") == "Recipient":
        return BounceReport(BounceKind.UNSUBSCRIBED, delivery_key=key)
    return IRRELEVANT


POSTMARK = Provider("postmark", "Postmark", outgoing_headers, read_events)

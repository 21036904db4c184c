"""Twilio SendGrid: a list of events in a request, signed with ECDSA.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event and
…/getting-started-event-webhook-security-features: SHA-256 over the time and the body as it came.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

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
    failure_report,
    json_list,
    json_object,
    json_of,
    raw_of,
    require_recent,
    required_text,
    text_of,
)
from upcycle_news.errors import WebhookRefused

SIGNATURE_HEADER = "x-twilio-email-event-webhook-signature"
TIME_HEADER = "x-twilio-email-event-webhook-timestamp"
WINDOW = timedelta(days=2)
"""SendGrid tries for a day, and does not say whether it signs anew."""

_IRRELEVANT = ("open", "click", "processed", "group_resubscribe", "account_status_change")
_KINDS: Mapping[str, BounceKind] = {
    "delivered": BounceKind.DELIVERED,
    "deferred": BounceKind.DELAYED,
    "spamreport": BounceKind.COMPLAINT,
    "unsubscribe": BounceKind.UNSUBSCRIBED,
    "group_unsubscribe": BounceKind.UNSUBSCRIBED,
}
_DROPPED: Mapping[str, BounceKind] = {
    "spam reporting address": BounceKind.COMPLAINT,
    "unsubscribed address": BounceKind.UNSUBSCRIBED,
    "bounced address": BounceKind.SOFT,
    "invalid": BounceKind.SOFT,
}
"""Why SendGrid sent nothing, in its own words; any other reason speaks of us or of the account."""


def outgoing_headers(options: OutgoingOptions, delivery_key: str) -> tuple[Header, ...]:
    """Return SendGrid's one header, JSON: no tracking and no footers, the tag, and the key.

    https://www.twilio.com/docs/sendgrid/for-developers/sending-email/building-an-x-smtpapi-header
    """
    switched_off = {"settings": {"enable": 0}}
    filters = ("clicktrack", "opentrack", "subscriptiontrack", "ganalytics", "footer")
    value: dict[str, Any] = {"filters": dict.fromkeys(filters, switched_off)}
    if options.tag:
        value["category"] = options.tag
    if delivery_key:
        value["unique_args"] = {KEY_NAME: delivery_key}
    return (("X-SMTPAPI", json.dumps(value)),)


def read_events(request: EventRequest) -> EventBatch:
    """Verify a request of SendGrid and return its events."""
    timestamp = request.headers.get(TIME_HEADER, "")
    try:
        key = load_der_public_key(base64.b64decode(request.keys.public_key))
        signature = base64.b64decode(request.headers.get(SIGNATURE_HEADER, ""), validate=True)
        at = datetime.fromtimestamp(int(timestamp), UTC)
    except (ValueError, OverflowError, OSError, UnsupportedAlgorithm):
        raise WebhookRefused("the signature, its time or the public key cannot be read") from None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise WebhookRefused("the public key is not that of SendGrid")
    try:
        key.verify(signature, timestamp.encode() + request.body, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise WebhookRefused("the signature is not that of SendGrid") from None
    require_recent(at, request, WINDOW)
    return EventBatch(_events(json_list(json_of(request.body))))


def _events(records: list[Any]) -> Iterator[ProviderEvent]:
    for value in records:
        record = json_object(value)
        name = required_text(record, "event")
        if name in _IRRELEVANT:
            yield ProviderEvent(name, IRRELEVANT)
            continue
        if name == "bounce":
            name, report = f"bounce {text_of(record, 'type', 20)}", _bounce(record)
        elif name == "dropped":
            report = _dropped(record)
        elif name in _KINDS:
            report = BounceReport(_KINDS[name], delivery_key=_delivery_key(record))
        else:
            yield ProviderEvent(name, None)
            continue
        yield ProviderEvent(name, report, text_of(record, "sg_event_id"), raw_of(record))


def _bounce(record: Mapping[str, Any]) -> BounceReport:
    """Read a bounce: its type `blocked` says that the address itself may well be right."""
    is_hard = text_of(record, "type") == "bounce"
    return failure_report(
        BounceKind.HARD if is_hard else BounceKind.SOFT,
        text_of(record, "reason"),
        recipient=text_of(record, "email"),
        delivery_key=_delivery_key(record),
        enhanced=text_of(record, "status"),
    )


def _dropped(record: Mapping[str, Any]) -> BounceReport:
    kind = _DROPPED.get(text_of(record, "reason").strip().lower(), BounceKind.BLOCKED)
    return BounceReport(kind, delivery_key=_delivery_key(record))


def _delivery_key(record: Mapping[str, Any]) -> str:
    """Return the unique argument, which SendGrid puts beside its own fields."""
    return text_of(record, KEY_NAME, 100)


SENDGRID = Provider("sendgrid", "SendGrid", outgoing_headers, read_events, needs=("public_key",))

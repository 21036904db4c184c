"""Mailgun: one event in a request, with a signature over a time and a token.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks: the signature does
not cover the event, so the token must never be taken twice.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
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
    require_recent,
    required_text,
    text_of,
)
from upcycle_news.errors import WebhookRefused, WebhookUnreadable

WINDOW = timedelta(days=1)
"""Mailgun tries for eight hours."""

_IRRELEVANT = ("opened", "clicked", "accepted", "stored", "list_member_uploaded")
_KINDS: Mapping[str, BounceKind] = {
    "delivered": BounceKind.DELIVERED,
    "rejected": BounceKind.BLOCKED,  # by Mailgun itself, before it sent anything
    "complained": BounceKind.COMPLAINT,
    "unsubscribed": BounceKind.UNSUBSCRIBED,
}
_NOT_SENT: Mapping[str, BounceKind] = {
    "suppress-bounce": BounceKind.SOFT,  # nothing was sent, since an earlier mail failed
    "suppress-complaint": BounceKind.COMPLAINT,
    "suppress-unsubscribe": BounceKind.UNSUBSCRIBED,
}
"""What `reason` says when an address stands on one of Mailgun's own lists."""


def outgoing_headers(options: OutgoingOptions, delivery_key: str) -> tuple[Header, ...]:
    """Return Mailgun's headers: no tracking, the tag, and the key as a variable.

    https://documentation.mailgun.com/docs/mailgun/user-manual/sending-messages/send-smtp
    """
    variables = json.dumps({KEY_NAME: delivery_key}) if delivery_key else ""
    headers = {
        "X-Mailgun-Track": "no",
        "X-Mailgun-Track-Clicks": "no",
        "X-Mailgun-Track-Opens": "no",
        "X-Mailgun-Tag": options.tag,
        "X-Mailgun-Variables": variables,
    }
    return headers_with_values(headers)


def read_events(request: EventRequest) -> EventBatch:
    """Verify a request of Mailgun and return its event; its token may come once."""
    body = json_object(json_of(request.body))
    signature = json_object(body.get("signature"))
    token, timestamp = required_text(signature, "token"), required_text(signature, "timestamp")
    key = request.keys.signing_key
    expected = hmac.new(key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    given = required_text(signature, "signature")
    if not key or not hmac.compare_digest(expected.encode(), given.encode()):
        raise WebhookRefused("the signature is not that of Mailgun")
    try:
        at = datetime.fromtimestamp(int(timestamp), UTC)
    except (ValueError, OverflowError, OSError):
        raise WebhookUnreadable("the time of the request cannot be read") from None
    require_recent(at, request, WINDOW)
    return EventBatch(_events(json_object(body.get("event-data"))), once=token)


def _events(record: Mapping[str, Any]) -> Iterator[ProviderEvent]:
    name = required_text(record, "event")
    if name in _IRRELEVANT:
        yield ProviderEvent(name, IRRELEVANT)
        return
    if name == "failed":
        name, report = f"failed {text_of(record, 'severity', 20)}", _failure(record)
    elif name in _KINDS:
        report = BounceReport(_KINDS[name], delivery_key=_delivery_key(record))
    else:
        yield ProviderEvent(name, None)
        return
    # An `id` is unique within a day only.
    identity = event_id(required_text(record, "id"), text_of(record, "timestamp"))
    yield ProviderEvent(name, report, identity, raw_of(record))


def _failure(record: Mapping[str, Any]) -> BounceReport:
    reason, key = text_of(record, "reason"), _delivery_key(record)
    listed = _NOT_SENT.get(reason)
    if listed is not None and listed is not BounceKind.SOFT:
        return BounceReport(listed, delivery_key=key)
    if text_of(record, "severity") == "temporary":
        return BounceReport(BounceKind.DELAYED, delivery_key=key)  # it goes on trying
    # "old": Mailgun has given up what was refused for the time being; "generic": it does not know why.
    is_final = reason in ("bounce", "hardfail")
    status = record.get("delivery-status")
    status = status if isinstance(status, dict) else {}
    code = text_of(status, "code", 3)
    words = text_of(status, "message") or text_of(status, "description")
    if len(code) == 3 and code[0] in "45" and not words.startswith(code):
        words = f"{code} {words}"
    return failure_report(
        BounceKind.HARD if is_final and listed is None else BounceKind.SOFT,
        words,
        recipient=text_of(record, "recipient"),
        delivery_key=key,
        enhanced=text_of(status, "enhanced-code"),
    )


def _delivery_key(record: Mapping[str, Any]) -> str:
    variables = record.get("user-variables")  # an empty list when there are none
    return text_of(variables, KEY_NAME, 100) if isinstance(variables, dict) else ""


MAILGUN = Provider("mailgun", "Mailgun", outgoing_headers, read_events, needs=("signing_key",))

"""Amazon SES: events by Amazon SNS, one in a message.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from upcycle_news.bounces.parser import BounceKind, BounceReport
from upcycle_news.bounces.providers.provider import (
    IRRELEVANT,
    KEY_HEADER,
    KEY_NAME,
    EventBatch,
    EventRequest,
    Header,
    OutgoingOptions,
    Provider,
    ProviderEvent,
    failure_report,
    headers_with_values,
    json_object,
    json_of,
    raw_of,
    required_text,
    storable,
    text_of,
)
from upcycle_news.bounces.providers.sns_message import (
    confirmation_address,
    required_text_of_any_length,
    verified_message,
)
from upcycle_news.errors import WebhookUnreadable

_UNCERTAIN = ("Suppressed", "OnAccountSuppressionList", "NoEmail")
"""Permanent bounces that say too little of an address.

SES did not send the mail, since an earlier one failed, perhaps another customer's; or the bounce named nobody.
"""
_NO_COMPLAINTS = ("not-spam", "auth-failure", "virus")
_IRRELEVANT = ("Send", "Open", "Click", "Rendering Failure")


def outgoing_headers(options: OutgoingOptions, delivery_key: str) -> tuple[Header, ...]:
    """Return SES's headers; it takes both of its own away before it sends.

    https://docs.aws.amazon.com/ses/latest/dg/event-publishing-send-email.html
    """
    tags = [f"{KEY_NAME}={delivery_key}"] if delivery_key else []
    tags += [f"tag={options.tag}"] if options.tag else []
    headers = {
        "X-SES-CONFIGURATION-SET": options.configuration_set,
        "X-SES-MESSAGE-TAGS": ", ".join(tags),
        KEY_HEADER: delivery_key,
    }
    return headers_with_values(headers)


def read_events(request: EventRequest) -> EventBatch:
    """Verify a message of Amazon SNS and return its event, or where its subscription is confirmed."""
    message = verified_message(request)
    if message["Type"] != "Notification":
        event = ProviderEvent(str(message["Type"]), IRRELEVANT)
        return EventBatch(iter((event,)), confirm_at=confirmation_address(message))
    return EventBatch(_events(required_text_of_any_length(message, "Message")))


def _events(text: str) -> Iterator[ProviderEvent]:
    if text.startswith("Successfully validated SNS topic"):  # what SES writes once, no JSON
        yield ProviderEvent("validated", IRRELEVANT)
        return
    record = json_object(json_of(text.encode()))
    name = text_of(record, "eventType") or required_text(record, "notificationType")
    if name in _IRRELEVANT:
        yield ProviderEvent(name, IRRELEVANT)
        return
    mail = json_object(record.get("mail"))
    readers = {
        "Bounce": _bounce,
        "Complaint": _complaint,
        "Subscription": _subscription,
    }
    detail = record.get(name[:1].lower() + name[1:])
    if name in readers:
        report = readers[name](json_object(detail), _delivery_key(mail))
    elif name in ("Delivery", "DeliveryDelay", "Reject"):
        kinds = {"Delivery": BounceKind.DELIVERED, "DeliveryDelay": BounceKind.DELAYED}
        kind = kinds.get(name, BounceKind.BLOCKED)
        report = BounceReport(kind, delivery_key=_delivery_key(mail))
    else:
        yield ProviderEvent(name, None)
        return
    detail = detail if isinstance(detail, dict) else {}
    part = text_of(detail, "feedbackId") or text_of(detail, "timestamp")
    yield ProviderEvent(name, report, f"{required_text(mail, 'messageId')}/{part}", raw_of(record))


def _bounce(bounce: Mapping[str, Any], delivery_key: str) -> BounceReport:
    kind, detail = text_of(bounce, "bounceType"), text_of(bounce, "bounceSubType")
    recipients = bounce.get("bouncedRecipients")
    if not isinstance(recipients, list) or not recipients:
        raise WebhookUnreadable("the recipients of a bounce are missing")
    first = json_object(recipients[0])
    if detail == "UnsubscribedRecipient":
        return BounceReport(BounceKind.UNSUBSCRIBED, delivery_key=delivery_key)
    verdict = BounceKind.SOFT
    if kind == "Permanent" and detail not in _UNCERTAIN and len(recipients) == 1:
        verdict = BounceKind.HARD
    elif detail in ("ContentRejected", "AttachmentRejected"):
        verdict = BounceKind.BLOCKED
    return failure_report(
        verdict,
        text_of(first, "diagnosticCode"),
        recipient=text_of(first, "emailAddress"),
        delivery_key=delivery_key,
        enhanced=text_of(first, "status"),
    )


def _complaint(complaint: Mapping[str, Any], delivery_key: str) -> BounceReport:
    what = text_of(complaint, "complaintFeedbackType", 40)
    kind = BounceKind.FEEDBACK if what in _NO_COMPLAINTS else BounceKind.COMPLAINT
    return BounceReport(kind, delivery_key=delivery_key)


def _subscription(subscription: Mapping[str, Any], delivery_key: str) -> BounceReport:
    """Read a change at SES's own list management: only who leaves everything has left us."""
    preferences = subscription.get("newTopicPreferences")
    if isinstance(preferences, dict) and preferences.get("unsubscribeAll") is True:
        return BounceReport(BounceKind.UNSUBSCRIBED, delivery_key=delivery_key)
    return IRRELEVANT


def _delivery_key(mail: Mapping[str, Any]) -> str:
    """Return our key from the tags, which a configuration set brings, or from the headers of our mail."""
    tags, headers = mail.get("tags"), mail.get("headers")
    if isinstance(tags, dict) and isinstance(tags.get(KEY_NAME), list):
        for value in tags[KEY_NAME][:1]:
            return storable(str(value)[:100])
    for header in headers if isinstance(headers, list) else ():
        if isinstance(header, dict) and str(header.get("name", "")).lower() == KEY_HEADER.lower():
            return text_of(header, "value", 100)
    return ""


SES = Provider(
    "ses",
    "Amazon SES",
    outgoing_headers,
    read_events,
    needs=("topic_arn",),
    # https://docs.aws.amazon.com/ses/latest/dg/header-fields.html
    replaced_headers=("date", "message-id"),
    # https://docs.aws.amazon.com/ses/latest/dg/faqs-metrics.html
    untracked_link="ses:no-track",
)

"""What each provider posts, in the words of bounces."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from upcycle_news.bounces.parser import BounceKind
from upcycle_news.bounces.providers import (
    PROVIDERS,
    brevo,
    mailgun,
    mailjet,
    postmark,
    sendgrid,
    ses,
)
from upcycle_news.bounces.providers.provider import ProviderEvent
from upcycle_news.errors import WebhookUnreadable

from .posting import (
    POSTING,
    Posting,
    Sample,
    brevo_record,
    mailgun_record,
    mailjet_record,
    postmark_record,
    sendgrid_record,
    ses_record,
    sns_message,
)

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
KEY = "3k-1-abcdefghijklm"
ALL = pytest.mark.parametrize("posting", POSTING.values(), ids=POSTING)


def read(posting: Posting, *samples: Sample) -> list[ProviderEvent]:
    events = []
    for posted in posting.requests(samples, NOW):
        request = posting.request(posted, NOW)
        events += list(PROVIDERS[posting.provider].read_events(request).events)
    return events


def test_every_provider_is_tried_here() -> None:
    assert set(POSTING) == set(PROVIDERS)


@ALL
@pytest.mark.parametrize("kind", ["hard", "soft", "complaint", "delivered", "unsubscribed"])
def test_an_event_has_the_kind_the_key_and_an_id(posting: Posting, kind: str) -> None:
    words = "550 5.1.1 user unknown" if kind == "hard" else "452 4.2.2 mailbox full"
    [event] = read(posting, Sample(kind, KEY, words=words))
    assert event.report is not None
    assert (event.report.kind, event.report.delivery_key) == (kind, KEY)
    assert event.id and event.raw
    [again] = read(posting, Sample(kind, KEY, words=words))
    [other] = read(posting, Sample(kind, KEY, id="2", words=words))
    assert event.id == again.id != other.id


@ALL
def test_a_hard_bounce_has_code_address_and_words_without_an_address(posting: Posting) -> None:
    words = "550 5.1.1 <anna@example.org> user unknown"
    [event] = read(posting, Sample("hard", KEY, words=words))
    assert event.report is not None
    assert event.report.code == "5.1.1"
    assert event.report.recipients == ("anna@example.org",)
    assert "user unknown" in event.report.reason
    assert "anna" not in event.report.reason
    assert "anna" not in repr(event)


@ALL
@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("550 5.7.1 blocked by our list, see example.com", BounceKind.BLOCKED),
        ("552 5.2.2 mailbox is over quota", BounceKind.SOFT),
        ("450 4.2.0 try again later", BounceKind.SOFT),
        ("550 user unknown", BounceKind.HARD),
    ],
)
def test_the_words_that_are_quoted_make_a_verdict_milder_only(
    posting: Posting, words: str, kind: BounceKind
) -> None:
    sample = Sample("hard", KEY, words=words)
    if posting.provider == "sendgrid":  # its own status goes beside the words
        record = {
            name: value for name, value in sendgrid_record(sample).items() if name != "status"
        }
        [event] = list(sendgrid._events([record]))
    else:
        [event] = read(posting, sample)
    assert event.report is not None and event.report.kind is kind


@ALL
def test_words_of_a_dead_address_make_no_soft_verdict_harsher(posting: Posting) -> None:
    [event] = read(posting, Sample("soft", KEY))
    assert event.report is not None and event.report.kind is BounceKind.SOFT


@ALL
def test_opens_are_dropped_unread_and_unknown_words_are_named(posting: Posting) -> None:
    [opened] = read(posting, Sample("opened", KEY))
    assert opened.report is not None and opened.report.kind is BounceKind.OTHER
    assert (opened.report.delivery_key, opened.raw, opened.id) == ("", b"", "")
    [unheard] = read(posting, Sample("unheard", KEY))
    assert unheard.report is None
    assert "tele" in unheard.name.lower()


@ALL
def test_an_event_without_our_key_has_none(posting: Posting) -> None:
    [event] = read(posting, Sample("hard", ""))
    assert event.report is not None and event.report.delivery_key == ""


@ALL
def test_a_halved_character_or_nul_in_the_words_can_be_stored(posting: Posting) -> None:
    """A provider cuts what another server said, which may be anything."""
    [event] = read(posting, Sample("hard", KEY, words="550 5.1.1 user unknown \ud83d \0 \udc00"))
    assert event.report is not None
    assert (event.report.kind, event.report.delivery_key) == (BounceKind.HARD, KEY)
    for text in (event.report.reason, event.report.code, event.id, event.raw.decode()):
        assert "\0" not in text
        assert text.encode()


@pytest.mark.parametrize("status", ["5.1.1.1", "5.1.1-anna@example.org", "x" * 500, "55", ""])
def test_what_is_no_status_code_is_not_kept_as_one(status: str) -> None:
    record = {**sendgrid_record(Sample("hard", KEY, words="no such user")), "status": status}
    [event] = list(sendgrid._events([record]))
    assert event.report is not None
    assert event.report.code in ("", "5.1.1") and len(event.report.code) <= 16


def test_an_event_without_an_id_is_recognised_by_its_record() -> None:
    """One that lacks it must not have the whole request refused."""
    cases: list[tuple[Any, dict[str, Any]]] = [
        (sendgrid, {**sendgrid_record(Sample("hard", KEY)), "sg_event_id": None}),
        (brevo, {**brevo_record(Sample("hard", KEY)), "message-id": None}),
        (mailjet, {**mailjet_record(Sample("hard", KEY)), "MessageID": None, "Message_GUID": ""}),
    ]
    for module, record in cases:
        [event] = list(module._events([record]))
        assert (event.id, bool(event.raw), kind_of(event)) == ("", True, "hard")


def test_a_change_of_postmarks_list_by_its_operator_has_no_message() -> None:
    record = postmark_record(Sample("unsubscribed", ""))
    [event] = list(postmark._events({**record, "MessageID": None, "Origin": "Customer"}))
    assert (kind_of(event), event.id) == ("other", "")


def test_the_same_id_of_mailgun_on_another_day_is_another_event() -> None:
    record = mailgun_record(Sample("hard", KEY))
    first, again, other = (
        event
        for at in (1795680000.5, 1795680000.5, 1795780000.5)
        for event in mailgun._events({**record, "timestamp": at})
    )
    assert first.id == again.id != other.id


@ALL
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b'"x"', b"null", b"{}", b"\xff", b"[" * 100_000]
)
def test_what_is_not_as_documented_is_unreadable(posting: Posting, body: bytes) -> None:
    read_events = {
        "ses": lambda: ses._events(body.decode("latin-1")),
        "postmark": lambda: PROVIDERS["postmark"].read_events(posting.request((_basic(), body), NOW)).events,
        "mailgun": lambda: PROVIDERS["mailgun"].read_events(posting.request(({}, body), NOW)).events,
        "sendgrid": lambda: PROVIDERS["sendgrid"].read_events(posting.request(_signed(body), NOW)).events,
        "brevo": lambda: PROVIDERS["brevo"].read_events(posting.request((_basic(), body), NOW)).events,
        "mailjet": lambda: PROVIDERS["mailjet"].read_events(posting.request((_basic(), body), NOW)).events,
    }  # fmt: skip
    with pytest.raises(WebhookUnreadable):
        list(read_events[posting.provider]())


def _basic() -> dict[str, str]:
    return POSTING["postmark"].requests([Sample("hard", KEY)], NOW)[0][0]


def _signed(body: bytes) -> tuple[dict[str, str], bytes]:
    from .posting import sendgrid_headers

    return sendgrid_headers(body, NOW), body


def kind_of(event: ProviderEvent) -> str | None:
    return event.report.kind.value if event.report is not None else None


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"bounceSubType": "Suppressed"}, "soft"),
        ({"bounceSubType": "OnAccountSuppressionList"}, "soft"),
        ({"bounceSubType": "NoEmail"}, "soft"),
        ({"bounceSubType": "UnsubscribedRecipient"}, "unsubscribed"),
        ({"bounceType": "Undetermined", "bounceSubType": "Undetermined"}, "soft"),
        ({"bounceType": "Transient", "bounceSubType": "ContentRejected"}, "blocked"),
    ],
)
def test_bounces_of_amazon_ses_that_say_less_than_a_dead_address(
    changes: dict[str, str], kind: str
) -> None:
    record = ses_record(Sample("hard", KEY))
    record["bounce"] |= changes
    [event] = list(ses._events(json.dumps(record)))
    assert kind_of(event) == kind


def test_amazon_ses_gives_the_key_in_a_header_too_and_has_older_notifications() -> None:
    record = ses_record(Sample("complaint", ""))
    record["mail"]["headers"].append({"name": "x-delivery-key", "value": KEY})
    record["notificationType"] = record.pop("eventType")
    [event] = list(ses._events(json.dumps(record)))
    assert event.report is not None
    assert (event.report.kind, event.report.delivery_key) == (BounceKind.COMPLAINT, KEY)
    record["complaint"]["complaintFeedbackType"] = "not-spam"
    [event] = list(ses._events(json.dumps(record)))
    assert kind_of(event) == "feedback"
    [event] = list(ses._events("Successfully validated SNS topic for Amazon SES event publishing."))
    assert kind_of(event) == "other"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("BadEmailAddress", "hard"), ("SpamNotification", "blocked"), ("DMARCPolicy", "blocked"),
        ("AutoResponder", "auto-reply"), ("Unsubscribe", "unsubscribed"), ("Subscribe", "other"), ("New", None),
    ],
)  # fmt: skip
def test_kinds_of_bounces_of_postmark(name: str, kind: str | None) -> None:
    [event] = list(postmark._events({**postmark_record(Sample("hard", KEY)), "Type": name}))
    assert kind_of(event) == kind


def test_a_suppression_by_postmarks_own_operator_is_no_departure() -> None:
    record = postmark_record(Sample("unsubscribed", KEY))
    for changes in (
        {"Origin": "Admin"},
        {"SuppressSending": False},
        {"SuppressionReason": "HardBounce"},
    ):
        [event] = list(postmark._events({**record, **changes}))
        assert kind_of(event) == "other"


@pytest.mark.parametrize(
    ("reason", "kind"),
    [("generic", "soft"), ("", "soft"), ("suppress-bounce", "soft"), ("suppress-complaint", "complaint"), ("suppress-unsubscribe", "unsubscribed")],
)  # fmt: skip
def test_what_mailgun_did_not_send_is_no_dead_address(reason: str, kind: str) -> None:
    [event] = list(mailgun._events({**mailgun_record(Sample("hard", KEY)), "reason": reason}))
    assert kind_of(event) == kind


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("Bounced Address", "soft"), ("Spam Reporting Address", "complaint"),
        ("Unsubscribed Address", "unsubscribed"), ("Spam Content (if enabled)", "blocked"),
    ],
)  # fmt: skip
def test_what_sendgrid_dropped_is_no_dead_address(reason: str, kind: str) -> None:
    record = {**sendgrid_record(Sample("hard", KEY)), "event": "dropped", "reason": reason}
    [event] = list(sendgrid._events([record]))
    assert kind_of(event) == kind


def test_brevos_own_list_and_wrong_addresses() -> None:
    record: dict[str, Any] = brevo_record(Sample("hard", KEY))
    kinds = [
        kind_of(event)
        for name in ("blocked", "invalid_email", "error")
        for event in brevo._events([{**record, "event": name, "reason": ""}])
    ]
    assert kinds == ["soft", "soft", "soft"]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"event": "blocked", "error_related_to": "mailjet", "error": "preblocked"}, "blocked"),
        ({"event": "blocked", "error_related_to": "recipient"}, "soft"),
        ({"error_related_to": "content"}, "blocked"),
        ({"hard_bounce": False}, "soft"),
    ],
)
def test_failures_of_mailjet_that_say_less_than_a_dead_address(
    changes: dict[str, Any], kind: str
) -> None:
    [event] = list(mailjet._events([{**mailjet_record(Sample("hard", KEY)), **changes}]))
    assert kind_of(event) == kind


def test_events_of_brevo_have_an_id_although_the_one_they_carry_is_the_webhooks() -> None:
    sample = Sample("hard", KEY)
    samples = (sample, replace(sample, id="2"), replace(sample, address="bert@example.org"))
    events = list(brevo._events([brevo_record(one) for one in samples]))
    assert len({event.id for event in events}) == 3
    assert all("@example.org" not in event.id for event in events)


def test_a_message_of_sns_is_text_of_any_length() -> None:
    record = ses_record(Sample("hard", KEY))
    record["mail"]["headers"] += [{"name": "X-Long", "value": "x" * 100_000}]
    posting = POSTING["ses"]
    body = json.dumps(sns_message(NOW, Message=json.dumps(record))).encode()
    batch = PROVIDERS["ses"].read_events(posting.request(({}, body), NOW))
    assert [kind_of(event) for event in batch.events] == ["hard"]

"""Messages of Amazon SNS: of another topic, region or bucket nothing is even fetched."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from upcycle_news.bounces.providers import PROVIDERS
from upcycle_news.bounces.providers.provider import EventBatch, EventRequest, SourceKeys
from upcycle_news.errors import WebhookRefused, WebhookUnreadable

from .posting import CERTIFICATE_AT, TOPIC, Sample, certificate, ses_record, sns_message

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
EVENT = json.dumps(ses_record(Sample("hard", "3k-1-abcdefghijklm")))
SUBSCRIBE_AT = "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription"
CONFIRMATION = {
    "Type": "SubscriptionConfirmation",
    "Token": "2336412f37",
    "Message": "You have chosen to subscribe to the topic.",
    "SubscribeURL": f"{SUBSCRIBE_AT}&TopicArn={TOPIC}&Token=2336412f37",
}


class Edge:
    """What lies at Amazon: a certificate at each address, and which were asked."""

    def __init__(self, pem: Callable[[], bytes] = certificate) -> None:
        self.asked: list[str] = []
        self._pem = pem

    def fetch(self, address: str) -> bytes:
        self.asked.append(address)
        return self._pem()


def read(
    message: dict[str, str], edge: Edge | None = None, topic: str = TOPIC, now: datetime = NOW
) -> EventBatch:
    keys = SourceKeys(topic_arn=topic)
    edge = edge or Edge()
    request = EventRequest({}, json.dumps(message).encode(), keys, now, edge.fetch)
    return PROVIDERS["ses"].read_events(request)


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_signed_message_of_the_topic_is_read(version: str) -> None:
    edge = Edge()
    batch = read(sns_message(NOW, Message=EVENT, SignatureVersion=version), edge)
    assert len(list(batch.events)) == 1
    assert edge.asked == [CERTIFICATE_AT]


def test_a_subject_is_signed_where_there_is_one() -> None:
    message = sns_message(NOW, Message=EVENT, Subject="Amazon SES Email Event Notification")
    assert len(list(read(message).events)) == 1
    with pytest.raises(WebhookRefused):
        read({**message, "Subject": "another"})


@pytest.mark.parametrize("name", ["Message", "MessageId", "Timestamp"])
def test_an_altered_message_is_refused(name: str) -> None:
    message = sns_message(NOW, Message=EVENT)
    altered = {"Timestamp": "2026-11-26T09:00:01.000Z"}.get(name, message[name] + " ")
    with pytest.raises(WebhookRefused, match="not that of Amazon"):
        read({**message, name: altered})


@pytest.mark.parametrize(
    "topic",
    [
        TOPIC.replace("newsletter", "foreign"),
        TOPIC.replace("123456789012", "999999999999"),
        TOPIC.replace("eu-central-1", "us-east-1"),
        TOPIC + "-2", "", "arn:aws:s3:::bucket",
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [{"Message": EVENT}, CONFIRMATION], ids=["event", "confirmation"])
def test_a_foreign_topic_account_or_region_is_refused_without_a_fetch(
    topic: str, kind: dict[str, str]
) -> None:
    edge = Edge()
    with pytest.raises(WebhookRefused, match="another topic"):
        read(sns_message(NOW, **{**kind, "TopicArn": topic}), edge)
    assert edge.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "http://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123abc.pem",
        "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123abc.pem",
        "https://sns.eu-central-1.amazonaws.com.evil.example/SimpleNotificationService-0123abc.pem",
        "https://sns.eu-central-1.amazonaws.com@evil.example/SimpleNotificationService-0123abc.pem",
        "https://user@sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123abc.pem",
        "https://sns.eu-central-1.amazonaws.com:444/SimpleNotificationService-0123abc.pem",
        "https://sns-eu-central-1.s3.amazonaws.com/SimpleNotificationService-0123abc.pem",
        "https://bucket.s3.eu-central-1.amazonaws.com/SimpleNotificationService-0123abc.pem",
        "https://sns.eu-central-1.amazonaws.com/folder/SimpleNotificationService-0123abc.pem",
        "https://sns.eu-central-1.amazonaws.com/../bucket/a.pem",
        "https://sns.eu-central-1.amazonaws.com/a.pem?x=1",
        "https://sns.eu-central-1.amazonaws.com/a.pem#x",
        "https://sns.eu-central-1.amazonaws.com/a.txt",
        "https://sns.eu-central-1.amazonaws.com/a.pem\n",
        "https://SNS.eu-central-1.amazonaws.com/a.pem",
        "https://evil.example/a.pem", "file:///etc/passwd", "//sns.eu-central-1.amazonaws.com/a.pem",
    ],
)  # fmt: skip
def test_a_certificate_elsewhere_is_refused_without_a_fetch(address: str) -> None:
    edge = Edge()
    with pytest.raises(WebhookRefused, match="another address"):
        read(sns_message(NOW, Message=EVENT, SigningCertURL=address), edge)
    assert edge.asked == []


def test_a_replayed_or_future_message_is_refused_without_a_fetch() -> None:
    message = sns_message(NOW, Message=EVENT)
    assert read(message, now=NOW + timedelta(hours=23)).confirm_at == ""
    for now in (NOW + timedelta(days=1, seconds=1), NOW - timedelta(minutes=11)):
        edge = Edge()
        with pytest.raises(WebhookRefused, match="too old, or in the future"):
            read(message, edge, now=now)
        assert edge.asked == []


def test_a_certificate_of_another_key_or_one_that_expired_is_refused() -> None:
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    message = sns_message(NOW, Message=EVENT)
    for pem in (
        lambda: certificate(foreign),
        lambda: certificate(until=datetime(2026, 11, 1, tzinfo=UTC)),
        lambda: b"-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n",
        lambda: b"",
    ):
        with pytest.raises(WebhookRefused):
            read(message, Edge(pem))


@pytest.mark.parametrize("version", ["", "3", "0"])
def test_a_version_of_the_signature_that_nobody_knows_is_refused(version: str) -> None:
    with pytest.raises(WebhookRefused):
        read(sns_message(NOW, Message=EVENT) | {"SignatureVersion": version})


def test_a_subscription_is_confirmed_at_amazon_for_our_topic_only() -> None:
    batch = read(sns_message(NOW, **CONFIRMATION))
    assert batch.confirm_at == CONFIRMATION["SubscribeURL"]
    [event] = batch.events
    assert event.report is not None and event.report.kind == "other"


@pytest.mark.parametrize(
    "address",
    [
        CONFIRMATION["SubscribeURL"].replace("eu-central-1.amazonaws", "us-east-1.amazonaws"),
        CONFIRMATION["SubscribeURL"].replace("https://", "http://"),
        CONFIRMATION["SubscribeURL"].replace("amazonaws.com/", "amazonaws.com.evil.example/"),
        CONFIRMATION["SubscribeURL"].replace("amazonaws.com/", "amazonaws.com@evil.example/"),
        CONFIRMATION["SubscribeURL"].replace("newsletter", "foreign"),
        CONFIRMATION["SubscribeURL"].replace("Token=2336412f37", "Token=other"),
        CONFIRMATION["SubscribeURL"].replace("ConfirmSubscription", "DeleteTopic"),
        CONFIRMATION["SubscribeURL"] + "&Action=DeleteTopic",
        CONFIRMATION["SubscribeURL"] + "#x",
        "https://evil.example/",
    ],
)
def test_a_subscription_elsewhere_or_of_another_topic_is_not_confirmed(address: str) -> None:
    with pytest.raises(WebhookRefused, match="another address"):
        read(sns_message(NOW, **{**CONFIRMATION, "SubscribeURL": address}))


def test_a_confirmation_needs_the_signature_as_well() -> None:
    message = sns_message(NOW, **CONFIRMATION)
    with pytest.raises(WebhookRefused):
        read({**message, "Token": "x", "SubscribeURL": message["SubscribeURL"][:-10] + "x"})


@pytest.mark.parametrize("field", ["Type", "Message", "MessageId"])
@pytest.mark.parametrize("value", [["Notification"], {}, None, "half \ud83d"])
def test_fields_that_are_no_text_are_unreadable(field: str, value: object) -> None:
    body = json.dumps({**sns_message(NOW, Message=EVENT), field: value}).encode()
    request = EventRequest({}, body, SourceKeys(topic_arn=TOPIC), NOW, Edge().fetch)
    with pytest.raises(WebhookUnreadable):
        PROVIDERS["ses"].read_events(request)


@pytest.mark.parametrize(
    "message", [{}, {"TopicArn": TOPIC}, {"TopicArn": TOPIC, "Type": "Other"}, {"TopicArn": TOPIC, "Type": "Notification"}]
)  # fmt: skip
def test_what_is_no_message_of_sns_is_refused(message: dict[str, str]) -> None:
    edge = Edge()
    with pytest.raises((WebhookRefused, WebhookUnreadable)):
        read(message, edge)
    assert edge.asked == []

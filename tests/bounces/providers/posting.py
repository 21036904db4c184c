"""What each provider posts, after its documentation; keys are made at run time.

`POSTING[name]` knows the settings of a source, and how its provider writes, signs and posts events.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from upcycle_news.bounces.providers.provider import KEY_NAME, EventRequest, SourceKeys

SECRET = "ein-langes-geheimnis-im-pfad"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:newsletter-events"
CERTIFICATE_AT = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123abc.pem"
SIGNING_KEY = "key-of-the-account"
USER, PASSWORD = "provider", "pass-of-the-source"
BASIC = {
    "Content-Type": "application/json",
    "Authorization": f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}",
}
Posted = tuple[dict[str, str], bytes]
"""Headers and body of one request."""


@dataclass(frozen=True)
class Sample:
    """An event to be written: `kind` in the words of bounces, `key` and `address` of our mail."""

    kind: str
    key: str
    address: str = "anna@example.org"
    id: str = "1"
    words: str = "550 5.1.1 user unknown"


# --- Amazon SES


@cache
def sns_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(
    key: rsa.RSAPrivateKey | None = None, *, until: datetime = datetime(2099, 1, 1, tzinfo=UTC)
) -> bytes:
    """A certificate as SNS publishes one."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    key = key or sns_key()
    made = x509.CertificateBuilder(
        issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=1,
        not_valid_before=datetime(2020, 1, 1, tzinfo=UTC), not_valid_after=until,
    ).sign(key, hashes.SHA256())  # fmt: skip
    return made.public_bytes(Encoding.PEM)


def sns_message(now: datetime, **fields: str) -> dict[str, str]:
    """A signed message of SNS: a notification unless `fields` say otherwise; a field may be foreign."""
    message = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Message": "{}",
        "Timestamp": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "SignatureVersion": "2",
        "SigningCertURL": CERTIFICATE_AT,
    } | fields
    names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    if message["Type"] != "Notification":
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    lines = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
    algorithm = hashes.SHA1() if message["SignatureVersion"] == "1" else hashes.SHA256()
    signature = sns_key().sign(lines.encode(), padding.PKCS1v15(), algorithm)
    return {**message, "Signature": base64.b64encode(signature).decode()}


def ses_record(sample: Sample) -> dict[str, Any]:
    mail = {
        "timestamp": "2026-11-26T08:00:00.000Z",
        "messageId": f"EXAMPLE-{sample.id}",
        "source": "post@umbaupost.example.net",
        "destination": [sample.address],
        "headers": [{"name": "From", "value": "post@umbaupost.example.net"}],
        "tags": {"ses:configuration-set": ["news"], **({KEY_NAME: [sample.key]} if sample.key else {})},
    }  # fmt: skip
    recipient = {"emailAddress": sample.address, "diagnosticCode": f"smtp; {sample.words}"}
    details: Mapping[str, tuple[str, dict[str, Any]]] = {
        "hard": ("Bounce", {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": [recipient], "feedbackId": sample.id}),
        "soft": ("Bounce", {"bounceType": "Transient", "bounceSubType": "MailboxFull", "bouncedRecipients": [recipient], "feedbackId": sample.id}),
        "complaint": ("Complaint", {"complainedRecipients": [{"emailAddress": sample.address}], "complaintFeedbackType": "abuse", "feedbackId": sample.id}),
        "delivered": ("Delivery", {"recipients": [sample.address], "timestamp": f"at {sample.id}"}),
        "delayed": ("DeliveryDelay", {"delayType": "MailboxFull", "timestamp": f"at {sample.id}"}),
        "unsubscribed": ("Subscription", {"newTopicPreferences": {"unsubscribeAll": True}, "timestamp": f"at {sample.id}"}),
        "opened": ("Open", {"ipAddress": "192.0.2.1"}),
        "unheard": ("Teleported", {}),
    }  # fmt: skip
    name, detail = details[sample.kind]
    return {"eventType": name, "mail": mail, name[:1].lower() + name[1:]: detail}


def _ses(samples: Sequence[Sample], now: datetime) -> list[Posted]:
    """One message for each event, as SNS posts them: as plain text."""
    headers = {
        "Content-Type": "text/plain; charset=UTF-8",
        "x-amz-sns-message-type": "Notification",
    }
    return [
        (headers, json.dumps(sns_message(now, Message=json.dumps(ses_record(one)))).encode())
        for one in samples
    ]


# --- Postmark


def _postmark(samples: Sequence[Sample], now: datetime) -> list[Posted]:
    return [(BASIC, json.dumps(postmark_record(one)).encode()) for one in samples]


def postmark_record(sample: Sample) -> dict[str, Any]:
    details: Mapping[str, dict[str, Any]] = {
        "hard": {"RecordType": "Bounce", "Type": "HardBounce", "ID": int(sample.id), "Details": sample.words},
        "soft": {"RecordType": "Bounce", "Type": "SoftBounce", "ID": int(sample.id), "Details": sample.words},
        "complaint": {"RecordType": "SpamComplaint", "Type": "SpamComplaint", "ID": int(sample.id)},
        "delivered": {"RecordType": "Delivery", "DeliveredAt": f"at {sample.id}"},
        "delayed": {"RecordType": "Bounce", "Type": "Transient", "ID": int(sample.id)},
        "unsubscribed": {"RecordType": "SubscriptionChange", "SuppressSending": True, "Origin": "Recipient", "SuppressionReason": "ManualSuppression", "ChangedAt": f"at {sample.id}"},
        "opened": {"RecordType": "Open", "Geo": {"IP": "192.0.2.1"}},
        "unheard": {"RecordType": "Teleport"},
    }  # fmt: skip
    metadata = {KEY_NAME: sample.key} if sample.key else {}
    common = {"MessageID": "00000000-0000-0000-0000-000000000000", "Metadata": metadata}
    return {**common, "Email": sample.address, "MessageStream": "broadcast", **details[sample.kind]}


# --- Mailgun


def mailgun_signature(now: datetime, token: str) -> dict[str, str]:
    timestamp = str(int(now.timestamp()))
    mac = hmac.new(SIGNING_KEY.encode(), (timestamp + token).encode(), hashlib.sha256)
    return {"timestamp": timestamp, "token": token, "signature": mac.hexdigest()}


def mailgun_record(sample: Sample) -> dict[str, Any]:
    status = {"code": 550, "message": sample.words, "enhanced-code": "5.1.1"}
    if not sample.words.startswith("550 5.1.1"):
        status = {"code": int(sample.words[:3]), "message": sample.words}
    details: Mapping[str, dict[str, Any]] = {
        "hard": {"event": "failed", "severity": "permanent", "reason": "bounce", "delivery-status": status},
        "soft": {"event": "failed", "severity": "permanent", "reason": "old", "delivery-status": status},
        "complaint": {"event": "complained"},
        "delivered": {"event": "delivered", "delivery-status": {"code": 250, "message": "OK"}},
        "delayed": {"event": "failed", "severity": "temporary", "delivery-status": status},
        "unsubscribed": {"event": "unsubscribed"},
        "opened": {"event": "opened", "ip": "192.0.2.1"},
        "unheard": {"event": "teleported"},
    }  # fmt: skip
    variables: Any = {KEY_NAME: sample.key} if sample.key else []
    identity = {"id": f"Ase7i2zsRYeDXztHGENqR{sample.id}", "timestamp": 1795680000.5}
    common = {**identity, "recipient": sample.address}
    return {**common, "user-variables": variables, **details[sample.kind]}


def _mailgun(samples: Sequence[Sample], now: datetime) -> list[Posted]:
    requests = []
    for one in samples:
        token = hashlib.sha256(repr(one).encode()).hexdigest()[:50]
        body = {"signature": mailgun_signature(now, token), "event-data": mailgun_record(one)}
        requests.append(({"Content-Type": "application/json"}, json.dumps(body).encode()))
    return requests


# --- SendGrid


@cache
def sendgrid_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def sendgrid_public_key() -> str:
    der = sendgrid_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def sendgrid_headers(body: bytes, now: datetime) -> dict[str, str]:
    timestamp = str(int(now.timestamp()))
    signature = sendgrid_key().sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    return {
        "Content-Type": "application/json",
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
    }


def sendgrid_record(sample: Sample) -> dict[str, Any]:
    details: Mapping[str, dict[str, Any]] = {
        "hard": {"event": "bounce", "type": "bounce", "status": "5.1.1", "reason": sample.words},
        "soft": {"event": "bounce", "type": "blocked", "reason": sample.words},
        "complaint": {"event": "spamreport"},
        "delivered": {"event": "delivered", "response": "250 OK"},
        "delayed": {"event": "deferred", "response": "450 later"},
        "unsubscribed": {"event": "unsubscribe"},
        "opened": {"event": "open", "ip": "192.0.2.1"},
        "unheard": {"event": "teleport"},
    }
    own = {KEY_NAME: sample.key} if sample.key else {}
    common = {"email": sample.address, "timestamp": 1795680000, "sg_event_id": f"sg-{sample.id}"}
    return {**common, "sg_message_id": "14c5d75ce93", **own, **details[sample.kind]}


def _sendgrid(samples: Sequence[Sample], now: datetime) -> list[Posted]:
    """All events in one request, as it batches them."""
    body = json.dumps([sendgrid_record(one) for one in samples]).encode()
    return [(sendgrid_headers(body, now), body)]


# --- Brevo and Mailjet


def brevo_record(sample: Sample) -> dict[str, Any]:
    names = {
        "hard": "hard_bounce", "soft": "soft_bounce", "complaint": "spam", "delivered": "delivered", "delayed": "deferred",
        "unsubscribed": "unsubscribed", "opened": "unique_opened", "unheard": "teleported",
    }  # fmt: skip
    own = {"X-Mailin-custom": sample.key} if sample.key else {}
    reason = {"reason": sample.words} if sample.kind in ("hard", "soft") else {}
    return {
        "event": names[sample.kind], "email": sample.address, "id": 26224, "ts_event": 1795680000 + int(sample.id),
        "message-id": "<201798300811.5787683@relay.domain.com>", **own, **reason,
    }  # fmt: skip


def _brevo(samples: Sequence[Sample], now: datetime) -> list[Posted]:
    return [(BASIC, json.dumps(brevo_record(one)).encode()) for one in samples]


def mailjet_record(sample: Sample) -> dict[str, Any]:
    details: Mapping[str, dict[str, Any]] = {
        "hard": {"event": "bounce", "hard_bounce": True, "blocked": False, "error_related_to": "recipient", "error": "user unknown", "comment": sample.words},
        "soft": {"event": "bounce", "hard_bounce": False, "error_related_to": "mailbox inactive", "error": "account disabled", "comment": sample.words},
        "complaint": {"event": "spam", "source": "JMRPP"},
        "delivered": {"event": "sent", "smtp_reply": "250 OK"},
        "delayed": {"event": "deferred"},
        "unsubscribed": {"event": "unsub", "mj_list_id": 0},
        "opened": {"event": "open", "ip": "192.0.2.1"},
        "unheard": {"event": "teleport"},
    }  # fmt: skip
    return {
        "time": 1795680000 + int(sample.id), "MessageID": 19421777835146490, "Message_GUID": "1ab23cd4-e567-8901-2345",
        "email": sample.address, "CustomID": sample.key, "Payload": "", **details[sample.kind],
    }  # fmt: skip


def _mailjet(samples: Sequence[Sample], now: datetime) -> list[Posted]:
    """All events in one request, as its grouped events are."""
    body = json.dumps([mailjet_record(one) for one in samples]).encode()
    return [(BASIC, body)]


# --- all of them


@dataclass(frozen=True)
class Posting:
    """A provider that posts: the settings of its source, and the requests for some events."""

    provider: str
    settings: Mapping[str, str] = field(repr=False)
    requests: Callable[[Sequence[Sample], datetime], list[Posted]]
    batches: bool = False

    def environment(self, name: str = "here") -> dict[str, str]:
        """The settings of a source called `name`, as variables without their prefix."""
        values = {"PROVIDER": self.provider, "SECRET": SECRET, **self.settings}
        return {f"EVENTS__{name.upper()}__{key}": value for key, value in values.items()}

    def keys(self) -> SourceKeys:
        return SourceKeys(**{key.lower(): value for key, value in self.settings.items()})

    def request(self, posted: Posted, now: datetime) -> EventRequest:
        """The request as a reader gets it; certificates are fetched from nowhere."""
        headers = {name.lower(): value for name, value in posted[0].items()}
        return EventRequest(headers, posted[1], self.keys(), now, lambda _: certificate())


_BASIC = {"USERNAME": USER, "PASSWORD": PASSWORD}
POSTING: Mapping[str, Posting] = {
    one.provider: one
    for one in (
        Posting("ses", {"TOPIC_ARN": TOPIC}, _ses),
        Posting("postmark", _BASIC, _postmark),
        Posting("mailgun", {"SIGNING_KEY": SIGNING_KEY}, _mailgun),
        Posting("sendgrid", {"PUBLIC_KEY": sendgrid_public_key()}, _sendgrid, batches=True),
        Posting("brevo", _BASIC, _brevo),
        Posting("mailjet", _BASIC, _mailjet, batches=True),
    )
}
HOUR = timedelta(hours=1)

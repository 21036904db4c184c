"""Messages of Amazon SNS over HTTP: whose they are, and whether Amazon signed them. Pure.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html has the order of what is
signed. Nothing is fetched for a message of another topic, region or account.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from upcycle_news.bounces.providers.provider import (
    EventRequest,
    json_object,
    json_of,
    require_recent,
    required_text,
    storable,
)
from upcycle_news.errors import WebhookRefused, WebhookUnreadable
from upcycle_news.models.sns_topic import SnsTopic

WINDOW = timedelta(days=1)
"""SNS gives a message up after an hour of retries by default; an older one is a replay."""

_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        *("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ),
}
_SIGNED["UnsubscribeConfirmation"] = _SIGNED["SubscriptionConfirmation"]
_HASHES: Mapping[str, type[hashes.SHA1] | type[hashes.SHA256]] = {
    "1": hashes.SHA1,
    "2": hashes.SHA256,
}


def verified_message(request: EventRequest) -> dict[str, Any]:
    """Return the message of a request once its topic, time and signature are right.

    Raises `WebhookRefused` otherwise, `WebhookUnreadable` for what is no message of SNS.
    """
    message = json_object(json_of(request.body))
    topic = SnsTopic.parse(request.keys.topic_arn)
    if message.get("TopicArn") != topic.arn:
        raise WebhookRefused("the message is of another topic")
    if required_text(message, "Type") not in _SIGNED:
        raise WebhookUnreadable("the type of the message is none of Amazon SNS")
    require_recent(_time(required_text(message, "Timestamp")), request, WINDOW)
    address = required_text(message, "SigningCertURL")
    if not is_certificate_address(address, topic):
        raise WebhookRefused("the certificate lies at another address than that of Amazon SNS")
    if request.fetch is None:
        raise WebhookRefused("the certificate of Amazon SNS cannot be fetched here")
    _verify(message, request.fetch(address), request.now)
    return message


def confirmation_address(message: Mapping[str, Any]) -> str:
    """Return where the subscription of a verified message is confirmed; empty for other messages.

    Raises `WebhookRefused` unless the address is that of SNS in the topic's region, and for this topic.
    """
    if message.get("Type") != "SubscriptionConfirmation":
        return ""
    topic = SnsTopic.parse(str(message["TopicArn"]))
    address = required_text(message, "SubscribeURL")
    parts = urlsplit(address)
    try:
        asked = parse_qs(parts.query, strict_parsing=True, max_num_fields=10)
    except ValueError:
        asked = {}
    wanted = {"Action": ["ConfirmSubscription"], "TopicArn": [topic.arn]}
    wanted["Token"] = [required_text(message, "Token")]
    if not address.startswith(f"{topic.host_address}?") or asked != wanted or parts.fragment:
        raise WebhookRefused("the subscription would be confirmed at another address")
    return address


def is_certificate_address(address: str, topic: SnsTopic) -> bool:
    """Return True if a certificate for this topic may lie there: no port, user, folder or query."""
    name = address.removeprefix(topic.host_address)
    return name != address and re.fullmatch(r"[A-Za-z0-9_-]{1,200}\.pem", name) is not None


def string_to_sign(message: Mapping[str, Any]) -> bytes:
    """Return what SNS signs of a message: the names and values that it has, a line each."""
    lines = []
    for name in _SIGNED[str(message["Type"])]:
        if name == "Subject" and message.get(name) is None:
            continue
        lines += [name, required_text_of_any_length(message, name)]
    return "".join(f"{line}\n" for line in lines).encode()


def required_text_of_any_length(message: Mapping[str, Any], name: str) -> str:
    """Return a text of the message, whole; raises `WebhookUnreadable` without it."""
    text = message.get(name)
    if not isinstance(text, str) or storable(text) != text:
        raise WebhookUnreadable(f"Amazon's {name} is missing, or no text")
    return text


def _verify(message: Mapping[str, Any], pem: bytes, now: datetime) -> None:
    algorithm = _HASHES.get(str(message.get("SignatureVersion")))
    if algorithm is None:
        raise WebhookRefused("the signature is of a version that is not known here")
    try:
        signature = base64.b64decode(
            required_text_of_any_length(message, "Signature"), validate=True
        )
        certificate = x509.load_pem_x509_certificate(pem)
        key = certificate.public_key()
    except ValueError:
        raise WebhookRefused("the signature or its certificate cannot be read") from None
    in_time = certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
    if not isinstance(key, rsa.RSAPublicKey) or not in_time:
        raise WebhookRefused("the certificate is not valid")
    try:
        key.verify(signature, string_to_sign(message), padding.PKCS1v15(), algorithm())
    except InvalidSignature:
        raise WebhookRefused("the signature is not that of Amazon SNS") from None


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise WebhookUnreadable("the time of the message cannot be read") from None
    if at.tzinfo is None:
        raise WebhookUnreadable("the time of the message has no zone")
    return at

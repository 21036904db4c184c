"""Who may post: signatures over time and body, tokens, and HTTP basic authentication."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.bounces.delivery_keys import DeliveryKeys
from upcycle_news.bounces.providers import PROVIDERS
from upcycle_news.bounces.providers.provider import EventRequest, SourceKeys
from upcycle_news.errors import UpcycleError, WebhookRefused

from .posting import PASSWORD, POSTING, USER, Posted, Sample, mailgun_record, mailgun_signature

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
SAMPLE = Sample("hard", "3k-1-abcdefghijklm")


def posted(provider: str, at: datetime = NOW) -> Posted:
    return POSTING[provider].requests([SAMPLE], at)[0]


def refuses(provider: str, request: Posted, now: datetime = NOW) -> bool:
    posting = POSTING[provider]
    try:
        list(PROVIDERS[provider].read_events(posting.request(request, now)).events)
    except WebhookRefused as error:
        assert USER not in str(error) and PASSWORD not in str(error)
        return True
    return False


@pytest.mark.parametrize("provider", POSTING)
def test_what_a_provider_posts_is_its_own(provider: str) -> None:
    assert not refuses(provider, posted(provider))


@pytest.mark.parametrize("provider", ["postmark", "brevo", "mailjet"])
@pytest.mark.parametrize(
    "given_",
    [
        "", "Basic", "Basic !!!", f"Bearer {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}",
        f"Basic {base64.b64encode(f'{USER}:wrong'.encode()).decode()}", f"Basic {USER}:{PASSWORD}",
    ],
)  # fmt: skip
def test_basic_authentication_wants_user_and_password(provider: str, given_: str) -> None:
    _, body = posted(provider)
    assert refuses(provider, ({"Authorization": given_}, body))
    assert refuses(provider, ({}, body))


@pytest.mark.parametrize("provider", ["postmark", "brevo", "mailjet"])
def test_without_a_password_in_the_settings_the_secret_in_the_path_is_all(provider: str) -> None:
    _, body = posted(provider)
    request = EventRequest({}, body, SourceKeys(), NOW)
    assert len(list(PROVIDERS[provider].read_events(request).events)) == 1


# --- Mailgun


def mailgun(signature: dict[str, str]) -> Posted:
    return {}, json.dumps({"signature": signature, "event-data": mailgun_record(SAMPLE)}).encode()


def test_mailgun_signs_time_and_token() -> None:
    right = mailgun_signature(NOW, "token")
    assert not refuses("mailgun", mailgun(right))
    for wrong in (
        {**right, "token": "other"},
        {**right, "timestamp": str(int(right["timestamp"]) + 1)},
        {**right, "signature": right["signature"][:-1]},
        {**right, "signature": "ü"},
    ):
        assert refuses("mailgun", mailgun(wrong))
    batch = PROVIDERS["mailgun"].read_events(POSTING["mailgun"].request(mailgun(right), NOW))
    assert batch.once == "token"


def test_an_old_signature_of_mailgun_is_refused_and_one_of_the_future_too() -> None:
    request = mailgun(mailgun_signature(NOW, "token"))
    assert not refuses("mailgun", request, NOW + timedelta(hours=8))
    assert refuses("mailgun", request, NOW + timedelta(days=1, seconds=1))
    assert not refuses("mailgun", request, NOW - timedelta(minutes=9))
    assert refuses("mailgun", request, NOW - timedelta(minutes=11))


def test_without_its_key_nothing_is_mailguns() -> None:
    import hashlib
    import hmac

    timestamp = str(int(NOW.timestamp()))
    mac = hmac.new(b"", f"{timestamp}token".encode(), hashlib.sha256).hexdigest()
    headers, body = mailgun({"timestamp": timestamp, "token": "token", "signature": mac})
    with pytest.raises(WebhookRefused):
        PROVIDERS["mailgun"].read_events(EventRequest(headers, body, SourceKeys(), NOW))


# --- SendGrid


def test_sendgrid_signs_the_body_as_it_came() -> None:
    headers, body = posted("sendgrid")
    signature, timestamp = (
        f"X-Twilio-Email-Event-Webhook-{name}" for name in ("Signature", "Timestamp")
    )
    assert refuses("sendgrid", (headers, body.replace(b" ", b"")))
    assert refuses("sendgrid", (headers, body + b" "))
    assert refuses("sendgrid", ({**headers, timestamp: str(int(headers[timestamp]) + 1)}, body))
    for wrong in ("", "AAAA", "!!!", headers[signature][:-8]):
        assert refuses("sendgrid", ({**headers, signature: wrong}, body))
    assert refuses("sendgrid", ({}, body))


def test_an_old_signature_of_sendgrid_is_refused() -> None:
    request = posted("sendgrid")
    assert not refuses("sendgrid", request, NOW + timedelta(days=1))
    assert refuses("sendgrid", request, NOW + timedelta(days=2, seconds=1))
    assert refuses("sendgrid", request, NOW - timedelta(minutes=11))


def test_a_signature_by_another_key_is_refused() -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    foreign = ec.generate_private_key(ec.SECP256R1()).public_key()
    der = foreign.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    headers, body = posted("sendgrid")
    for key in (base64.b64encode(der).decode(), "", "AAAA"):
        request = EventRequest(
            {name.lower(): value for name, value in headers.items()}, body, SourceKeys(public_key=key), NOW
        )  # fmt: skip
        with pytest.raises(WebhookRefused):
            PROVIDERS["sendgrid"].read_events(request)


# --- our own key


@given(st.integers(0, 10**6), st.integers(0, 10**12))
def test_a_delivery_key_names_its_delivery_in_any_case(issue: int, subscriber: int) -> None:
    keys = DeliveryKeys(b"k" * 32)
    key = keys.key_for(issue, subscriber)
    assert keys.read(key) == keys.read(key.upper()) == (issue, subscriber)
    assert len(key) <= 64 and key.isascii()
    with pytest.raises(UpcycleError, match="no delivery key of ours"):
        DeliveryKeys(b"x" * 32).read(key)


@given(st.text(max_size=80))
def test_a_guessed_delivery_key_is_none(text: str) -> None:
    with pytest.raises(UpcycleError):
        DeliveryKeys(b"k" * 32).read(text)

"""Secrets of webhooks are read as Standard Webhooks writes them, and sign as its receivers verify."""

from __future__ import annotations

import base64
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.models.webhook_secret import WebhookSecret

from ..services.webhooks.receiver import Delivered, new_secret


@pytest.mark.parametrize("size", [24, 32, 64])
def test_secrets_of_24_to_64_bytes_are_read(size: int) -> None:
    assert len(WebhookSecret.parse(new_secret(size)).keys[0]) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "secret",
        "whsec_",
        "whsec_kurz",
        "whsec_ä" + "A" * 40,
        new_secret(23),
        new_secret(65),
        new_secret().removeprefix("whsec_"),
        f"{new_secret()} secret",
        new_secret()[:-1] + "?",
    ],
    # A test is found by its name in each process of the suite, and these are new in each.
    ids=[
        "empty",
        "blank",
        "word",
        "prefix",
        "no base64",
        "umlaut",
        "short",
        "long",
        "bare",
        "two",
        "odd",
    ],
)
def test_anything_else_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        WebhookSecret.parse(text)
    assert len(text) < 7 or text not in str(refused.value)


def test_a_secret_shows_no_key() -> None:
    key = secrets.token_bytes(32)
    secret = WebhookSecret.parse("whsec_" + base64.b64encode(key).decode())
    assert repr(key) not in repr(secret)
    assert "keys" not in repr(secret)


@given(st.binary(max_size=200), st.integers(0, 2**40))
def test_each_signature_is_one_that_a_receiver_accepts_and_of_this_body_only(
    body: bytes, timestamp: int
) -> None:
    texts = [new_secret(), new_secret(64)]
    headers = WebhookSecret.parse(" ".join(texts)).headers("evt_1", timestamp, body)
    for text in texts:
        assert Delivered("/", headers, body, 200).is_signed_with(text)
        assert not Delivered("/", headers, body + b"x", 200).is_signed_with(text)
        later = {**headers, "webhook-timestamp": str(timestamp + 1)}
        assert not Delivered("/", later, body, 200).is_signed_with(text)
        other = {**headers, "webhook-id": "evt_2"}
        assert not Delivered("/", other, body, 200).is_signed_with(text)

"""The receiver of docs/examples accepts what we sign, and nothing else."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path

from upcycle_news.models.webhook_secret import WebhookSecret

from ..services.webhooks.receiver import new_secret

NOW = 1_795_000_000


def test_the_example_accepts_our_messages_for_five_minutes_and_no_others() -> None:
    example = run_path(str(Path(__file__).parents[2] / "docs/examples/verify_webhook.py"))
    is_genuine = example["is_genuine"]
    secret, body = new_secret(), '{"type":"subscriber.left","data":{"name":"Ü"}}'.encode()
    headers = WebhookSecret.parse(f"{new_secret()} {secret}").headers("evt_1", NOW, body)
    assert is_genuine(secret, headers, body, NOW + 299)
    assert not is_genuine(secret, headers, body, NOW + 301)
    assert not is_genuine(secret, headers, body + b" ", NOW)
    assert not is_genuine(new_secret(), headers, body, NOW)
    assert not is_genuine(secret, {**headers, "webhook-id": "evt_2"}, body, NOW)
    assert not is_genuine(secret, {}, body, NOW)

"""What a webhook is told of an event. Pure."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from upcycle_news.models import Event

TEST = "webhook.test"
"""The type of the message that `webhooks test` posts."""


def message_id(event: Event) -> str:
    """Return the id of an event's message: the same at every attempt, so that a receiver takes it once."""
    return f"evt_{event.position}"


def message_body(event: Event, address: str = "") -> bytes:
    """Return the JSON of an event; with the subscriber's address only if one is given."""
    data: dict[str, Any] = {}
    if event.subscriber is not None:
        data["subscriber"] = event.subscriber
    if address:
        data["email"] = address
    if event.issue is not None:
        data["issue"] = event.issue
    return _json(event.kind.value, event.at, data | dict(event.detail))


def test_body(at: datetime) -> bytes:
    """Return the JSON of a message that says nothing."""
    return _json(TEST, at, {})


def _json(kind: str, at: datetime, data: dict[str, Any]) -> bytes:
    content = {"type": kind, "timestamp": at.isoformat(timespec="seconds"), "data": data}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()

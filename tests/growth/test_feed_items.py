"""What recognising the items of a body costs for each item that its feed ever brought."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from upcycle_news.feeds import item_identity
from upcycle_news.feeds.item_identity import GuidStability, resolve_items
from upcycle_news.models import FeedItem

from .grown import texts_of_items

KEYS = ("guid_key", "_text_key", "link_key", "path_key")
BODY = 10


def items(count: int) -> list[FeedItem]:
    now = datetime(2026, 11, 26, tzinfo=UTC)
    return [
        FeedItem(
            key=f"urn:{number}", feed="Blatt", link=f"https://blatt.example/{number}",
            canonical=f"https://blatt.example/{number}", title=title, summary=summary,
            date=now - timedelta(days=number), date_source="feed", guid=f"urn:{number}",
        )
        for number, (title, summary) in enumerate(islice(texts_of_items(), count))
    ]  # fmt: skip


def keys_made(monkeypatch: pytest.MonkeyPatch, known: int) -> dict[str, int]:
    """Return how many keys of each kind a body of old and new items takes."""
    made = dict.fromkeys(KEYS, 0)
    with monkeypatch.context() as patch:
        for name in KEYS:

            def counted(value, name=name, make=getattr(item_identity, name)):  # type: ignore[no-untyped-def]
                made[name] += 1
                return make(value)

            patch.setattr(item_identity, name, counted)
        everything = items(known + BODY)
        resolve_items(everything[: 2 * BODY], everything[BODY:], GuidStability())
    return made


def test_each_key_of_a_stored_item_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    few, many = (keys_made(monkeypatch, known) for known in (100, 400))
    assert {name: many[name] - few[name] for name in KEYS} == dict.fromkeys(KEYS, 300)

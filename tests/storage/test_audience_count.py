"""The audience that is counted before sending is the one that is queued."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from upcycle_news.models import EmailAddress
from upcycle_news.storage import audience, subscribers, suppressions
from upcycle_news.storage.database import open_store
from upcycle_news.storage.subscribers import NewSubscriber, add_subscribers

NOW = datetime(2026, 11, 26, 6, 30, tzinfo=UTC)


@pytest.mark.parametrize(("topics", "expected"), [((), 3), (("Holz",), 2), (("lehm",), 1)])
def test_suppressed_subscribers_and_those_of_other_topics_are_not_counted(
    topics: tuple[str, ...], expected: int, tmp_path: Path
) -> None:
    store = open_store(f"sqlite:///{tmp_path}/count.db")
    topics_by_name = {
        "alles": (),
        "holz": ("holz",),
        "stadt": ("stadt",),
        "weg": ("holz",),
        "zu": (),
    }
    add_subscribers(
        store,
        [
            NewSubscriber(EmailAddress.parse(f"{name}@example.org"), topics=chosen)
            for name, chosen in topics_by_name.items()
        ],
        source="test",
        now=NOW,
        dry_run=False,
    )
    unsubscribed = subscribers.find(store, EmailAddress.parse("weg@example.org"))
    assert unsubscribed is not None
    subscribers.unsubscribe(store, unsubscribed, now=NOW)
    suppressions.suppress_all(store, ["zu@example.org"], reason="bounced", detail="", now=NOW)
    assert audience.count_audience(store, topics) == expected

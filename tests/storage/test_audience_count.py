"""The number an editor is told before sending is the number that is queued."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from upcycle_news.models import EmailAddress
from upcycle_news.storage import issues, subscribers, suppressions
from upcycle_news.storage.database import open_store
from upcycle_news.storage.subscribers import NewSubscriber, add_subscribers

NOW = datetime(2026, 11, 26, 6, 30, tzinfo=UTC)


@pytest.mark.parametrize(("topics", "expected"), [((), 3), (("Holz",), 2), (("lehm",), 1)])
def test_suppressed_people_and_readers_of_other_topics_are_not_promised_the_issue(
    topics: tuple[str, ...], expected: int, tmp_path: Path
) -> None:
    store = open_store(f"sqlite:///{tmp_path}/count.db")
    chosen = {"alles": (), "holz": ("holz",), "stadt": ("stadt",), "weg": ("holz",), "zu": ()}
    add_subscribers(
        store,
        [
            NewSubscriber(EmailAddress.parse(f"{name}@example.org"), topics=wanted)
            for name, wanted in chosen.items()
        ],
        source="test",
        now=NOW,
        dry_run=False,
    )
    gone = subscribers.find(store, EmailAddress.parse("weg@example.org"))
    assert gone is not None
    subscribers.unsubscribe(store, gone, now=NOW)
    suppressions.suppress_all(store, ["zu@example.org"], reason="bounced", detail="", now=NOW)
    assert issues.count_audience(store, topics) == expected

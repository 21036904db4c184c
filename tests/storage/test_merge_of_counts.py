"""What a restore takes over from the store that it replaces: answers that were counted, steps that were sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from upcycle_news.storage.backup.merge import merge_newer_data
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.question_answers import answer_counts, count_answer
from upcycle_news.storage.schema import welcome_deliveries

from .test_question_answers import ISSUE, add_issue

NOW = datetime(2026, 11, 27, 8, tzinfo=UTC)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    """The store that is replaced, and the backup in its place."""
    old, new = (open_store(f"sqlite:///{tmp_path}/{name}.db") for name in ("old", "new"))
    yield old, new
    old.close()
    new.close()


def merge(old: Store, new: Store) -> None:
    with old.reading() as source, new.writing() as target:
        merge_newer_data(source, target, since=NOW - timedelta(days=1), now=NOW)


def step(state: str) -> dict[str, Any]:
    return {
        "series": "welcome", "step": "1-hallo", "subscriber_id": 7, "revision_id": "a", "issue_id": "",
        "state": state, "attempts": 1, "worker_id": 3, "enhanced": "", "reason": "",
        "queued_at": NOW, "changed_at": NOW,
    }  # fmt: skip


def test_answers_since_the_backup_are_kept_and_none_is_lost(stores: tuple[Store, Store]) -> None:
    old, new = stores
    for store, answers in ((old, (1, 1, 1)), (new, (1, 2))):
        add_issue(store)
        for answer in answers:
            count_answer(store, ISSUE, "a", answer)
    merge(old, new)
    assert answer_counts(new, ISSUE, "a") == {1: 3, 2: 1}
    merge(old, new)
    assert answer_counts(new, ISSUE, "a") == {1: 3, 2: 1}


@pytest.mark.parametrize("before", [None, "queued"])
def test_a_step_that_was_sent_since_the_backup_stays_sent(
    stores: tuple[Store, Store], before: str | None
) -> None:
    old, new = stores
    with old.writing() as connection:
        connection.execute(welcome_deliveries.insert().values(**step("sent")))
    if before:
        with new.writing() as connection:
            connection.execute(welcome_deliveries.insert().values(**step(before)))
    merge(old, new)
    with new.reading() as connection:
        assert [row.state for row in connection.execute(welcome_deliveries.select())] == ["sent"]

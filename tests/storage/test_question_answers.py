"""Counting answers: several at once on both stores, and nothing about anybody."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from upcycle_news.models import IssueId
from upcycle_news.storage import question_answers
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.schema import issues
from upcycle_news.storage.schema import question_answers as rows

ISSUE = IssueId.parse("2026-11-26")


def add_issue(store: Store) -> None:
    with store.writing() as connection:
        connection.execute(
            issues.insert().values(
                id=str(ISSUE), day=ISSUE.day, number=1, state="sending", revision_id="a", audience=0,
                stop_reason="", created_at=datetime(2026, 11, 26, tzinfo=UTC),
                sent=0, rejected=0, unknown=0, suppressed=0, cancelled=0,
            )
        )  # fmt: skip


@pytest.fixture
def opened(any_store: str) -> Iterator[Store]:
    store = open_store(any_store)
    yield store
    store.close()


def test_answers_at_the_same_moment_are_all_counted(opened: Store) -> None:
    add_issue(opened)
    with ThreadPoolExecutor(8) as threads:
        jobs = [
            threads.submit(question_answers.count_answer, opened, ISSUE, "a", 1 + number % 2)
            for number in range(60)
        ]
        for job in jobs:
            job.result()
    assert question_answers.answer_counts(opened, ISSUE, "a") == {1: 30, 2: 30}
    assert question_answers.answer_counts(opened, ISSUE, "b") == {}


def test_only_the_count_is_kept() -> None:
    assert [column.name for column in rows.columns] == [
        "issue_id",
        "revision_id",
        "answer",
        "count",
    ]

"""How often each answer to an issue's question was given. Nothing is kept of who gave it, nor when."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from upcycle_news.models import IssueId
from upcycle_news.storage.database import Store
from upcycle_news.storage.dialect_insert import dialect_insert
from upcycle_news.storage.schema import question_answers


def count_answer(store: Store, issue: IssueId, revision_id: str, answer: int) -> None:
    """Count an answer once more; in one statement, so that none of two at once is lost."""
    statement = (
        dialect_insert(store.dialect, question_answers)
        .values(issue_id=str(issue), revision_id=revision_id, answer=answer, count=1)
        .on_conflict_do_update(
            index_elements=list(question_answers.primary_key),
            set_={"count": question_answers.c.count + 1},
        )
    )
    with store.writing() as connection:
        connection.execute(statement)


def answer_counts(store: Store, issue: IssueId, revision_id: str) -> Mapping[int, int]:
    """Return how often each answer was given, by its number; answers that nobody gave are missing."""
    query = select(question_answers.c.answer, question_answers.c["count"]).where(
        question_answers.c.issue_id == str(issue), question_answers.c.revision_id == revision_id
    )
    with store.reading() as connection:
        return dict(connection.execute(query).tuples().all())

"""What questions to an SQLite store cost: statements, and instructions of SQLite's virtual machine.

Each row or index entry that is read takes at least one instruction, and nothing else than rows makes
their number grow: equal numbers mean equal numbers of rows read, whatever the machine does meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Engine, Pool, event, text

from upcycle_news.storage.database import Store


@dataclass
class QueryCost:
    """The statements that were executed, and the instructions that they took."""

    statements: list[str] = field(default_factory=list)
    instructions: int = 0


@contextmanager
def query_cost(store: Store | None = None) -> Iterator[QueryCost]:
    """Count what is asked of the store within the block, without one of any that this process opens."""
    cost = QueryCost()

    def count() -> int:
        cost.instructions += 1
        return 0

    def watch(connection: Any, _record: Any, _proxy: Any) -> None:
        connection.set_progress_handler(count, 1)

    def unwatch(connection: Any, _record: Any) -> None:
        if connection is not None:  # it was given up
            connection.set_progress_handler(None, 0)

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        cost.statements.append(statement)

    pool, engine = (Pool, Engine) if store is None else (store._engine, store._engine)
    listeners = (
        (pool, "checkout", watch),
        (pool, "checkin", unwatch),
        (engine, "before_cursor_execute", note),
    )
    for target, name, listener in listeners:
        event.listen(target, name, listener)
    try:
        yield cost
    finally:
        for target, name, listener in listeners:
            event.remove(target, name, listener)


def add_closed_issues(store: Store, count: int, deliveries: int, *, before: date) -> None:
    """Add weekly issues before this day, closed with so many deliveries each, all of them sent."""
    days = [before - timedelta(weeks=number) for number in range(count, 0, -1)]
    with store.writing() as connection:
        number = connection.scalar(text("SELECT coalesce(max(number), 0) FROM issues"))
        for day in days:
            number += 1
            values = {
                "id": str(day),
                "day": day,
                "number": number,
                "at": f"{day} 06:00:00.000000",
                "end": f"{day} 06:30:00.000000",
                "audience": deliveries,
            }
            connection.execute(
                text(
                    "INSERT INTO issues (id, day, number, state, revision_id, audience, stop_reason,"
                    " created_at, enqueued_at, closed_at, sent, rejected, unknown, suppressed,"
                    " cancelled) VALUES (:id, :day, :number, 'closed', 'old', :audience, '', :at, :at,"
                    " :end, :audience, 0, 0, 0, 0)"
                ),
                values,
            )
            connection.execute(
                text(
                    "WITH RECURSIVE reader(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM reader"
                    " WHERE n < :audience) INSERT INTO deliveries (issue_id, subscriber_id, state,"
                    " attempts, enhanced, reason, code, queued_at, changed_at)"
                    " SELECT :id, n, 'sent', 1, '2.0.0', 'OK', 250, :at, :end FROM reader"
                ),
                values,
            )
            connection.execute(
                text(
                    "INSERT INTO used_content (kind, value, issue_id)"
                    " VALUES ('essay', 'essay-' || :id, :id), ('item', 'urn:' || :id, :id)"
                ),
                values,
            )

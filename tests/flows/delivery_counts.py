"""Counts of an issue that several machines deliver: from the store on Postgres and from the relay."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import psycopg

from ..publications import SETTINGS, Publication
from ..services.delivery.sink_relay import Sink
from ..waiting import wait_until
from .worker_pool import Machine, WorkerPool

_LEASED = "FROM deliveries d LEFT JOIN workers w ON w.id = d.worker_id"
_NEWEST = "(SELECT id FROM issues ORDER BY number DESC LIMIT 1)"
SILENCE = 11  # minutes; after ten without a heartbeat a worker elsewhere counts as dead


class StoreQueries:
    """Queries on a Postgres store while workers write to it."""

    def __init__(self, store: str) -> None:
        self._connection = psycopg.connect(store, autocommit=True)

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self._connection.execute(query, values).fetchall()  # type: ignore[call-overload,no-any-return]

    def is_sending(self, machine: Machine) -> bool:
        """True if a live worker of this machine has sent a message."""
        return bool(
            self.rows(
                f"SELECT 1 {_LEASED} WHERE d.state = 'sent' AND w.ended_at IS NULL AND w.host LIKE %(on)s",
                on=machine.pattern,
            )
        )

    def pending(self, machine: Machine) -> tuple[int, int]:
        """Return how many pending deliveries a machine has leased, and how many others there are."""
        [(leased, total)] = self.rows(
            f"SELECT count(*) FILTER (WHERE w.host LIKE %(on)s), count(*) {_LEASED} "
            f"WHERE d.state IN ('queued', 'sending', 'deferred') AND d.issue_id = {_NEWEST}",
            on=machine.pattern,
        )
        return leased, total - leased

    def expire_heartbeats(self, machine: Machine) -> None:
        """Age the heartbeats of a dead machine, so that its workers count as dead."""
        self._connection.execute(
            "UPDATE workers SET heartbeat_at = heartbeat_at - make_interval(mins => %(minutes)s) "
            "WHERE ended_at IS NULL AND host LIKE %(on)s",
            {"minutes": SILENCE, "on": machine.pattern},
        )

    def quota_marks(self) -> list[float]:
        """Return the times of messages counted against the relay's quota, as many as are stored."""
        return [
            float(at)
            for [at] in self.rows(
                "SELECT extract(epoch FROM at) FROM quota_marks WHERE scope LIKE 'relay %%' ORDER BY at"
            )
        ]

    def sent_by_worker(self) -> list[tuple[int, float, float]]:
        """Return for each worker of the newest issue: number sent, first and last time."""
        return [
            (int(count), float(first), float(last))
            for count, first, last in self.rows(
                "SELECT count(*), extract(epoch FROM min(changed_at)), extract(epoch FROM max(changed_at)) "
                f"FROM deliveries WHERE state = 'sent' AND issue_id = {_NEWEST} GROUP BY worker_id"
            )
        ]

    def sent_between(self, first: float, last: float) -> int:
        """Return how many deliveries of the newest issue were sent between two times."""
        [(count,)] = self.rows(
            "SELECT count(*) FROM deliveries WHERE state = 'sent' AND changed_at BETWEEN "
            f"to_timestamp(%(first)s) AND to_timestamp(%(last)s) AND issue_id = {_NEWEST}",
            first=first,
            last=last,
        )
        return int(count)

    def newest_issue(self) -> str:
        """Return the id of the newest issue; empty without one."""
        return "".join(str(issue) for [issue] in self.rows(f"SELECT {_NEWEST}") if issue)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def max_in_span(span: float, times: Iterable[float]) -> int:
    """Return the maximum number of times within any span of this length."""
    known, most, first = sorted(times), 0, 0
    for last, at in enumerate(known):
        while at - known[first] >= span:
            first += 1
        most = max(most, last - first + 1)
    return most


def configure_relay(publication: Publication, port: int, *quotas: str) -> None:
    """Configure a relay on loopback with these quotas."""
    quota_list = ", ".join(f'"{quota}"' for quota in quotas)
    table = f'[relays.main]\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\n'
    text = f"{SETTINGS}\n{table}quotas = [{quota_list}]\n"
    (publication.home / "newsletter.toml").write_text(text, encoding="utf-8")


def wait_for_helper(pool: WorkerPool, queries: StoreQueries, run: str, before: str) -> str:
    """Return the second run that delivers the issue of `run`, once both have sent a message.

    `before` is the issue that was the newest when `run` was started.
    """
    helpers: list[str] = []

    def is_sending(run: str) -> bool:
        machine = pool.machine_of(run)
        return machine is not None and queries.is_sending(machine)

    def is_ready() -> bool:
        newest = queries.newest_issue()
        helpers[:] = pool.helpers(newest) if newest != before else []
        return bool(helpers) and is_sending(helpers[0]) and is_sending(run)

    wait_until(is_ready, "no second run delivers", seconds=300)
    return helpers[0]


@dataclass
class DeliveryCounts:
    """An issue's status in the store, compared with what the relay accepted."""

    lost: int
    doubled: int
    unknown: int
    unknown_seen: int
    status: dict[str, Any]

    def __str__(self) -> str:
        counts = {k: self.status[k] for k in ("audience", "sent", "queued", "closed")}
        return (
            f"{self.lost} lost, {self.doubled} doubled, {self.unknown} unknown "
            f"({self.unknown_seen} of them seen by the relay); {counts}"
        )


def count_deliveries(publication: Publication, sink: Sink, readers: set[str]) -> DeliveryCounts:
    """Compare the newest issue with the sink, which must have been cleared before it."""
    unknown = {
        row["email"]
        for row in publication.run("issue", "status", "--list", "unknown", "--json").lines
    }
    return DeliveryCounts(
        lost=len(readers - set(sink.accepted) - unknown),
        doubled=sum(len(ids) > 1 for ids in sink.accepted.values()),
        unknown=len(unknown),
        unknown_seen=len(unknown & set(sink.accepted)),
        status=publication.run("issue", "status", "--json").json,
    )

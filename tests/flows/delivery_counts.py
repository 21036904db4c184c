"""An issue that several machines deliver, as the store on Postgres tells it and as the relay saw it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

import psycopg

from ..publications import SETTINGS, Publication
from ..services.delivery.sink_relay import Sink
from .worker_pool import Machine, Pool

_HELD = "FROM deliveries d LEFT JOIN senders s ON s.id = d.sender_id"
_NEWEST = "(SELECT id FROM issues ORDER BY number DESC LIMIT 1)"
SILENCE = 11  # minutes; after ten without a heartbeat a sender elsewhere counts as dead


class Books:
    """What a store on Postgres says while others write in it, and how old its heartbeats are."""

    def __init__(self, store: str) -> None:
        self._connection = psycopg.connect(store, autocommit=True)

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """The answer to a query."""
        return self._connection.execute(query, values).fetchall()  # type: ignore[call-overload,no-any-return]

    def at_work(self, machine: Machine) -> bool:
        """Whether a sender of this machine has had a reply."""
        return bool(
            self.rows(
                f"SELECT 1 {_HELD} WHERE d.state = 'sent' AND s.ended_at IS NULL AND s.host LIKE %(on)s",
                on=machine.pattern,
            )
        )

    def left(self, machine: Machine) -> tuple[int, int]:
        """How many deliveries of the newest issue a machine holds, and how many wait elsewhere."""
        [(here, all_)] = self.rows(
            f"SELECT count(*) FILTER (WHERE s.host LIKE %(on)s), count(*) {_HELD} "
            f"WHERE d.state IN ('queued', 'sending', 'deferred') AND d.issue_id = {_NEWEST}",
            on=machine.pattern,
        )
        return here, all_ - here

    def until(self, what: Callable[[], bool], seconds: float = 300) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, "this took too long"
            time.sleep(0.1)

    def let_time_pass(self, machine: Machine) -> None:
        """As if a dead machine had been silent for long enough to count as dead."""
        self._connection.execute(
            "UPDATE senders SET beat_at = beat_at - make_interval(mins => %(minutes)s) "
            "WHERE ended_at IS NULL AND host LIKE %(on)s",
            {"minutes": SILENCE, "on": machine.pattern},
        )

    def marks(self) -> list[float]:
        """When a message was counted against the relay's quota; as many as its longest span holds."""
        return [
            float(at)
            for [at] in self.rows(
                "SELECT extract(epoch FROM at) FROM quota_marks WHERE scope LIKE 'relay %%' ORDER BY at"
            )
        ]

    def replies(self) -> list[tuple[int, float, float]]:
        """For each sender of the newest issue: how many were sent, the first and the last second."""
        return [
            (int(count), float(first), float(last))
            for count, first, last in self.rows(
                "SELECT count(*), extract(epoch FROM min(changed_at)), extract(epoch FROM max(changed_at)) "
                f"FROM deliveries WHERE state = 'sent' AND issue_id = {_NEWEST} GROUP BY sender_id"
            )
        ]

    def sent_between(self, first: float, last: float) -> int:
        """How many of the newest issue were sent in this span of seconds."""
        [(count,)] = self.rows(
            "SELECT count(*) FROM deliveries WHERE state = 'sent' AND changed_at BETWEEN "
            f"to_timestamp(%(first)s) AND to_timestamp(%(last)s) AND issue_id = {_NEWEST}",
            first=first,
            last=last,
        )
        return int(count)

    def newest(self) -> str:
        """The newest issue; nothing when there is none."""
        return "".join(str(one) for [one] in self.rows(f"SELECT {_NEWEST}") if one)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def most_in(span: float, times: Iterable[float]) -> int:
    """The most of these seconds that lie in one span of this length, wherever it begins."""
    known, most, first = sorted(times), 0, 0
    for last, at in enumerate(known):
        while at - known[first] >= span:
            first += 1
        most = max(most, last - first + 1)
    return most


def relay(publication: Publication, port: int, *quotas: str) -> None:
    """Let the publication send over a relay on loopback."""
    told = ", ".join(f'"{one}"' for one in quotas)
    table = f'[relays.main]\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\n'
    text = f"{SETTINGS}\n{table}quotas = [{told}]\n"
    (publication.home / "newsletter.toml").write_text(text, encoding="utf-8")


def working_helper(pool: Pool, books: Books, run: str, before: str) -> str:
    """The second run that delivers what `run` publishes, once both have had a reply.

    `before` is the issue that was the newest when `run` was started.
    """
    found: list[str] = []

    def at_work(one: str) -> bool:
        machine = pool.machine_of(one)
        return machine is not None and books.at_work(machine)

    def is_there() -> bool:
        newest = books.newest()
        found[:] = pool.helpers(newest) if newest != before else []
        return bool(found) and at_work(found[0]) and at_work(run)

    books.until(is_there)
    return found[0]


@dataclass
class Counted:
    """An issue as the store tells it, beside what the relay saw."""

    lost: int
    doubled: int
    unknown: int
    unknown_seen: int
    status: dict[str, Any]

    def __str__(self) -> str:
        told = {k: self.status[k] for k in ("audience", "sent", "queued", "closed")}
        return (
            f"{self.lost} lost, {self.doubled} doubled, {self.unknown} unknown "
            f"({self.unknown_seen} of them seen by the relay); {told}"
        )


def counted(publication: Publication, sink: Sink, readers: set[str]) -> Counted:
    """Count the newest issue against the sink, which must have been cleared before it."""
    unknown = {
        one["email"]
        for one in publication.run("issue", "status", "--list", "unknown", "--json").lines
    }
    return Counted(
        lost=len(readers - set(sink.accepted) - unknown),
        doubled=sum(len(ids) > 1 for ids in sink.accepted.values()),
        unknown=len(unknown),
        unknown_seen=len(unknown & set(sink.accepted)),
        status=publication.run("issue", "status", "--json").json,
    )

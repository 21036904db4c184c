"""Quotas, counted in the store: exact across processes and restarts.

Each scope (a relay, the sender, a domain) keeps the times of its last messages. One more may go
when the `limit`-th last is older than the span, so that no span of that length, wherever it
begins, holds more than `limit`. A message is counted in the transaction that marks it as sending:
one that a crash keeps from leaving counts all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from upcycle_news.models import EmailAddress, Rate
from upcycle_news.storage.schema import quota_marks, quota_scopes


@dataclass(frozen=True)
class Scope:
    """What a message to somebody counts against. `aside`: when full, others may still go."""

    name: str
    rates: tuple[Rate, ...]
    aside: bool = False


@dataclass(frozen=True)
class Full:
    """A scope that takes nothing before `until`, and the rate that says so."""

    scope: Scope
    rate: Rate
    until: datetime


@dataclass(frozen=True)
class Quotas:
    """The quotas of a run. `domains` has a rate for a recipient's domain, ``*`` for any other."""

    relay: tuple[Rate, ...] = ()
    relay_name: str = ""
    sender: tuple[Rate, ...] = ()
    sender_address: str = ""
    domains: tuple[tuple[str, tuple[Rate, ...]], ...] = ()

    def scopes(self, address: EmailAddress) -> list[Scope]:
        """What a message to `address` counts against, in an order that is always the same."""
        by_domain = dict(self.domains)
        rates = by_domain.get(address.domain, by_domain.get("*", ()))
        found = [
            Scope(f"domain {address.domain}", rates, aside=True),
            Scope(f"relay {self.relay_name}", self.relay),
            Scope(f"sender {self.sender_address}", self.sender),
        ]
        return [scope for scope in found if scope.rates]

    def __bool__(self) -> bool:
        return bool(self.relay or self.sender or self.domains)


def reserve(connection: Connection, scopes: Sequence[Scope], now: datetime) -> Full | None:
    """Count one message in every scope, or say which one is full for longest; then count none."""
    counts = {scope.name: _locked_count(connection, scope.name) for scope in scopes}
    full = [
        found
        for scope in scopes
        for rate in scope.rates
        if (found := _full(connection, scope, rate, counts[scope.name], now)) is not None
    ]
    if full:
        return max(full, key=lambda found: found.until)
    for scope in scopes:
        number = counts[scope.name] + 1
        connection.execute(insert(quota_marks).values(scope=scope.name, number=number, at=now))
        mine = quota_marks.c.scope == scope.name
        kept = max(rate.limit for rate in scope.rates)
        connection.execute(delete(quota_marks).where(mine, quota_marks.c.number <= number - kept))
        connection.execute(
            update(quota_scopes).where(quota_scopes.c.scope == scope.name).values(count=number)
        )
    return None


def _locked_count(connection: Connection, scope: str) -> int:
    """How many messages the scope has seen; nobody else counts in it until we commit."""
    query = select(quota_scopes.c.count).where(quota_scopes.c.scope == scope).with_for_update()
    found = connection.scalar(query)
    if found is None:
        insert_here = (
            postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        )
        connection.execute(
            insert_here(quota_scopes).values(scope=scope, count=0).on_conflict_do_nothing()
        )
        found = connection.scalar(query)
    return int(found or 0)


def _full(
    connection: Connection, scope: Scope, rate: Rate, count: int, now: datetime
) -> Full | None:
    if count < rate.limit:
        return None
    mine = quota_marks.c.scope == scope.name
    # A limit that was raised asks for times no longer kept: the oldest kept stands for them.
    at: datetime | None = connection.scalar(
        select(quota_marks.c.at)
        .where(mine, quota_marks.c.number > count - rate.limit)
        .order_by(quota_marks.c.number)
        .limit(1)
    )
    if at is None:
        return None
    if at > now:
        # The clock was set back: a mark of the future must not close the quota until then.
        connection.execute(update(quota_marks).where(mine, quota_marks.c.at > now).values(at=now))
        at = now
    until = rate.free_at(at)
    return Full(scope, rate, until) if until > now else None

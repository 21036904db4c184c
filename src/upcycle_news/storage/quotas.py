"""Quotas, counted in the store: exact across processes and restarts.

Each scope (a relay, the sender, a domain) keeps the times of its last messages; those that are claimed
together are counted as a block with one time. One more may go
when the `limit`-th last is older than the span, so that no span of that length, wherever it
begins, holds more than `limit`. A message is counted in the transaction that claims it: one that a
crash keeps from being sent counts all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Dialect, bindparam, delete, insert, select, update

from upcycle_news.models import EmailAddress, Rate
from upcycle_news.storage.compiled_statement import CompiledStatement
from upcycle_news.storage.dialect_insert import dialect_insert
from upcycle_news.storage.schema import UtcDateTime, quota_marks, quota_scopes


@dataclass(frozen=True)
class Scope:
    """What a message counts against. With `is_domain` only messages to that domain wait when full."""

    name: str
    rates: tuple[Rate, ...]
    is_domain: bool = False


@dataclass(frozen=True)
class FullScope:
    """A scope that has no room before `until`, and the rate that is used up."""

    scope: Scope
    rate: Rate
    until: datetime


@dataclass(frozen=True)
class Quotas:
    """The quotas of a run. `domains` has the rates of recipients' domains, ``*`` for any other."""

    relay: tuple[Rate, ...] = ()
    relay_name: str = ""
    sender: tuple[Rate, ...] = ()
    sender_address: str = ""
    domains: tuple[tuple[str, tuple[Rate, ...]], ...] = ()

    def scopes(self, address: EmailAddress) -> list[Scope]:
        """Return what a message to `address` counts against, always in the same order."""
        by_domain = dict(self.domains)
        rates = by_domain.get(address.domain, by_domain.get("*", ()))
        scopes = [
            Scope(f"domain {address.domain}", rates, is_domain=True),
            Scope(f"relay {self.relay_name}", self.relay),
            Scope(f"sender {self.sender_address}", self.sender),
        ]
        return [scope for scope in scopes if scope.rates]

    def __bool__(self) -> bool:
        return bool(self.relay or self.sender or self.domains)


_ADD = (
    update(quota_scopes)
    .where(quota_scopes.c.scope == bindparam("named"))
    .values(count=quota_scopes.c.count + bindparam("added"))
)
_COUNT = select(quota_scopes.c.count).where(quota_scopes.c.scope == bindparam("named"))
# The mark of the message that has to lie further back than the rate's span, if it does not.
_OLDEST = (
    select(quota_marks.c.at)
    .where(quota_marks.c.scope == bindparam("named"), quota_marks.c.number > bindparam("behind"))
    .order_by(quota_marks.c.number)
    .limit(1)
    .subquery()
)
_TOO_LATE = select(_OLDEST.c.at).where(_OLDEST.c.at > bindparam("free_since", type_=UtcDateTime))
_MARK = insert(quota_marks).values(
    scope=bindparam("named"), number=bindparam("last"), at=bindparam("now")
)
_FORGET = delete(quota_marks).where(
    quota_marks.c.scope == bindparam("named"), quota_marks.c.number <= bindparam("behind")
)


class QuotaBlocks:
    """Counts all messages that are claimed together at once, with the driver's own cursor."""

    def __init__(self, quotas: Quotas, dialect: Dialect) -> None:
        """Count against `quotas` in a store of this dialect."""
        self._quotas = quotas
        self._add, self._count, self._too_late, self._mark, self._forget = (
            CompiledStatement(statement, dialect)
            for statement in (_ADD, _COUNT, _TOO_LATE, _MARK, _FORGET)
        )

    def reserve(self, cursor: Any, addresses: Iterable[EmailAddress], now: datetime) -> bool:
        """Count a message to each address in every scope; False when one has no room for all.

        After False the transaction has to be rolled back. Also False for a scope that has counted
        nothing yet, which `reserve` begins.
        """
        scopes = Counter(scope for address in addresses for scope in self._quotas.scopes(address))
        # In one order for all workers, so that they wait for one another and never in a circle.
        return all(
            self._reserve(cursor, scope, scopes[scope], now)
            for scope in sorted(scopes, key=lambda scope: (not scope.is_domain, scope.name))
        )

    def _reserve(self, cursor: Any, scope: Scope, added: int, now: datetime) -> bool:
        named = {"named": scope.name}

        def execute(statement: CompiledStatement, **values: Any) -> None:
            cursor.execute(statement.sql, statement.parameters({**named, **values}))

        execute(self._add, added=added)
        execute(self._count)
        row = cursor.fetchone()
        if row is None:
            return False
        last: int = row[0]
        for rate in scope.rates:
            if added > rate.limit:
                return False
            if last > rate.limit:
                # The last of the block decides: those before it ask for earlier times.
                since = now - timedelta(seconds=rate.seconds)
                execute(self._too_late, behind=last - 1 - rate.limit, free_since=since)
                if cursor.fetchone() is not None:
                    return False
        execute(self._mark, last=last, now=now)
        execute(self._forget, behind=last - max(rate.limit for rate in scope.rates))
        return True


def reserve(connection: Connection, scopes: Sequence[Scope], now: datetime) -> FullScope | None:
    """Count one message in every scope; or count none, and return the scope that is full longest."""
    counts = {scope.name: _locked_count(connection, scope.name) for scope in scopes}
    full = _fullest(connection, scopes, counts, now)
    if full is not None:
        return full
    for scope in scopes:
        number = counts[scope.name] + 1
        connection.execute(insert(quota_marks).values(scope=scope.name, number=number, at=now))
        of_scope = quota_marks.c.scope == scope.name
        limit = max(rate.limit for rate in scope.rates)
        connection.execute(
            delete(quota_marks).where(of_scope, quota_marks.c.number <= number - limit)
        )
        connection.execute(
            update(quota_scopes).where(quota_scopes.c.scope == scope.name).values(count=number)
        )
    return None


def full_scope(connection: Connection, scopes: Sequence[Scope], now: datetime) -> FullScope | None:
    """Return the scope that is full longest, None if all have room; counts nothing."""
    counts = {scope.name: _locked_count(connection, scope.name) for scope in scopes}
    return _fullest(connection, scopes, counts, now)


def _fullest(
    connection: Connection, scopes: Sequence[Scope], counts: Mapping[str, int], now: datetime
) -> FullScope | None:
    full = [
        found
        for scope in scopes
        for rate in scope.rates
        if (found := _full(connection, scope, rate, counts[scope.name], now)) is not None
    ]
    return max(full, key=lambda scope: scope.until, default=None)


def delete_scopes(connection: Connection, prefix: str, *, before: datetime) -> None:
    """Delete the scopes whose name begins with `prefix` and that counted nothing since `before`.

    For scopes that anybody can add to. `before` has to lie further back than their longest rate.
    """
    named = quota_scopes.c.scope.startswith(prefix, autoescape=True)
    recent = select(quota_marks.c.scope).where(
        quota_marks.c.scope == quota_scopes.c.scope, quota_marks.c.at >= before
    )
    connection.execute(delete(quota_scopes).where(named, ~recent.exists()))
    connection.execute(
        delete(quota_marks).where(
            quota_marks.c.scope.startswith(prefix, autoescape=True),
            ~select(quota_scopes.c.scope)
            .where(quota_scopes.c.scope == quota_marks.c.scope)
            .exists(),
        )
    )


def _locked_count(connection: Connection, scope: str) -> int:
    """Return how many messages the scope has counted; locked until this transaction ends."""
    query = select(quota_scopes.c.count).where(quota_scopes.c.scope == scope).with_for_update()
    count = connection.scalar(query)
    if count is None:
        connection.execute(
            dialect_insert(connection.dialect.name, quota_scopes)
            .values(scope=scope, count=0)
            .on_conflict_do_nothing()
        )
        count = connection.scalar(query)
    return int(count or 0)


def _full(
    connection: Connection, scope: Scope, rate: Rate, count: int, now: datetime
) -> FullScope | None:
    if count < rate.limit:
        return None
    of_scope = quota_marks.c.scope == scope.name
    # A limit that was raised asks for times no longer kept: the oldest kept stands for them.
    at: datetime | None = connection.scalar(
        select(quota_marks.c.at)
        .where(of_scope, quota_marks.c.number > count - rate.limit)
        .order_by(quota_marks.c.number)
        .limit(1)
    )
    if at is None:
        return None
    if at > now:
        # The clock was set back: a time in the future must not close the quota until then.
        connection.execute(
            update(quota_marks).where(of_scope, quota_marks.c.at > now).values(at=now)
        )
        at = now
    until = rate.free_at(at)
    return FullScope(scope, rate, until) if until > now else None

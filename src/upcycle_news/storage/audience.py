"""Who gets an issue, and which of its variants: counted for a preview, decided when it is queued."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    and_,
    cast,
    delete,
    false,
    func,
    insert,
    literal,
    null,
    select,
    update,
)

from upcycle_news.models import Choice, DeliveryState, IssueId, SubscriberStatus
from upcycle_news.models.digest import DigestInterval, DigestPeriod
from upcycle_news.storage import issue_relays, packed_deliveries, rhythms
from upcycle_news.storage.database import Store, from_json
from upcycle_news.storage.schema import deliveries, subscribers, used_content
from upcycle_news.storage.suppressions import is_not_suppressed_sql

NO_MAIL = -1
"""Stands for the number of a variant where a subscriber gets no mail of the issue."""
_UNDECIDED = -2
"""Stands there, within the transaction that queues, for a choice that came while the others were counted."""

_Conditions = tuple[ColumnElement[bool], ...]
VariantOf = Callable[[Choice], int | None]
"""Returns the number of the variant for a choice; None: they do not get the issue."""


@dataclass(frozen=True)
class QueuedReaders:
    """How many deliveries of each variant were queued, by its number.

    `without` are those who would get the issue if it had something in their language, by language;
    `left_for_digest` get it in a digest.
    """

    variants: Mapping[int, int]
    without: Mapping[str, int] = field(default_factory=dict)
    left_for_digest: int = 0

    @property
    def audience(self) -> int:
        """How many deliveries were queued."""
        return sum(self.variants.values())


# Stored JSON as text: equal texts are equal choices, and what is written in another order is read as well.
_TOPICS = cast(subscribers.c.topics, Text)


# The variant of each choice, while an issue is queued: with a key, so that each subscriber's is one look-up.
_chosen = Table(
    "chosen_variants",
    MetaData(),
    Column("language", Text, primary_key=True),
    Column("topics", Text, primary_key=True),
    Column("variant", Integer, nullable=False),
    prefixes=["TEMPORARY"],
    sqlite_with_rowid=False,
)


def count_choices(
    store: Store,
    topics: Collection[str],
    *,
    issue: IssueId | None = None,
    interval: DigestInterval | None = None,
) -> dict[Choice, int]:
    """Return how many of those who would get an issue on `topics` (empty: for all) made each choice.

    A correction goes to those who got the issue that it corrects, a digest to those who chose it; they
    get none of the issues that it tells. `interval` is the digest's.
    """
    with store.reading() as connection:
        period = rhythms.issue_period(connection, issue, interval) if issue else None
        rows = _choices(connection, issue, period)
    counts: dict[Choice, int] = {}
    for (language, stored), readers in rows.items():
        choice = Choice(language, tuple(from_json(stored)))
        if not topics or wants(choice.topics, topics):
            counts[choice] = counts.get(choice, 0) + readers
    return counts


def count_audience(
    store: Store,
    topics: Collection[str],
    *,
    issue: IssueId | None = None,
    interval: DigestInterval | None = None,
) -> int:
    """Return how many deliveries an issue on `topics` (empty: for all) would have now."""
    if topics:
        return sum(count_choices(store, topics, issue=issue, interval=interval).values())
    with store.reading() as connection:
        period = rhythms.issue_period(connection, issue, interval) if issue else None
        with _may_receive(connection, issue, period) as conditions:
            # Not by choice: sorting the readers by it takes longer than finding them.
            query = select(func.count()).select_from(subscribers).where(*conditions)
            return connection.scalar(query) or 0


def count_left_for_digest(
    store: Store, topics: Collection[str], issue: IssueId, interval: DigestInterval | None
) -> tuple[int, DigestPeriod | None]:
    """Return how many would get an issue in a digest only, and the period of that digest, as it is now."""
    with store.reading() as connection:
        period = rhythms.issue_period(connection, issue, interval)
        if period is None or not issue.is_regular:
            return 0, None
        return _left_for_digest(connection, topics, period), period


def may_receive(
    store: Store, subscriber: int, issue: IssueId, interval: DigestInterval | None = None
) -> bool:
    """Return whether a subscriber would be asked about an issue now, whatever topics they chose.

    Not who is not confirmed, left or is suppressed; a correction is for those who got what it corrects,
    and an issue that a digest tells for those who did not choose the digest.
    """
    with store.reading() as connection:
        period = rhythms.issue_period(connection, issue, interval)
        with _may_receive(connection, issue, period) as conditions:
            query = select(subscribers.c.id).where(subscribers.c.id == subscriber, *conditions)
            return connection.execute(query).first() is not None


def wants(chosen: Collection[str], topics: Collection[str]) -> bool:
    """Return whether a subscriber who chose these topics (none: all) gets an issue on `topics`."""
    wanted = {topic.casefold() for topic in topics}
    return not chosen or bool(wanted & {topic.casefold() for topic in chosen})


def queue_deliveries(
    connection: Connection,
    issue: IssueId,
    topics: Collection[str],
    variant_of: VariantOf | None,
    *,
    now: datetime,
    period: DigestPeriod | None = None,
) -> QueuedReaders:
    """Queue a delivery for everybody who gets the issue; return how many each variant has, and who has none.

    `period` is that of the digest that tells the issue, or which it is.

    They are in the order of their variants, so that a worker has few of them at a time. Without
    `variant_of` all get the first. What another transaction changes in this very moment counts as it was
    before or as it is then.
    """
    choices = {} if variant_of is None else _choices(connection, issue, period)
    numbers = {} if variant_of is None else _numbers(choices, variant_of)
    if numbers:
        _chosen.create(connection)
        rows = [
            {"language": language, "topics": topics, "variant": number}
            for (language, topics), number in numbers.items()
        ]
        connection.execute(insert(_chosen), rows)
    with _may_receive(connection, issue, period) as conditions:
        query = _rows(issue, now, conditions, by_choice=bool(numbers))
        columns = [column.name for column in query.selected_columns]
        connection.execute(insert(deliveries).from_select(columns, query))
    if numbers and variant_of is not None:
        _chosen.drop(connection)
        _decide_late_choices(connection, issue, variant_of)
    if topics:
        _remove_other_topics(connection, issue, topics)
    # Counted, because with Postgres an INSERT … SELECT does not tell how many rows it made.
    of_issue = deliveries.c.issue_id == str(issue)
    left = _left_for_digest(connection, topics, period) if period and issue.is_regular else 0
    if not numbers:
        total = connection.scalar(select(func.count()).where(of_issue)) or 0
        return QueuedReaders({0: int(total)} if total else {}, left_for_digest=left)
    counted = select(deliveries.c.variant, func.count()).where(of_issue)
    rows_of = connection.execute(counted.group_by(deliveries.c.variant))
    return QueuedReaders(
        {int(number): int(count) for number, count in rows_of},
        _without(choices, numbers, topics),
        left,
    )


def _left_for_digest(connection: Connection, topics: Collection[str], period: DigestPeriod) -> int:
    """Return how many get an issue of the period in its digest."""
    of_digest = _choices(connection, IssueId(period.end, digest=1), period)
    return sum(
        readers
        for (_, stored), readers in of_digest.items()
        if not topics or wants(from_json(stored), topics)
    )


def _choices(
    connection: Connection, issue: IssueId | None, period: DigestPeriod | None
) -> dict[tuple[str, str], int]:
    """Return the readers of each choice, which is a language and the topics as they are stored."""
    query = select(subscribers.c.language, _TOPICS, func.count())
    with _may_receive(connection, issue, period) as conditions:
        rows = connection.execute(
            query.where(*conditions).group_by(subscribers.c.language, _TOPICS)
        ).all()
    return {(language, topics): int(count) for language, topics, count in rows}


def _numbers(
    choices: Mapping[tuple[str, str], int], variant_of: VariantOf
) -> dict[tuple[str, str], int]:
    """Return the variant of each choice."""
    numbers: dict[tuple[str, str], int] = {}
    for language, topics in choices:
        number = variant_of(Choice(language, tuple(from_json(topics))))
        numbers[language, topics] = NO_MAIL if number is None else number
    return numbers


def _decide_late_choices(connection: Connection, issue: IssueId, variant_of: VariantOf) -> None:
    """Decide for those whose choice nobody had when they were counted; in Postgres others commit meanwhile."""
    rows = connection.execute(
        select(deliveries.c.id, subscribers.c.language, subscribers.c.topics)
        .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(deliveries.c.issue_id == str(issue), deliveries.c.variant == _UNDECIDED)
    ).all()
    for row in rows:
        number = variant_of(Choice(row.language, tuple(row.topics)))
        of_row = deliveries.c.id == row.id
        if number is None:
            connection.execute(delete(deliveries).where(of_row))
        else:
            connection.execute(update(deliveries).where(of_row).values(variant=number))


def _without(
    choices: Mapping[tuple[str, str], int],
    numbers: Mapping[tuple[str, str], int],
    topics: Collection[str],
) -> dict[str, int]:
    """Return how many readers of each language get no mail, since the issue has nothing in it."""
    without: dict[str, int] = {}
    for (language, stored), readers in sorted(choices.items()):
        left_out = numbers.get((language, stored)) == NO_MAIL
        if left_out and (not topics or wants(from_json(stored), topics)):
            without[language] = without.get(language, 0) + readers
    return without


def _rows(
    issue: IssueId, now: datetime, conditions: _Conditions, *, by_choice: bool
) -> Select[Any]:
    """Return the rows of the deliveries to queue; `by_choice`: with the variants in `_chosen`."""
    variant: ColumnElement[int] = literal(0)
    source: Any = subscribers
    if by_choice:
        variant = func.coalesce(_chosen.c.variant, _UNDECIDED)
        is_theirs = and_(_chosen.c.language == subscribers.c.language, _chosen.c.topics == _TOPICS)
        source = subscribers.outerjoin(_chosen, is_theirs)
        conditions = (*conditions, variant != NO_MAIL)
    rows = select(
        literal(str(issue)).label("issue_id"),
        subscribers.c.id.label("subscriber_id"),
        literal(DeliveryState.QUEUED.value).label("state"),
        literal(0).label("attempts"),
        literal("").label("enhanced"),
        literal("").label("reason"),
        literal(now, deliveries.c.queued_at.type).label("queued_at"),
        literal(now, deliveries.c.changed_at.type).label("changed_at"),
        null().label("next_at"),
        variant.label("variant"),
    )
    order = (variant, subscribers.c.id) if by_choice else (subscribers.c.id,)
    return rows.select_from(source).where(*conditions).order_by(*order)


@contextmanager
def _may_receive(
    connection: Connection, issue: IssueId | None = None, period: DigestPeriod | None = None
) -> Iterator[_Conditions]:
    """The conditions for getting an issue; a correction goes only to whom its issue was accepted for.

    `period` is that of the digest that tells the issue, or which it is; a digest of none is for nobody.
    """
    conditions = (
        subscribers.c.status == SubscriberStatus.CONFIRMED,
        is_not_suppressed_sql(connection.dialect.name),
    )
    if issue is None:
        yield conditions
    elif issue.correction:
        told_in = mailings_that_told(connection, issue.original)
        with packed_deliveries.subscribers_in(connection, told_in, DeliveryState.SENT) as got:
            yield (*conditions, subscribers.c.id.in_(got))
    elif period is None:
        yield (*conditions, false()) if issue.digest else conditions
    else:
        readers = rhythms.digest_readers(period)
        number = subscribers.c.id
        yield (*conditions, number.in_(readers) if issue.digest else number.not_in(readers))


def mailings_that_told(connection: Connection, issue: IssueId) -> tuple[str, ...]:
    """Return an issue and the digests that told it.

    Not a digest that lies in the mailbox while the issue went over a relay: no reader has that.
    """
    told_by = select(used_content.c.issue_id).where(
        used_content.c.kind == "issue", used_content.c.value == str(issue)
    )
    digests = connection.scalars(told_by).all()
    if digests and not issue_relays.lies_in_mailbox(connection, str(issue)):
        digests = [one for one in digests if not issue_relays.lies_in_mailbox(connection, one)]
    return (str(issue), *digests)


def _remove_other_topics(connection: Connection, issue: IssueId, topics: Collection[str]) -> None:
    """Remove subscribers who chose only other topics; the queue is not committed yet."""
    rows = connection.execute(
        select(deliveries.c.id, subscribers.c.topics)
        .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(deliveries.c.issue_id == str(issue))
    )
    others = [row.id for row in rows if not wants(row.topics, topics)]
    for start in range(0, len(others), 500):
        connection.execute(
            delete(deliveries).where(deliveries.c.id.in_(others[start : start + 500]))
        )

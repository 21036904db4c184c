"""The rhythms that readers chose, and the periods of the digest that decide which issues these hold for.

A reader without a row gets every issue. A row says from which day on another rhythm holds, and what holds
within a period is what held on its first day: so everybody gets an issue itself or in a digest, and nobody
both. The present period is stored with the first issue or choice in it, and its end is never moved.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    ScalarSelect,
    Select,
    delete,
    exists,
    func,
    insert,
    select,
    text,
)

from upcycle_news.models import IssueId, SubscriberStatus
from upcycle_news.models.digest import (
    DigestInterval,
    DigestPeriod,
    ReaderRhythm,
    Rhythm,
    RhythmOutlook,
    RhythmStart,
    interval_of,
    period_of,
)
from upcycle_news.storage.database import Store
from upcycle_news.storage.dialect_insert import dialect_insert
from upcycle_news.storage.schema import digest_periods, issues, rhythms, subscribers

_CHUNK = 500


def issue_period(
    connection: Connection, issue: IssueId, interval: DigestInterval | None
) -> DigestPeriod | None:
    """Return the period whose digest tells an issue, or that a digest tells; None: there is none.

    Nothing is stored: until the issue is queued, choices and settings may change it.
    """
    if issue.correction:
        return None
    if issue.digest:
        period = _period_of(connection, issue.day - timedelta(days=1), interval)
        return period if period is not None and period.end == issue.day else None
    return _period_of(connection, issue.day, interval)


def begin_period(
    connection: Connection, day: date, interval: DigestInterval | None
) -> DigestPeriod | None:
    """Return the period that holds a day, and store it when it is new; None: that day's issue is for everybody.

    No issue is queued by another transaction meanwhile, and no rhythm chosen while one is queued.
    """
    period = _period_of(connection, day, interval)
    if period is not None:
        _add_period(connection, period)
    return period


def take_over_period(connection: Connection, period: DigestPeriod) -> bool:
    """Store a period that another store began; return whether a digest of its end is made here."""
    overlapping = select(digest_periods).where(
        digest_periods.c.start < period.end, digest_periods.c.end > period.start
    )
    known = connection.execute(overlapping).all()
    if not known:
        _add_period(connection, period)
    return all(row.end == period.end for row in known)


def _add_period(connection: Connection, period: DigestPeriod) -> None:
    connection.execute(
        dialect_insert(connection.dialect.name, digest_periods)
        .values(start=period.start, end=period.end)
        .on_conflict_do_nothing()
    )


def lock_out_choices(connection: Connection) -> None:
    """Let no rhythm be chosen until this transaction ends: an issue is about to be queued."""
    if _is_postgres(connection):  # SQLite has one writer anyway
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))


def choose(
    connection: Connection,
    subscriber: int,
    rhythm: Rhythm,
    *,
    today: date,
    interval: DigestInterval | None,
    is_new: bool = False,
) -> ReaderRhythm:
    """Record what a reader chose, in place of an earlier choice that has not begun; return what holds now.

    It begins with the next period, and with the present one for a reader who `is_new`: nothing was sent
    to them before. Without a digest (`interval` None) nothing is recorded.
    """
    if interval is None:
        return rhythm_in(connection, subscriber, today)
    if _is_postgres(connection):
        connection.execute(text(f"SELECT pg_advisory_xact_lock_shared({_LOCK})"))
    period = begin_period(connection, today, interval)
    first_day = _begins_on(connection, today, period, interval, is_new=is_new)
    mine = rhythms.c.subscriber_id == subscriber
    connection.execute(delete(rhythms).where(mine, rhythms.c.from_day >= first_day))
    before = connection.scalar(
        select(rhythms.c.rhythm).where(mine).order_by(rhythms.c.from_day.desc()).limit(1)
    )
    if rhythm != (before or Rhythm.EVERY_ISSUE):
        row = {"subscriber_id": subscriber, "from_day": first_day, "rhythm": rhythm.value}
        connection.execute(insert(rhythms).values(**row))
    return rhythm_in(connection, subscriber, today)


def choose_digest_for_new(
    connection: Connection,
    subscribers: Collection[int],
    *,
    today: date,
    interval: DigestInterval | None,
) -> None:
    """Record the digest for many of whom nothing is stored and to whom nothing was sent, in few statements."""
    if interval is None or not subscribers:
        return
    if _is_postgres(connection):
        connection.execute(text(f"SELECT pg_advisory_xact_lock_shared({_LOCK})"))
    period = begin_period(connection, today, interval)
    first_day = _begins_on(connection, today, period, interval, is_new=True)
    values = {"from_day": first_day, "rhythm": Rhythm.DIGEST.value}
    connection.execute(
        insert(rhythms), [{"subscriber_id": number, **values} for number in sorted(subscribers)]
    )


def _begins_on(
    connection: Connection,
    today: date,
    period: DigestPeriod | None,
    interval: DigestInterval,
    *,
    is_new: bool,
) -> date:
    """Return the first day of the issues that a choice of `today` holds for."""
    if is_new and period is not None:
        return period.start
    first_day = period.end if period is not None else interval_of(today, interval).end
    # A choice of the last second before midnight, when an issue of the next period was faster.
    newest = _newest_issue(connection)
    while newest is not None and newest >= first_day:
        later = _period_of(connection, first_day, interval)
        first_day = later.end if later is not None else interval_of(first_day, interval).end
    return first_day


def rhythm_of(store: Store, subscriber: int, today: date) -> ReaderRhythm:
    """Return a reader's rhythm today, and the one that was chosen and has not begun."""
    with store.reading() as connection:
        return rhythm_in(connection, subscriber, today)


def begins_on(connection: Connection, today: date, interval: DigestInterval) -> date:
    """Return the first day of the issues that a choice of today would hold for; nothing is stored."""
    period = _period_of(connection, today, interval)
    return _begins_on(connection, today, period, interval, is_new=False)


def outlook(
    store: Store, subscriber: int, today: date, interval: DigestInterval | None
) -> RhythmOutlook:
    """Return what a reader is told of their rhythm."""
    with store.reading() as connection:
        rhythm = rhythm_in(connection, subscriber, today)
        starts = None
        if rhythm.present is Rhythm.DIGEST:
            starts = today
        elif rhythm.coming is Rhythm.DIGEST:
            starts = rhythm.changes_on
        period = None if starts is None else _period_of(connection, starts, interval)
        next_digest = None if period is None else period.end
        if period is None and starts is not None and interval is not None:
            next_digest = interval_of(starts, interval).end  # today's issue went to everybody
        return RhythmOutlook(
            rhythm,
            interval,
            next_digest,
            None if interval is None else begins_on(connection, today, interval),
        )


def starts_of(connection: Connection, subscriber: int) -> tuple[RhythmStart, ...]:
    """Return all that is stored about a reader's rhythm, oldest first."""
    rows = connection.execute(
        select(rhythms).where(rhythms.c.subscriber_id == subscriber).order_by(rhythms.c.from_day)
    )
    return tuple(RhythmStart(row.from_day, Rhythm(row.rhythm)) for row in rows)


def count_digest_readers(
    connection: Connection, today: date, interval: DigestInterval | None
) -> int:
    """Return how many confirmed readers get the issues of today in a digest."""
    period = _period_of(connection, today, interval)
    if period is None:
        return 0
    confirmed = subscribers.c.status == SubscriberStatus.CONFIRMED
    query = select(func.count()).where(confirmed, subscribers.c.id.in_(digest_readers(period)))
    return connection.scalar(query) or 0


def has_digest_readers(store: Store, day: date, interval: DigestInterval | None) -> bool:
    """Return whether anybody gets the issues of a day in a digest."""
    with store.reading() as connection:
        return count_digest_readers(connection, day, interval) > 0


def period_told(connection: Connection, issue: str) -> DigestPeriod | None:
    """Return the period whose digest tells an issue that was queued; None where no digest does."""
    query = (
        select(digest_periods)
        .join(issues, issues.c.digest_day == digest_periods.c.end)
        .where(issues.c.id == issue)
    )
    row = connection.execute(query).first()
    return None if row is None else DigestPeriod(row.start, row.end)


def period_that_tells(store: Store, issue: IssueId) -> DigestPeriod | None:
    """Return what `period_told` returns, in a transaction of its own."""
    with store.reading() as connection:
        return period_told(connection, str(issue))


def rhythm_in(connection: Connection, subscriber: int, today: date) -> ReaderRhythm:
    """Return what `rhythm_of` returns, within a transaction."""
    return rhythms_in(connection, [subscriber], today).get(subscriber, ReaderRhythm())


def rhythms_of(
    store: Store, subscribers: Collection[int], today: date
) -> Mapping[int, ReaderRhythm]:
    """Return the rhythms of several readers; who never chose one is missing."""
    with store.reading() as connection:
        return rhythms_in(connection, subscribers, today)


def rhythms_in(
    connection: Connection, subscribers: Collection[int], today: date
) -> dict[int, ReaderRhythm]:
    """Return what `rhythms_of` returns, within a transaction."""
    ordered, found = sorted(subscribers), dict[int, ReaderRhythm]()
    start = _start_of_present(connection, today)
    for first in range(0, len(ordered), _CHUNK):
        query = (
            select(rhythms)
            .where(rhythms.c.subscriber_id.in_(ordered[first : first + _CHUNK]))
            .order_by(rhythms.c.subscriber_id, rhythms.c.from_day)
        )
        for row in connection.execute(query):
            rhythm = Rhythm(row.rhythm)
            known = found.get(row.subscriber_id, ReaderRhythm())
            if row.from_day <= start:
                found[row.subscriber_id] = ReaderRhythm(rhythm)
            elif known.coming is None:
                found[row.subscriber_id] = ReaderRhythm(known.present, rhythm, row.from_day)
            else:
                found[row.subscriber_id] = replace(known, afterwards=rhythm)
    return found


def last_chosen(subscriber: ColumnElement[int]) -> ScalarSelect[str]:
    """Return SQL for the rhythm that a reader chose last, also where that begins later; NULL for none."""
    return (
        select(rhythms.c.rhythm)
        .where(rhythms.c.subscriber_id == subscriber)
        .order_by(rhythms.c.from_day.desc())
        .limit(1)
        .scalar_subquery()
    )


def _start_of_present(connection: Connection, today: date) -> date:
    """Return the first day of the period that holds `today`; today itself outside of any."""
    query = select(digest_periods.c.start).where(
        digest_periods.c.start <= today, digest_periods.c.end > today
    )
    start: date | None = connection.scalar(query)
    return start or today


def digest_readers(period: DigestPeriod) -> Select[tuple[int]]:
    """Return the query of the ids of all who get the issues of a period in its digest."""
    later = rhythms.alias()
    return select(rhythms.c.subscriber_id).where(
        rhythms.c.rhythm == Rhythm.DIGEST.value,
        rhythms.c.from_day <= period.start,
        ~exists().where(
            later.c.subscriber_id == rhythms.c.subscriber_id,
            later.c.from_day > rhythms.c.from_day,
            later.c.from_day <= period.start,
        ),
    )


def period_on(store: Store, day: date, interval: DigestInterval | None) -> DigestPeriod | None:
    """Return the period whose digest would tell an issue of a day; None: it would be for everybody."""
    with store.reading() as connection:
        return _period_of(connection, day, interval)


def ended_periods(store: Store, today: date) -> tuple[DigestPeriod, ...]:
    """Return the periods that ended before or with `today`, the oldest first."""
    query = (
        select(digest_periods).where(digest_periods.c.end <= today).order_by(digest_periods.c.end)
    )
    with store.reading() as connection:
        return tuple(DigestPeriod(row.start, row.end) for row in connection.execute(query))


def _period_of(
    connection: Connection, day: date, interval: DigestInterval | None
) -> DigestPeriod | None:
    rows = connection.execute(select(digest_periods).where(digest_periods.c.end > day)).all()
    known = [DigestPeriod(row.start, row.end) for row in rows]
    if interval is None or any(day in period for period in known):
        return period_of(day, known, None, None)
    last: date | None = connection.scalar(select(func.max(digest_periods.c.end)))
    if last is not None and not known:
        known = [DigestPeriod(last, last)]
    return period_of(day, known, interval, _newest_issue(connection))


def _newest_issue(connection: Connection) -> date | None:
    """Return the day of the newest issue that was queued, corrections and digests aside."""
    newest: date | None = connection.scalar(_NEWEST)
    return newest


_NEWEST = select(func.max(issues.c.day)).where(
    issues.c.enqueued_at.is_not(None), ~issues.c.id.contains("-c"), ~issues.c.id.contains("-d")
)
_LOCK = 0x646967657374
"""The key of the lock in Postgres between whoever queues an issue and whoever chooses a rhythm."""


def _is_postgres(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"

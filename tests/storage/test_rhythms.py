"""Each issue reaches each reader once, itself or in a digest, whatever is chosen, switched and late."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from upcycle_news.models import IssueId
from upcycle_news.models.digest import DigestInterval, ReaderRhythm, Rhythm
from upcycle_news.storage import issues, rhythms
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.schema import deliveries, used_content

from .sample_rows import add, approve, essay, load, manifest, save

FIRST = date(2026, 10, 20)
INTERVALS: list[DigestInterval | None] = ["weekly", "monthly", "quarterly", None]


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 11, tzinfo=UTC)


def choose(
    store: Store,
    reader: int,
    rhythm: Rhythm,
    day: date,
    interval: DigestInterval | None,
    *,
    new: bool = False,
) -> ReaderRhythm:
    with store.writing() as connection:
        return rhythms.choose(connection, reader, rhythm, today=day, interval=interval, is_new=new)


def queue(
    store: Store,
    issue: IssueId,
    day: date,
    interval: DigestInterval | None,
    told: tuple[str, ...] = (),
) -> int:
    base = manifest(issue)
    content = replace(base.issue, essays=(essay(f"e-{issue}"),), digest_of=told)
    revision_id = save(store, replace(base, issue=content), noon(day))
    approve(store, revision_id, issue)
    return issues.enqueue(store, load(store, revision_id, issue), now=noon(day), interval=interval)


def queue_digests(store: Store, day: date, interval: DigestInterval | None) -> None:
    for period in rhythms.ended_periods(store, day):
        for number in range(1, 10):
            digest = IssueId(period.end, digest=number)
            row = issues.get(store, digest)
            if row is None or not row.frozen:
                break
        told = tuple(str(row.id) for row in issues.issues_for_digest(store, digest))
        with store.reading() as connection:
            anybody = connection.execute(rhythms.digest_readers(period)).first()
        if told and anybody:
            queue(store, digest, day, interval, told)


def received(store: Store) -> dict[int, Counter[str]]:
    """Return how often each reader got each issue, itself and in digests."""
    with store.reading() as connection:
        told = defaultdict(list)
        for row in connection.execute(select(used_content).where(used_content.c.kind == "issue")):
            told[row.issue_id].append(row.value)
        got: dict[int, Counter[str]] = defaultdict(Counter)
        for row in connection.execute(select(deliveries)):
            got[row.subscriber_id].update(told.get(row.issue_id, [row.issue_id]))
    return got


@pytest.mark.parametrize("seed", range(12))
def test_everybody_gets_every_issue_once(store: Store, seed: int) -> None:
    live(store, seed)


@pytest.mark.parametrize("seed", range(2))
def test_everybody_gets_every_issue_once_in_any_store(any_store: str, seed: int) -> None:
    with closing(open_store(any_store)) as store:
        live(store, 100 + seed)


def live(store: Store, seed: int) -> None:
    chance = random.Random(seed)
    interval: DigestInterval | None = chance.choice(INTERVALS)
    readers = list(add(store, *(f"r{number}@example.org" for number in range(8))).values())
    due: dict[int, set[str]] = defaultdict(set)
    day, late = FIRST, list[date]()
    for _ in range(80):
        day += timedelta(days=chance.choice([0, 1, 1, 2, 5]))
        action = chance.random()
        if action < 0.35:
            of = day
            if action < 0.05:
                late.append(day)
                continue
            if action < 0.10 and late:
                of = late.pop(0)
            elif action < 0.13:
                of = day + timedelta(days=chance.randint(1, 12))  # a person sends it ahead
            taken = {row.id for row in issues.issues_of_day(store, of)}
            issue = next(i for n in range(1, 99) if (i := IssueId(of, n)) not in taken)
            queue(store, issue, day, interval)
            for reader in readers:
                due[reader].add(str(issue))
        elif action < 0.75:
            rhythm = chance.choice(list(Rhythm))
            reader = chance.choice(readers)
            said = choose(store, reader, rhythm, day, interval)
            assert interval is None or said.chosen is rhythm
            assert said.changes_on is None or said.changes_on > day
        elif action < 0.80:
            reader = add(store, f"n{len(readers)}@example.org")[f"n{len(readers)}@example.org"]
            choose(store, reader, chance.choice(list(Rhythm)), day, interval, new=True)
            readers.append(reader)
        elif action < 0.84:
            interval = chance.choice(INTERVALS)
        else:
            queue_digests(store, day, interval)
    queue_digests(store, day + timedelta(days=400), interval)
    got = received(store)
    for reader in readers:
        assert due[reader] <= set(got[reader]), "nothing is lost"
        assert set(got[reader].values()) <= {1}, "nothing comes twice"


def test_a_switch_begins_with_the_next_period_and_may_be_taken_back(store: Store) -> None:
    [reader] = add(store, "anna@example.org").values()
    day = date(2026, 11, 26)
    said = choose(store, reader, Rhythm.DIGEST, day, "monthly")
    assert said == ReaderRhythm(Rhythm.EVERY_ISSUE, Rhythm.DIGEST, date(2026, 12, 1))
    assert rhythms.rhythm_of(store, reader, date(2026, 12, 1)) == ReaderRhythm(Rhythm.DIGEST)
    assert choose(store, reader, Rhythm.EVERY_ISSUE, day, "monthly") == ReaderRhythm()


def test_a_period_that_began_ends_as_it_began(store: Store) -> None:
    [reader] = add(store, "anna@example.org").values()
    choose(store, reader, Rhythm.DIGEST, date(2026, 11, 26), "monthly")
    said = choose(store, reader, Rhythm.DIGEST, date(2026, 11, 27), "quarterly")
    assert said.changes_on == date(2026, 12, 1)


def test_a_new_reader_begins_at_once(store: Store) -> None:
    [reader] = add(store, "anna@example.org").values()
    said = choose(store, reader, Rhythm.DIGEST, date(2026, 11, 26), "monthly", new=True)
    assert said == ReaderRhythm(Rhythm.DIGEST)
    queue(store, IssueId(date(2026, 11, 26)), date(2026, 11, 26), "monthly")
    row = issues.get(store, IssueId(date(2026, 11, 26)))
    assert row is not None and row.audience == 0

"""A rhythm that is chosen with a sign-up, on a list or by a reader: when it begins, and that nothing comes twice."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine, event, insert, select, update

from upcycle_news.models import ConfirmationResult, EmailAddress, IssueId
from upcycle_news.models.digest import DigestInterval, ReaderRhythm, Rhythm, RhythmOnConfirmation
from upcycle_news.storage import (
    asked_addresses,
    issues,
    personal_data,
    rhythms,
    signups,
    statistics,
    subscribers,
)
from upcycle_news.storage import schema as tables
from upcycle_news.storage.backup.copy import copy_all
from upcycle_news.storage.backup.merge import merge_newer_data
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.subscribers import AddReport, NewSubscriber

from .sample_rows import add
from .test_rhythms import queue, queue_digests, received

ANNA, BERT = EmailAddress("anna@example.org"), EmailAddress("bert@example.org")
DAY = date(2026, 11, 26)
NEXT = date(2026, 12, 1)
DIGEST = ReaderRhythm(Rhythm.DIGEST)
COMING = ReaderRhythm(Rhythm.EVERY_ISSUE, Rhythm.DIGEST, NEXT)


@pytest.fixture
def kept(any_store: str) -> Iterator[Store]:
    with closing(open_store(any_store)) as store:
        store.erasure_key = b"k" * 32
        yield store


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 11, tzinfo=UTC)


def ask(store: Store, email: EmailAddress, day: date, rhythm: Rhythm | None) -> str:
    """Sign up; return the hash of the link."""
    signup = signups.start_signup(
        store, email, may_ask=lambda _: True, language="de", rhythm=rhythm, source="web",
        wording="", ip="", now=noon(day),
    )  # fmt: skip
    assert signup is not None
    link = f"link-{signup.consent}"
    with store.writing() as connection:
        one = update(tables.consents).where(tables.consents.c.id == signup.consent)
        connection.execute(one.values(token_hash=link))
    return link


def confirm(store: Store, link: str, day: date, interval: DigestInterval | None) -> None:
    result = signups.confirm(
        store, link, now=noon(day), valid_for=timedelta(days=7), today=day, interval=interval
    )
    assert result is ConfirmationResult.NOW


def join(store: Store, email: EmailAddress, day: date, rhythm: Rhythm | None) -> ReaderRhythm:
    confirm(store, ask(store, email, day, rhythm), day, "monthly")
    return rhythms.rhythm_of(store, number_of(store, email), day)


def number_of(store: Store, email: EmailAddress) -> int:
    found = subscribers.find(store, email)
    assert found is not None
    return found.id


def leave(store: Store, email: EmailAddress, day: date) -> None:
    found = subscribers.find(store, email)
    assert found is not None
    subscribers.unsubscribe(store, found, now=noon(day))


def take_list(
    store: Store, day: date, interval: DigestInterval | None, *new: NewSubscriber
) -> AddReport:
    return subscribers.add_subscribers(
        store, new, source="list", now=noon(day), dry_run=False, today=day, interval=interval
    )


def test_a_new_reader_begins_with_the_present_period_and_not_before_the_confirmation(
    kept: Store,
) -> None:
    link = ask(kept, ANNA, DAY, Rhythm.DIGEST)
    number = number_of(kept, ANNA)
    told = signups.rhythm_on_confirmation(kept, DAY, "monthly", token_hash=link)
    assert told == RhythmOnConfirmation(Rhythm.DIGEST)
    assert rhythms.rhythm_of(kept, number, DAY) == ReaderRhythm()
    confirm(kept, link, DAY, "monthly")
    assert rhythms.rhythm_of(kept, number, DAY) == DIGEST
    assert signups.rhythm_on_confirmation(kept, DAY, "monthly", token_hash=link) is None


def test_who_had_an_issue_or_was_subscribed_before_begins_with_the_next_period(
    kept: Store,
) -> None:
    assert join(kept, ANNA, DAY, None) == ReaderRhythm()
    leave(kept, ANNA, DAY)
    link = ask(kept, ANNA, DAY, Rhythm.DIGEST)
    told = signups.rhythm_on_confirmation(kept, DAY, "monthly", token_hash=link)
    assert told == RhythmOnConfirmation(Rhythm.DIGEST, NEXT)
    confirm(kept, link, DAY, "monthly")
    number = number_of(kept, ANNA)
    assert rhythms.rhythm_of(kept, number, DAY) == COMING
    leave(kept, ANNA, DAY)
    assert join(kept, ANNA, DAY, None) == COMING, "nothing was chosen, and what is known stays"


@pytest.mark.parametrize("how", ["erased", "forgotten"])
def test_who_is_not_known_any_more_is_not_taken_for_new(kept: Store, how: str) -> None:
    join(kept, ANNA, DAY, None)
    if how == "erased":
        personal_data.erase_subscriber(kept, ANNA, now=noon(DAY))
    else:
        leave(kept, ANNA, DAY - timedelta(days=1))
        assert personal_data.forget_left(kept, before=noon(DAY), now=noon(DAY)) == 1
    assert subscribers.find(kept, ANNA) is None
    assert join(kept, ANNA, DAY, Rhythm.DIGEST) == COMING


def test_without_a_digest_a_chosen_rhythm_is_dropped(kept: Store) -> None:
    link = ask(kept, ANNA, DAY, Rhythm.DIGEST)
    assert signups.rhythm_on_confirmation(kept, DAY, None, token_hash=link) is None
    confirm(kept, link, DAY, None)
    assert rhythms.rhythm_of(kept, number_of(kept, ANNA), DAY) == ReaderRhythm()


def test_a_list_says_how_often_and_does_not_change_what_a_reader_chose(kept: Store) -> None:
    join(kept, BERT, DAY, None)
    digest = (NewSubscriber(ANNA, rhythm=Rhythm.DIGEST), NewSubscriber(BERT, rhythm=Rhythm.DIGEST))
    report = take_list(kept, DAY, "monthly", *digest)
    assert (report.added, report.updated, report.unchanged) == (1, 1, 0)
    anna, bert = number_of(kept, ANNA), number_of(kept, BERT)
    assert rhythms.rhythms_of(kept, [anna, bert], DAY) == {anna: DIGEST, bert: COMING}
    report = take_list(kept, DAY, "monthly", *digest)
    assert (report.added, report.updated, report.unchanged) == (0, 0, 2)
    found = subscribers.find(kept, BERT)
    assert found is not None
    subscribers.set_preferences(
        kept, found, language="de", topics=(), now=noon(DAY), rhythm=Rhythm.EVERY_ISSUE, today=DAY,
        interval="monthly",
    )  # fmt: skip
    assert rhythms.rhythm_of(kept, bert, DAY) == ReaderRhythm()
    take_list(kept, DAY, "monthly", *digest)
    assert rhythms.rhythm_of(kept, bert, DAY) == ReaderRhythm()
    take_list(kept, DAY, None, NewSubscriber(EmailAddress("c@example.org"), rhythm=Rhythm.DIGEST))
    counts = statistics.count_subscribers(kept, today=DAY, interval="monthly")
    assert counts.by_rhythm == {"every_issue": 2, "digest": 1}
    assert statistics.count_subscribers(kept, today=NEXT).by_rhythm == {}


def test_a_list_that_asks_keeps_the_rhythm_until_the_confirmation(kept: Store) -> None:
    asked = asked_addresses.ask_all(
        kept, [NewSubscriber(ANNA, rhythm=Rhythm.DIGEST)], source="list", wording={}, language="de",
        now=noon(DAY), dry_run=False,
    )  # fmt: skip
    assert asked.asked == 1
    number = number_of(kept, ANNA)
    assert rhythms.rhythm_of(kept, number, DAY) == ReaderRhythm()
    with kept.writing() as connection:
        connection.execute(update(tables.consents).values(token_hash="link"))
    confirm(kept, "link", DAY, "monthly")
    assert rhythms.rhythm_of(kept, number, DAY) == DIGEST


def test_a_long_list_of_new_readers_takes_few_statements(store: Store) -> None:
    def statements(count: int, first: int) -> int:
        new = [
            NewSubscriber(EmailAddress(f"r{first + one}@example.org"), rhythm=Rhythm.DIGEST)
            for one in range(count)
        ]
        seen: list[str] = []

        def note(*arguments: object) -> None:
            seen.append(str(arguments[2]))

        event.listen(Engine, "before_cursor_execute", note)
        try:
            take_list(store, DAY, "monthly", *new)
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        return len(seen)

    few = statements(2, 0)  # and the period is stored with them
    assert statements(400, 10) <= few


def test_preferences_are_stored_whole_or_not_at_all(
    kept: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    join(kept, ANNA, DAY, None)
    found = subscribers.find(kept, ANNA)
    assert found is not None

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("the store is full")

    monkeypatch.setattr(rhythms, "choose", fails)
    with pytest.raises(RuntimeError):
        subscribers.set_preferences(
            kept, found, language="en", topics=["Bestand"], now=noon(DAY), rhythm=Rhythm.DIGEST,
            today=DAY, interval="monthly",
        )  # fmt: skip
    assert subscribers.find(kept, ANNA) == found


def test_an_erased_reader_leaves_no_rhythm_and_access_shows_all_of_it(kept: Store) -> None:
    join(kept, ANNA, DAY, Rhythm.DIGEST)
    link = ask(kept, BERT, DAY, Rhythm.DIGEST)
    person = subscribers.find(kept, ANNA)
    assert person is not None
    record = personal_data.personal_data_of(kept, person).as_dict()
    assert record["rhythms"] == [{"from": "2026-11-01", "rhythm": "digest"}]
    pending = subscribers.find(kept, BERT)
    assert link and pending is not None
    shown = personal_data.personal_data_of(kept, pending).as_dict()
    assert (shown["consents"][0]["chosen_rhythm"], shown["rhythms"]) == ("digest", [])
    personal_data.erase_subscriber(kept, ANNA, now=noon(DAY))
    with kept.reading() as connection:
        assert connection.execute(select(tables.rhythms)).all() == []


def test_the_page_is_told_what_comes_and_when(kept: Store) -> None:
    join(kept, ANNA, DAY, Rhythm.DIGEST)
    number = number_of(kept, ANNA)
    now = rhythms.outlook(kept, number, DAY, "monthly")
    assert (now.rhythm, now.next_digest, now.choice_begins) == (DIGEST, NEXT, NEXT)
    off = rhythms.outlook(kept, number, DAY, None)
    assert (off.interval, off.next_digest, off.choice_begins) == (None, NEXT, None)
    over = rhythms.outlook(kept, number, NEXT, None)
    assert (over.rhythm.chosen, over.next_digest) == (Rhythm.DIGEST, None)
    with kept.writing() as connection:
        rhythms.choose(connection, number, Rhythm.EVERY_ISSUE, today=DAY, interval="monthly")
    leaving = rhythms.outlook(kept, number, DAY, "monthly")
    assert leaving.leaves_digest and not leaving.coming_digest
    assert (leaving.rhythm.changes_on, leaving.next_digest) == (NEXT, NEXT)
    join(kept, BERT, DAY, None)
    with kept.writing() as connection:
        rhythms.choose(
            connection, number_of(kept, BERT), Rhythm.DIGEST, today=DAY, interval="monthly"
        )
    coming = rhythms.outlook(kept, number_of(kept, BERT), DAY, "monthly")
    assert coming.coming_digest and not coming.leaves_digest
    assert (coming.rhythm, coming.next_digest) == (COMING, date(2027, 1, 1))


def test_what_comes_first_is_told_even_if_more_was_chosen_since(store: Store) -> None:
    """An issue of December is sent ahead in November: the digest of December stays chosen for it."""
    number, _ = add(store, ANNA.address, BERT.address).values()
    with store.writing() as connection:
        rhythms.choose(connection, number, Rhythm.DIGEST, today=DAY, interval="monthly")
    queue(store, IssueId(date(2026, 12, 3)), DAY, "monthly")
    with store.writing() as connection:
        said = rhythms.choose(connection, number, Rhythm.EVERY_ISSUE, today=DAY, interval="monthly")
    assert (said.coming, said.changes_on, said.chosen) == (Rhythm.DIGEST, NEXT, Rhythm.EVERY_ISSUE)
    told = rhythms.outlook(store, number, DAY, "monthly")
    assert (told.next_digest, told.choice_begins) == (date(2027, 1, 1), date(2027, 1, 1))


@pytest.mark.parametrize("seed", range(5))
def test_no_address_gets_an_issue_twice_however_it_comes_and_goes(store: Store, seed: int) -> None:
    store.erasure_key = b"k" * 32
    come_and_go(store, seed)


@pytest.mark.parametrize("seed", range(100, 101))
def test_no_address_gets_an_issue_twice_in_any_store(kept: Store, seed: int) -> None:
    come_and_go(kept, seed)


def come_and_go(store: Store, seed: int) -> None:
    chance = random.Random(seed)
    interval: DigestInterval | None = chance.choice(["weekly", "monthly", "quarterly"])
    people = [EmailAddress(f"r{number}@example.org") for number in range(6)]
    who: dict[int, EmailAddress] = {}
    stays = [EmailAddress("every@example.org"), EmailAddress("digest@example.org")]
    take_list(
        store, DAY, interval, NewSubscriber(stays[0]), NewSubscriber(stays[1], rhythm=Rhythm.DIGEST)
    )
    who |= {number_of(store, email): email for email in stays}
    day = DAY
    for _ in range(90):
        day += timedelta(days=chance.choice([0, 0, 1, 1, 3]))
        email, rhythm = chance.choice(people), chance.choice([None, *Rhythm])
        found = subscribers.find(store, email)
        action = chance.random()
        if action < 0.3:
            taken = {row.id for row in issues.issues_of_day(store, day)}
            free = next(i for n in range(1, 99) if (i := IssueId(day, n)) not in taken)
            queue(store, free, day, interval)
        elif action < 0.6 and (found is None or found.status != "confirmed"):
            confirm(store, ask(store, email, day, rhythm), day, interval)
        elif action < 0.68 and found is not None and found.status == "confirmed":
            leave(store, email, day)
        elif action < 0.74 and found is not None:
            personal_data.erase_subscriber(store, email, now=noon(day))
        elif action < 0.80:
            take_list(store, day, interval, NewSubscriber(email, rhythm=rhythm))
        elif action < 0.88 and found is not None and rhythm is not None:
            with store.writing() as connection:
                rhythms.choose(connection, found.id, rhythm, today=day, interval=interval)
        elif action < 0.91:
            interval = chance.choice(["weekly", "monthly", None])
        else:
            queue_digests(store, day, interval)
        if (now := subscribers.find(store, email)) is not None:
            who[now.id] = email
        assert_listed_as_chosen(store, day)
    queue_digests(store, day + timedelta(days=400), interval)
    by_address: dict[EmailAddress, Counter[str]] = defaultdict(Counter)
    for number, got in received(store).items():
        by_address[who[number]].update(got)
    assert by_address
    for got in by_address.values():
        assert set(got.values()) <= {1}


def assert_listed_as_chosen(store: Store, day: date) -> None:
    """A list says what each reader chose last, also where that begins later."""
    people = list(subscribers.all_subscribers(store))
    known = rhythms.rhythms_of(store, [one.id for one in people], day)
    assert [(one.email, one.rhythm) for one in subscribers.listed_subscribers(store)] == [
        (one.email.address, known.get(one.id, ReaderRhythm()).chosen) for one in people
    ]


# --- another store


def test_a_copied_store_has_every_rhythm_and_period(kept: Store, tmp_path: object) -> None:
    join(kept, ANNA, DAY, Rhythm.DIGEST)
    with (
        closing(open_store(f"sqlite:///{tmp_path}/copy.db")) as target,
        kept.snapshot() as source,
        target.writing() as connection,
    ):
        sums = copy_all(source, connection)
        assert (sums["rhythms"].rows, sums["digest_periods"].rows) == (1, 1)
        assert connection.execute(select(tables.rhythms)).one().rhythm == "digest"


def test_a_restore_takes_over_what_was_chosen_since_and_doubles_nothing(
    kept: Store, tmp_path: object
) -> None:
    """Anna leaves the digest after the backup and gets the next period's issue herself."""
    old = kept
    join(old, ANNA, DAY, Rhythm.DIGEST)
    join(old, BERT, DAY, None)
    anna, bert = number_of(old, ANNA), number_of(old, BERT)
    with closing(open_store(f"sqlite:///{tmp_path}/backup.db")) as new:
        with old.snapshot() as source, new.writing() as connection:
            copy_all(source, connection)
        with new.writing() as connection:  # a choice that was taken back since
            row = {"subscriber_id": bert, "from_day": date(2027, 1, 1), "rhythm": "digest"}
            connection.execute(insert(tables.rhythms).values(**row))
        with old.writing() as connection:
            rhythms.choose(connection, anna, Rhythm.EVERY_ISSUE, today=DAY, interval="monthly")
        issue = IssueId(date(2026, 12, 10))
        queue(old, issue, issue.day, "monthly")
        add(old, "joined@example.org")
        with old.reading() as source, new.writing() as connection:
            merge_newer_data(source, connection, since=noon(DAY), now=noon(issue.day))
        with old.reading() as source, new.reading() as connection:
            for table in (tables.rhythms, tables.digest_periods):
                query = select(table).order_by(*table.primary_key)
                assert connection.execute(query).all() == source.execute(query).all()
        assert rhythms.rhythm_of(new, anna, issue.day) == ReaderRhythm()
        queue_digests(new, date(2027, 2, 1), "monthly")
        assert received(new)[anna] == {str(issue): 1}

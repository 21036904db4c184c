"""What the journal says that nobody has settled yet, as a function of its entries."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from upcycle_news.delivery.sent_evidence import read_claims, sent_issues, unsettled
from upcycle_news.models.journal import JournalEntry, JournalEvent

NOW = datetime(2026, 11, 26, 6, tzinfo=UTC)


def entry(event: JournalEvent, hours: int, issue: str = "", keys: str = "ours") -> JournalEntry:
    return JournalEntry(NOW + timedelta(hours=hours), event, keys, issue=issue)


FIRST = entry(JournalEvent.QUEUED, 0, "2026-11-26")
CLOSED = replace(entry(JournalEvent.CLOSED, 1, "2026-11-26"), counts={"audience": 3, "sent": 3})
CONFIRMED = entry(JournalEvent.CONFIRMED, 2)
SECOND = entry(JournalEvent.QUEUED, 3, "2026-12-03")


def test_the_last_entry_of_each_kind_counts() -> None:
    said = read_claims([FIRST, CLOSED, SECOND], confirmed_at=(), keys="ours")
    assert (said.queued, said.outcome, said.confirmed) == (SECOND, CLOSED, None)
    assert said.issues == {"2026-11-26", "2026-12-03"}
    assert said.foreign is None


def test_a_confirmation_that_the_store_knows_settles_what_stands_before_it() -> None:
    lines = [FIRST, CLOSED, CONFIRMED, SECOND]
    assert unsettled(lines, {CONFIRMED.at}) == [SECOND]
    assert list(sent_issues(lines, confirmed_at={CONFIRMED.at})) == ["2026-12-03"]


def test_a_confirmation_that_the_store_does_not_know_is_said() -> None:
    said = read_claims([FIRST, CLOSED, CONFIRMED], confirmed_at=(), keys="ours")
    assert said.confirmed == CONFIRMED


def test_what_follows_a_confirmation_counts_whatever_the_clock_said_then() -> None:
    """The clock ran years ahead when somebody confirmed, and was set right since."""
    ahead = entry(JournalEvent.CONFIRMED, 40_000)
    assert unsettled([FIRST, ahead, SECOND], {ahead.at}) == [SECOND]


def test_in_a_place_without_the_confirmation_what_is_older_is_settled_but_for_queued_issues() -> (
    None
):
    """Another machine's: that an issue went out has to be known, whoever confirmed what elsewhere."""
    said = read_claims([FIRST, CLOSED], confirmed_at={CONFIRMED.at}, keys="other")
    assert (said.queued, said.outcome, said.foreign) == (FIRST, None, None)
    assert list(sent_issues([FIRST, CLOSED], confirmed_at={CONFIRMED.at})) == ["2026-11-26"]


def test_an_issue_that_ended_before_anybody_got_it_did_not_go_out() -> None:
    nobody = replace(CLOSED, counts={"audience": 3, "sent": 0, "unknown": 0, "cancelled": 3})
    perhaps = replace(nobody, counts={**nobody.counts, "unknown": 1})
    assert sent_issues([FIRST, nobody], confirmed_at=()) == {}
    assert read_claims([FIRST, nobody], confirmed_at=(), keys="ours").queued is None
    assert read_claims([FIRST, perhaps], confirmed_at=(), keys="ours").queued == FIRST


def test_an_entry_with_other_keys_is_said_until_it_is_settled() -> None:
    foreign = entry(JournalEvent.QUEUED, 0, "2026-11-26", keys="theirs")
    assert read_claims([foreign], confirmed_at=(), keys="ours").foreign == foreign
    assert read_claims([foreign], confirmed_at={CONFIRMED.at}, keys="ours").foreign is None


def test_an_empty_journal_says_nothing() -> None:
    said = read_claims([], confirmed_at=(), keys="ours")
    assert said.issues == set()
    assert (said.queued, said.outcome, said.confirmed, said.foreign) == (None,) * 4

"""Relay statistics: counted while an issue is sent, and compared with those of earlier issues."""

from __future__ import annotations

from datetime import timedelta
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.models import IssueId, SmtpReply
from upcycle_news.models.relay_stats import RelayStats, RelayStatsCounter
from upcycle_news.services.delivery import send
from upcycle_news.services.delivery.latency import LatencyRecorder
from upcycle_news.services.delivery.relay_health import slow_relay
from upcycle_news.services.monitoring import alerts
from upcycle_news.storage import relay_stats
from upcycle_news.transports.outcomes import (
    Accepted,
    LostInBody,
    Outcome,
    Refused,
    UnsupportedAddress,
)

from ...delivery.memory_ledger import Clock
from ...publications import Publication, send_issue
from .test_send_settings import queued

ISSUE = IssueId.parse("2026-11-26")


def stats_of(*seconds: float, relay: str = "main") -> RelayStats:
    counter = RelayStatsCounter(relay)
    for duration in seconds:
        counter.add("accepted", duration)
    return counter.snapshot()


@given(st.lists(st.floats(0.001, 600), min_size=1, max_size=60))
def test_the_median_is_right_to_ten_percent(seconds: list[float]) -> None:
    stats = stats_of(*seconds)
    assert stats.slowest == max(seconds)
    low, high = sorted(seconds)[(len(seconds) - 1) // 2], sorted(seconds)[len(seconds) // 2]
    assert 0.9 * low <= stats.median <= 1.1 * high


@given(st.lists(st.lists(st.floats(0.001, 10), max_size=20), min_size=1, max_size=4))
def test_the_statistics_of_several_workers_add_up(workers: list[list[float]]) -> None:
    together = RelayStats.combined("main", [stats_of(*durations) for durations in workers])
    assert together == stats_of(*(duration for durations in workers for duration in durations))


@pytest.mark.parametrize(
    ("now", "earlier", "slow"),
    [
        ([2.0] * 19, [[0.1] * 50], False),  # too few to say
        ([2.0] * 20, [[0.1] * 50], True),
        ([2.0] * 20, [], False),  # nothing to compare with, below the limit
        ([11.0] * 20, [], True),
        ([0.2] * 20, [[0.001] * 50], False),  # nobody minds a fifth of a second
        ([2.0] * 20, [[0.1] * 5], False),  # five answers do not say what is usual
        ([2.0] * 20, [[0.1] * 50, [1.9] * 50, [2.1] * 50], False),
        ([0.1] * 15 + [60.0] * 10, [[0.1] * 50], False),  # some are late, most are not
    ],
)
def test_a_slow_relay_is_recognised(
    now: list[float], earlier: list[list[float]], slow: bool
) -> None:
    before = [stats_of(*durations) for durations in earlier]
    sentence = slow_relay(stats_of(*now), before, seconds=10.0, factor=5.0)
    assert bool(sentence) is slow
    assert slow_relay(stats_of(*now), before, seconds=0, factor=0) is None


def test_each_reply_is_counted_by_its_kind(publication: Publication, clock: Clock) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context()
    send_issue(context)
    recorder = LatencyRecorder(context, ISSUE, "second", 7)
    outcomes: list[tuple[Outcome, float]] = [
        (Accepted(SmtpReply(250)), 0.5),
        (Refused("rcpt", SmtpReply(450)), 0.25),
        (Refused("rcpt", SmtpReply(550)), 0.125),
        (LostInBody("gone"), 30.0),
        (UnsupportedAddress("a space"), 0.0),
    ]
    for outcome, seconds in outcomes:
        recorder.record(outcome, seconds)
    by_relay = {stats.relay: stats for stats in relay_stats.for_issue(context.store, ISSUE)}
    assert set(by_relay) == {"mailbox"}  # not yet half a minute
    clock.now += timedelta(seconds=31)
    recorder.record(Accepted(SmtpReply(250)), 0.5)
    recorder.save()
    recorder.save()
    by_relay = {stats.relay: stats for stats in relay_stats.for_issue(context.store, ISSUE)}
    second = by_relay["second"]
    counts = (second.accepted, second.deferred, second.refused, second.lost)
    assert (counts, second.slowest) == ((2, 1, 1, 1), 0.5)
    assert second.median == pytest.approx(median([0.5, 0.25, 0.125, 0.5]), rel=0.4)


def test_relay_statistics_are_stored_with_the_issue(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(3)
    context = publication.context()
    send_issue(context)
    [stats] = relay_stats.for_issue(context.store, ISSUE)
    assert (stats.relay, stats.accepted, stats.timed, stats.lost) == ("mailbox", 3, 3, 0)
    assert 0 < stats.median <= stats.slowest < 30


def test_a_relay_that_became_slow_is_alerted_once(publication: Publication, clock: Clock) -> None:
    context = publication.context()
    publication.add_many_subscribers(1)
    for number, seconds in ((1, 0.1), (2, 0.1), (3, 3.0)):
        publication.write_essay(f"Nummer {number}")
        clock.now += timedelta(days=1)
        issue = f"2026-11-2{6 + number}"
        send_issue(context, issue)
        stats = stats_of(*[seconds] * 40)
        relay_stats.save(context.store, IssueId.parse(issue), 99, stats, now=context.clock())
        events = [e for e in alerts.new_events(context) if e.name == "upcycle-news.relay.slow"]
        assert len(events) == (number == 3)
    [event] = events
    assert event.subject == "issue 2026-11-29 relay main"
    assert "die Hälfte seiner Antworten braucht länger als 2,9 s" in event.message
    assert not [e for e in alerts.new_events(context) if e.name == "upcycle-news.relay.slow"]
    assert [
        one.accepted for one in relay_stats.for_earlier_issues(context.store, ISSUE, "main", 5)
    ] == []
    before = relay_stats.for_earlier_issues(context.store, IssueId.parse("2026-11-29"), "main", 1)
    assert [stats.accepted for stats in before] == [40]


def test_a_send_does_not_depend_on_the_relay_statistics(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(3)
    context = publication.context()
    with context.store.writing() as connection:
        connection.exec_driver_sql(  # as a damaged table: nothing can be counted
            "CREATE TRIGGER uncountable BEFORE INSERT ON relay_stats"
            " BEGIN SELECT RAISE(ABORT, 'uncountable'); END"
        )
    report = send.deliver_issue(
        context,
        queued(context),
        progress=lambda _: setattr(clock, "now", clock() + timedelta(minutes=1)),
    )
    assert (report.sent, report.unknown) == (3, 0)

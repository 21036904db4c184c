"""What machines watch: the figures are right, cheap, and nobody's but the operator's."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event

from upcycle_news.app.context import AppContext
from upcycle_news.config.settings import load_settings
from upcycle_news.services.delivery import send
from upcycle_news.services.monitoring.metrics import SHARE, Meter, stale
from upcycle_news.storage import issues, workers
from upcycle_news.storage.bounces import record
from upcycle_news.storage.feeds import FeedState, record_states
from upcycle_news.storage.issues import IssueState
from upcycle_news.storage.metrics import Queue
from upcycle_news.storage.send_hold import PauseKind, begin, end
from upcycle_news.web.metrics import may_see

from ...delivery.memory_ledger import Clock
from ...publications import Publication, prepared, sent
from ...web.web_server import Door, free_port, opened

Figures = dict[tuple[str, ...], float]
HERE = {"peer": "127.0.0.1", "client": "127.0.0.1", "http_version": "1.1"}
LOCAL = {"host": "127.0.0.1:8040"}


def figures(text: bytes | str) -> Figures:
    """Every sample as Prometheus's own reader understands it: its name and the labels' values."""
    told = text if isinstance(text, str) else text.decode()
    return {
        (sample.name.removeprefix("upcycle_news_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(told)
        for sample in family.samples
    }


class Watch:
    """A timer that tests move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def measured(context: AppContext) -> Figures:
    return figures(Meter(context).text())


@contextmanager
def statements(context: AppContext) -> Iterator[list[str]]:
    """The SQL that is run inside."""
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    engine = context.store._engine
    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


# --- the figures


def test_a_new_publication_has_figures_too(publication: Publication) -> None:
    found = measured(publication.context())
    assert found["queue_age_seconds",] == 0
    assert found["subscribers", "confirmed"] == 0
    assert found["paused",] == 0
    assert ("last_issue_timestamp_seconds",) not in found
    assert [key[1:] for key in found if key[0] == "build_info"]


def test_an_issue_is_told_by_state_from_queue_to_end(
    publication: Publication, clock: Clock
) -> None:
    publication.crowd(5)
    publication.essay()
    context = publication.context()
    chosen, revision_id = prepared(context)
    send.enqueue(context, chosen, revision_id)
    clock.now += timedelta(minutes=5)
    found = measured(context)
    assert found["deliveries", "2026-11-26", "queued"] == 5
    assert found["deliveries", "2026-11-26", "sent"] == 0
    assert found["audience", "2026-11-26"] == 5
    assert found["queue_age_seconds",] == 300
    assert found["issues", "sending"] == 1
    send.deliver_issue(context, chosen)
    found = measured(context)
    assert found["deliveries", "2026-11-26", "sent"] == found["ledger_deliveries", "sent"] == 5
    assert found["queue_age_seconds",] == 0
    queued = clock.now - timedelta(minutes=5)
    assert found["last_issue_timestamp_seconds",] == pytest.approx(queued.timestamp(), abs=1)


def test_the_queue_ages_with_what_is_due_only(publication: Publication, clock: Clock) -> None:
    publication.crowd(2)
    publication.essay()
    context = publication.context()
    chosen, revision_id = prepared(context)
    send.enqueue(context, chosen, revision_id)
    issues.set_state(context.store, chosen, IssueState.PAUSED, now=clock.now)
    clock.now += timedelta(hours=1)
    assert measured(context)["queue_age_seconds",] == 0  # paused by hand: nobody is late
    assert measured(context)["issues", "paused"] == 1


def test_people_reports_and_standstills_are_counted(publication: Publication, clock: Clock) -> None:
    publication.crowd(4)
    publication.essay()
    context = publication.context()
    sent(context)
    publication.run("subscribers", "unsubscribe", "reader1@example.org")
    publication.run("subscribers", "suppress", "reader2@example.org", "--reason", "complaint")
    for number, kind in enumerate(("hard", "soft", "soft", "complaint")):
        record(
            context.store, report_key=f"{number}", issue_number=1, subscriber=number + 1, kind=kind,
            code="5.1.1", reason="", raw=b"", now=clock.now,
        )  # fmt: skip
    workers.register_sender(context.store, host="h", pid=1, process_start="x", now=clock.now)
    with context.store.writing() as connection:
        begin(connection, PauseKind.RESTORED, as_of=clock.now, place="", now=clock.now)
    found = measured(context)
    assert found["subscribers", "confirmed"] == 3
    assert found["subscribers", "unsubscribed"] == 1
    assert found["suppressions", "complaint"] == 1
    assert (found["bounces", "hard"], found["bounces", "soft"]) == (1, 2)
    assert found["complaints",] == 1
    assert found["senders",] == 1
    assert found["paused",] == 1
    end(context.store, by="test", now=clock.now)
    clock.now += timedelta(hours=1)  # the sender was killed and shows no life
    assert measured(context)["paused",] == measured(context)["senders",] == 0


def test_feeds_are_told_by_health_and_name(publication: Publication, clock: Clock) -> None:
    (publication.home / "content/feeds.toml").write_text(
        "".join(
            f'[[feeds]]\nname = "{name}"\nurl = "https://{name}.example.org/feed"\n'
            for name in ("gut", "krank", "zu", "neu")
        )
        + '[[feeds]]\nname = "aus"\nurl = "https://aus.example.org/"\nactive = false\n',
        encoding="utf-8",
    )
    context = publication.context()
    url = "https://{}.example.org/feed".format
    record_states(
        context.store,
        [
            FeedState(url("gut"), "gut", succeeded_at=clock.now),
            FeedState(url("krank"), "krank", errors=3, succeeded_at=clock.now - timedelta(days=2)),
            FeedState(url("zu"), "zu", stopped=True),
        ],
    )
    found = measured(context)
    assert {key[1]: n for key, n in found.items() if key[0] == "feeds"} == {
        "ok": 1, "failing": 1, "stopped": 1, "new": 1,
    }  # fmt: skip
    assert found["feed_errors", "krank"] == 3
    two_days_ago = (clock.now - timedelta(days=2)).timestamp()
    assert found["feed_last_success_timestamp_seconds", "krank"] == pytest.approx(two_days_ago)
    (publication.home / "content/feeds.toml").write_text("not toml", encoding="utf-8")
    assert ("feeds", "ok") not in measured(context)  # an editor's slip hides no queue


def test_no_figure_carries_an_address(publication: Publication) -> None:
    publication.crowd(2)
    publication.run("subscribers", "suppress", "weg@example.org", "--reason", "by weg@example.org")
    publication.run("subscribers", "suppress", "@example.net", "--reason", 'quo"te\\n')
    told = Meter(publication.context()).text().decode()
    assert "@" not in told and "example.org" not in told
    assert figures(told)["suppressions", 'quo"te\\n'] == 1


@pytest.mark.skipif(not shutil.which("promtool"), reason="Prometheus's promtool is not installed")
def test_promtool_finds_nothing_to_mend(publication: Publication) -> None:
    publication.crowd(1)
    publication.essay()
    sent(publication.context())
    told = Meter(publication.context()).text()
    done = subprocess.run(["promtool", "check", "metrics"], input=told, capture_output=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_the_room_left_is_that_of_the_disk_where_the_state_lies(
    publication: Publication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    real = shutil.disk_usage

    def usage(path: Path) -> Any:
        asked.append(path)
        return real(path)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    Meter(publication.context(STATE=str(tmp_path / "elsewhere"))).text()
    assert asked == [tmp_path / "elsewhere"]


def test_the_last_backups_time_is_told(publication: Publication) -> None:
    publication.crowd(1)
    assert ("last_backup_timestamp_seconds",) not in measured(publication.context())
    publication.run("backup")
    (made,) = (publication.home / "var/backups").glob("*.tar.gz")
    told = measured(publication.context())["last_backup_timestamp_seconds",]
    assert told == pytest.approx(made.stat().st_mtime)


# --- cheap


def test_scrapes_that_follow_one_another_share_an_answer(publication: Publication) -> None:
    publication.crowd(1)
    publication.essay()
    context, watch = publication.context(), Watch()
    sent(context)
    meter = Meter(context, timer=watch)
    with statements(context) as first:
        before = meter.text()
    assert first
    with statements(context) as second:
        assert meter.text() == before
    assert second == []
    watch.now += 11
    with statements(context) as third:
        meter.text()
    # The settled issue is not counted again, nor the people before their minute is over.
    assert third and not [one for one in third if "GROUP BY" in one]


def test_what_is_settled_is_counted_the_more_rarely_the_older_it_is(clock: Clock) -> None:
    def queue(days: float, *, waits: bool) -> Queue:
        queued = clock.now - timedelta(days=days)
        return Queue("i", "sending", 9, queued, queued if waits else None, None, False)

    def again(seconds: float, cost: float = 0.0, **told: float | bool) -> bool:
        counted = clock.now - timedelta(seconds=seconds)
        return stale(counted, cost, queue(**told), clock.now)  # type: ignore[arg-type]

    assert not again(9, days=1, waits=True)
    assert again(10, days=1, waits=True)
    assert not again(3600, days=1, waits=False)
    assert again(3 * 3600, days=1, waits=False)
    assert not again(86400, days=365, waits=False)
    assert not again(SHARE * 2 - 1, 2.0, days=1, waits=True)  # two seconds each forty, not each ten
    assert again(SHARE * 2, 2.0, days=1, waits=True)


def test_a_resend_of_an_old_issue_is_seen_at_once(publication: Publication, clock: Clock) -> None:
    publication.crowd(2)
    publication.essay()
    context, watch = publication.context(), Watch()
    sent(context)
    meter = Meter(context, timer=watch)
    meter.text()
    with context.store.writing() as connection:
        connection.exec_driver_sql(
            "UPDATE deliveries SET state='queued', sender_id=0 WHERE subscriber_id=1"
        )
    clock.now += timedelta(seconds=20)
    watch.now += 20
    found = figures(meter.text())
    assert found["deliveries", "2026-11-26", "queued"] == 1
    assert found["ledger_deliveries", "sent"] == 1


def test_each_query_goes_down_an_index(publication: Publication) -> None:
    """The plan, not the time: what scans a million deliveries on a quiet machine is no test."""
    publication.crowd(1)
    publication.essay()
    context = publication.context()
    sent(context)
    with statements(context) as seen:
        Meter(context).text()
    about = [one for one in seen if "deliveries" in one]
    assert len(about) == 2
    with context.store.reading() as connection:
        plans = [
            " / ".join(
                row[3]
                for row in connection.exec_driver_sql(
                    "EXPLAIN QUERY PLAN " + one, tuple("x" * one.count("?"))
                )
            )
            for one in about
        ]
    assert not [plan for plan in plans if "SCAN deliveries" in plan]
    assert all("ix_deliveries_queue" in plan or "COVERING INDEX" in plan for plan in plans)


# --- for whom


def test_this_machine_sees_the_figures() -> None:
    for peer, host in (
        ("127.0.0.1", "127.0.0.1:8040"),
        ("::1", "[::1]:8040"),
        ("127.0.0.1", "localhost"),
    ):
        assert may_see(
            "loopback", peer=peer, client=peer, headers={"host": host}, http_version="1.1"
        )


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "127.0.0.1:8040", "x-forwarded-for": "203.0.113.7"},
        {"host": "127.0.0.1:8040", "x-forwarded-for": "127.0.0.1"},  # a visitor may write that
        {"host": "127.0.0.1:8040", "x-forwarded-proto": "https"},
        {"host": "127.0.0.1:8040", "x-real-ip": "203.0.113.7"},
        {"host": "127.0.0.1:8040", "forwarded": "for=203.0.113.7"},
        {"host": "127.0.0.1:8040", "via": "1.1 proxy"},
        {"host": "newsletter.example.org"},
        {"host": ""},
        {},
    ],
)
def test_the_world_behind_a_proxy_of_this_machine_does_not(headers: dict[str, str]) -> None:
    assert not may_see("loopback", headers=headers, **HERE)


def test_a_proxy_that_says_nothing_is_betrayed_by_its_protocol() -> None:
    assert not may_see(
        "loopback", peer="127.0.0.1", client="127.0.0.1", headers=LOCAL, http_version="1.0"
    )


def test_other_machines_do_not_unless_their_network_is_named() -> None:
    asked = {"headers": {"host": "news.internal:8040"}, "http_version": "1.1"}
    far = {"peer": "10.1.2.3", "client": "10.1.2.3"}
    assert not may_see("loopback", **far, **asked)  # type: ignore[arg-type]
    assert may_see(("10.1.0.0/16",), **far, **asked)  # type: ignore[arg-type]
    assert not may_see(("10.2.0.0/16",), **far, **asked)  # type: ignore[arg-type]
    assert may_see(("10.2.0.0/16",), headers=LOCAL, **HERE)  # this machine still does
    # Through a trusted proxy it is the visitor's address that counts, not the proxy's.
    through = {"peer": "10.1.2.3", "client": "203.0.113.7"}
    assert not may_see(("10.1.0.0/16",), **through, **asked)  # type: ignore[arg-type]


def test_off_is_off_for_everybody() -> None:
    assert not may_see("off", headers=LOCAL, **HERE)


@pytest.fixture
def door(publication: Publication) -> Iterator[Door]:
    with opened(publication.context(), free_port()) as made:
        yield made


def test_the_door_answers_prometheus(publication: Publication, door: Door) -> None:
    answer = door.get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert figures(answer.text)["paused",] == 0


def test_the_door_hides_the_figures_from_who_comes_through_a_proxy(door: Door) -> None:
    for told in ({"X_Forwarded_For": "203.0.113.7"}, {"X_Forwarded_For": "127.0.0.1"}, {"Host": "umbaupost.example.net"}):  # fmt: skip
        answer = door.get("/metrics", **told)
        assert answer.status == 404
        assert "upcycle_news_" not in answer.text


def test_the_setting_takes_a_word_or_networks(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text, told in (("off", "off"), ('["10.0.0.0/8"]', ("10.0.0.0/8",))):
        monkeypatch.setenv("UPCYCLE_NEWS_WEB__METRICS", text)
        assert load_settings(publication.home).web.metrics == told
    assert "WEB__METRICS" in publication.run("check", code=1, WEB__METRICS='["10.0.0.1/8"]').err
    publication.setting(
        "[sender]", '[web]\nmetrics = ["192.0.2.0/24", "2001:db8::/32"]\n\n[sender]'
    )
    monkeypatch.delenv("UPCYCLE_NEWS_WEB__METRICS")
    assert load_settings(publication.home).web.metrics == ("192.0.2.0/24", "2001:db8::/32")


def test_the_command_prints_the_same(publication: Publication) -> None:
    assert ("queue_age_seconds",) in figures(publication.run("metrics").out)

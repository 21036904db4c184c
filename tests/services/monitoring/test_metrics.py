"""The metrics are right, cheap to compute, and visible to the operator only."""

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
from upcycle_news.models import DeliveryState, IssueId
from upcycle_news.services.delivery import send
from upcycle_news.services.monitoring.metrics import COST_FACTOR, MetricsExporter, needs_recount
from upcycle_news.storage import deliveries, issues, workers
from upcycle_news.storage.bounces import NewReport, record
from upcycle_news.storage.feeds import FeedState, record_states
from upcycle_news.storage.send_hold import HoldKind, clear, start
from upcycle_news.web.metrics import may_see_metrics

from ...delivery.memory_ledger import Clock
from ...processes import free_port
from ...publications import Publication, approve_issue, send_issue
from ...web.web_server import WebServer, running_server

Samples = dict[tuple[str, ...], float]
FROM_LOOPBACK = {"peer": "127.0.0.1", "client": "127.0.0.1", "http_version": "1.1"}
LOCAL = {"host": "127.0.0.1:8040"}


def parse_metrics(text: bytes | str) -> Samples:
    """Return every sample by its name and label values, as Prometheus's own parser reads it."""
    content = text if isinstance(text, str) else text.decode()
    return {
        (sample.name.removeprefix("upcycle_news_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(content)
        for sample in family.samples
    }


class ManualTimer:
    """A timer that tests advance."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def collect_metrics(context: AppContext) -> Samples:
    return parse_metrics(MetricsExporter(context).text())


@contextmanager
def recorded_statements(context: AppContext) -> Iterator[list[str]]:
    """Yield a list that collects the SQL executed inside the `with`."""
    executed: list[str] = []

    def record_statement(_c: object, _cursor: object, statement: str, *_: object) -> None:
        executed.append(statement)

    engine = context.store._engine
    event.listen(engine, "before_cursor_execute", record_statement)
    yield executed
    event.remove(engine, "before_cursor_execute", record_statement)


# --- values


def test_a_new_publication_has_metrics(publication: Publication) -> None:
    samples = collect_metrics(publication.context())
    assert samples["queue_age_seconds",] == 0
    assert samples["subscribers", "confirmed"] == 0
    assert samples["paused",] == 0
    assert ("last_issue_timestamp_seconds",) not in samples
    assert [key[1:] for key in samples if key[0] == "build_info"]


def test_deliveries_are_counted_by_state_from_queue_to_end(
    publication: Publication, clock: Clock
) -> None:
    publication.add_many_subscribers(5)
    publication.write_essay()
    context = publication.context()
    chosen, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    clock.now += timedelta(minutes=5)
    samples = collect_metrics(context)
    assert samples["deliveries", "2026-11-26", "queued"] == 5
    assert samples["deliveries", "2026-11-26", "sent"] == 0
    assert samples["audience", "2026-11-26"] == 5
    assert samples["queue_age_seconds",] == 300
    assert samples["issues", "sending"] == 1
    send.deliver_issue(context, chosen)
    samples = collect_metrics(context)
    assert samples["deliveries", "2026-11-26", "sent"] == samples["ledger_deliveries", "sent"] == 5
    assert samples["queue_age_seconds",] == 0
    queued = clock.now - timedelta(minutes=5)
    assert samples["last_issue_timestamp_seconds",] == pytest.approx(queued.timestamp(), abs=1)


def test_the_queue_age_ignores_a_paused_issue(publication: Publication, clock: Clock) -> None:
    publication.add_many_subscribers(2)
    publication.write_essay()
    context = publication.context()
    chosen, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    issues.pause(context.store, chosen, by="test", reason="", now=clock.now)
    clock.now += timedelta(hours=1)
    assert collect_metrics(context)["queue_age_seconds",] == 0  # paused by hand: nothing is late
    assert collect_metrics(context)["issues", "paused"] == 1


def test_subscribers_reports_and_send_holds_are_counted(
    publication: Publication, clock: Clock
) -> None:
    publication.add_many_subscribers(4)
    publication.write_essay()
    context = publication.context()
    send_issue(context)
    publication.run("subscribers", "unsubscribe", "reader1@example.org")
    publication.run("subscribers", "suppress", "reader2@example.org", "--reason", "complaint")
    for number, kind in enumerate(("hard", "soft", "soft", "complaint")):
        record(context.store, NewReport(f"{number}", 1, number + 1, kind), now=clock.now)
    workers.register_worker(context.store, host="h", pid=1, process_start="x", now=clock.now)
    with context.store.writing() as connection:
        start(connection, HoldKind.RESTORED, as_of=clock.now, location="", now=clock.now)
    samples = collect_metrics(context)
    assert samples["subscribers", "confirmed"] == 3
    assert samples["subscribers", "unsubscribed"] == 1
    assert samples["suppressions", "complaint"] == 1
    assert (samples["bounces", "hard"], samples["bounces", "soft"]) == (1, 2)
    assert samples["complaints",] == 1
    assert samples["senders",] == 1
    assert samples["paused",] == 1
    clear(context.store, by="test", now=clock.now)
    clock.now += timedelta(hours=1)  # the worker was killed: no heartbeat
    assert collect_metrics(context)["paused",] == collect_metrics(context)["senders",] == 0


def test_feeds_are_counted_by_health_and_listed_by_name(
    publication: Publication, clock: Clock
) -> None:
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
    samples = collect_metrics(context)
    assert {key[1]: n for key, n in samples.items() if key[0] == "feeds"} == {
        "ok": 1, "failing": 1, "stopped": 1, "new": 1,
    }  # fmt: skip
    assert samples["feed_errors", "krank"] == 3
    two_days_ago = (clock.now - timedelta(days=2)).timestamp()
    assert samples["feed_last_success_timestamp_seconds", "krank"] == pytest.approx(two_days_ago)
    (publication.home / "content/feeds.toml").write_text("not toml", encoding="utf-8")
    assert ("feeds", "ok") not in collect_metrics(
        context
    )  # a broken feeds.toml hides no other metrics


def test_no_metric_contains_an_address(publication: Publication) -> None:
    publication.add_many_subscribers(2)
    publication.run("subscribers", "suppress", "weg@example.org", "--reason", "by weg@example.org")
    publication.run("subscribers", "suppress", "@example.net", "--reason", 'quo"te\\n')
    text = MetricsExporter(publication.context()).text().decode()
    assert "@" not in text and "example.org" not in text
    assert parse_metrics(text)["suppressions", 'quo"te\\n'] == 1


@pytest.mark.skipif(not shutil.which("promtool"), reason="Prometheus's promtool is not installed")
def test_promtool_finds_no_problem(publication: Publication) -> None:
    publication.add_many_subscribers(1)
    publication.write_essay()
    send_issue(publication.context())
    text = MetricsExporter(publication.context()).text()
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_free_bytes_are_those_of_the_state_folders_disk(
    publication: Publication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    real = shutil.disk_usage

    def usage(path: Path) -> Any:
        asked.append(path)
        return real(path)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    MetricsExporter(publication.context(STATE=str(tmp_path / "elsewhere"))).text()
    assert asked == [tmp_path / "elsewhere"]


def test_the_time_of_the_last_backup_is_a_metric(publication: Publication) -> None:
    publication.add_many_subscribers(1)
    assert ("last_backup_timestamp_seconds",) not in collect_metrics(publication.context())
    publication.run("backup")
    (made,) = (publication.home / "var/backups").glob("*.tar.gz")
    at = collect_metrics(publication.context())["last_backup_timestamp_seconds",]
    assert at == pytest.approx(made.stat().st_mtime)


# --- cost


def test_scrapes_within_seconds_share_a_result(publication: Publication) -> None:
    publication.add_many_subscribers(1)
    publication.write_essay()
    context, timer = publication.context(), ManualTimer()
    send_issue(context)
    exporter = MetricsExporter(context, timer=timer)
    with recorded_statements(context) as first:
        before = exporter.text()
    assert first
    with recorded_statements(context) as second:
        assert exporter.text() == before
    assert second == []
    timer.now += 11
    with recorded_statements(context) as third:
        exporter.text()
    # A closed issue is not counted, nor are subscribers within a minute.
    counted = [statement for statement in third if "GROUP BY" in statement]
    assert [statement for statement in counted if "FROM issues" not in statement] == []


def test_an_issue_is_counted_again_the_less_often_the_longer_that_takes(clock: Clock) -> None:
    def again(seconds: float, cost: float = 0.0) -> bool:
        return needs_recount(clock.now - timedelta(seconds=seconds), cost, clock.now)

    assert not again(9)
    assert again(10)
    assert not again(COST_FACTOR * 2 - 1, 2.0)  # two seconds each forty, not each ten
    assert again(COST_FACTOR * 2, 2.0)


def test_a_resend_of_an_old_issue_is_counted_at_once(
    publication: Publication, clock: Clock
) -> None:
    publication.add_many_subscribers(2)
    publication.write_essay()
    context, timer = publication.context(), ManualTimer()
    issue = IssueId.parse(send_issue(context).issue)
    exporter = MetricsExporter(context, timer=timer)
    assert parse_metrics(exporter.text())["issues", "closed"] == 1
    with context.store.writing() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET state='unknown' WHERE subscriber_id=1")
    deliveries.requeue(context.store, issue, DeliveryState.UNKNOWN, now=clock.now)
    clock.now += timedelta(seconds=20)
    timer.now += 20
    samples = parse_metrics(exporter.text())
    assert samples["deliveries", "2026-11-26", "queued"] == 1
    assert samples["ledger_deliveries", "sent"] == 1
    assert (samples["issues", "closed"], samples["issues", "sending"]) == (0, 1)


def test_each_query_uses_an_index(publication: Publication) -> None:
    """The query plan is checked, not the time, which depends on the machine."""
    publication.add_many_subscribers(1)
    publication.write_essay()
    context = publication.context()
    _, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    with recorded_statements(context) as executed:
        MetricsExporter(context).text()
    queries = [query for query in executed if "deliveries" in query]
    assert len(queries) == 3
    with context.store.reading() as connection:
        plans = [
            " / ".join(
                row[3]
                for row in connection.exec_driver_sql(
                    "EXPLAIN QUERY PLAN " + query, tuple("x" * query.count("?"))
                )
            )
            for query in queries
        ]
    assert not [plan for plan in plans if "SCAN" in plan]
    assert sum("SEARCH packed_deliveries USING INDEX" in plan for plan in plans) == 1


# --- access


def test_loopback_requests_see_the_metrics() -> None:
    for peer, host in (
        ("127.0.0.1", "127.0.0.1:8040"),
        ("::1", "[::1]:8040"),
        ("127.0.0.1", "localhost"),
    ):
        assert may_see_metrics(
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
def test_requests_through_a_proxy_on_this_machine_do_not(headers: dict[str, str]) -> None:
    assert not may_see_metrics("loopback", headers=headers, **FROM_LOOPBACK)


def test_a_proxy_without_headers_is_recognised_by_http_1_0() -> None:
    assert not may_see_metrics(
        "loopback", peer="127.0.0.1", client="127.0.0.1", headers=LOCAL, http_version="1.0"
    )


def test_other_machines_need_their_network_in_the_setting() -> None:
    request = {"headers": {"host": "news.internal:8040"}, "http_version": "1.1"}
    far = {"peer": "10.1.2.3", "client": "10.1.2.3"}
    assert not may_see_metrics("loopback", **far, **request)  # type: ignore[arg-type]
    assert may_see_metrics(("10.1.0.0/16",), **far, **request)  # type: ignore[arg-type]
    assert not may_see_metrics(("10.2.0.0/16",), **far, **request)  # type: ignore[arg-type]
    assert may_see_metrics(
        ("10.2.0.0/16",), headers=LOCAL, **FROM_LOOPBACK
    )  # this machine still does
    # Through a trusted proxy it is the visitor's address that counts, not the proxy's.
    through = {"peer": "10.1.2.3", "client": "203.0.113.7"}
    assert not may_see_metrics(("10.1.0.0/16",), **through, **request)  # type: ignore[arg-type]


def test_off_hides_the_metrics_from_everybody() -> None:
    assert not may_see_metrics("off", headers=LOCAL, **FROM_LOOPBACK)


@pytest.fixture
def server(publication: Publication) -> Iterator[WebServer]:
    with running_server(publication.context(), free_port()) as made:
        yield made


def test_the_web_server_answers_prometheus(publication: Publication, server: WebServer) -> None:
    answer = server.get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert parse_metrics(answer.text)["paused",] == 0


def test_the_web_server_hides_metrics_from_requests_through_a_proxy(server: WebServer) -> None:
    for headers in ({"X_Forwarded_For": "203.0.113.7"}, {"X_Forwarded_For": "127.0.0.1"}, {"Host": "umbaupost.example.net"}):  # fmt: skip
        answer = server.get("/metrics", **headers)
        assert answer.status == 404
        assert "upcycle_news_" not in answer.text


def test_the_setting_takes_a_word_or_networks(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text, expected in (("off", "off"), ('["10.0.0.0/8"]', ("10.0.0.0/8",))):
        monkeypatch.setenv("UPCYCLE_NEWS_WEB__METRICS", text)
        assert load_settings(publication.home).web.metrics == expected
    assert "WEB__METRICS" in publication.run("check", code=1, WEB__METRICS='["10.0.0.1/8"]').err
    publication.change_setting(
        "[sender]", '[web]\nmetrics = ["192.0.2.0/24", "2001:db8::/32"]\n\n[sender]'
    )
    monkeypatch.delenv("UPCYCLE_NEWS_WEB__METRICS")
    assert load_settings(publication.home).web.metrics == ("192.0.2.0/24", "2001:db8::/32")


def test_the_command_prints_the_metrics(publication: Publication) -> None:
    assert ("queue_age_seconds",) in parse_metrics(publication.run("metrics").out)

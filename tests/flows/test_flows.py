"""The flows make the same issue and mails as the commands; relays that fail for a while."""

from __future__ import annotations

import re
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from upcycle_news.demo.feed_server import DemoSite

from ..bounces.dmarc.report_generator import Record, gzipped, report_mail, report_xml
from ..bounces.inbox_folder import make_inbox, put
from ..bounces.test_replies import reply
from ..delivery.memory_ledger import Clock
from ..processes import free_port
from ..publications import Publication, parse_mail, relay_variables
from ..services.delivery.sink_relay import Sink

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


def run_flow(flow: Any, **parameters: Any) -> tuple[str, str]:
    """Run a flow; return the name and message of its final state."""
    state = flow(**parameters, return_state=True)
    assert state.is_completed(), state.message
    return state.name, state.message


def without_date(mails: list[bytes]) -> list[bytes]:
    return sorted(re.sub(rb"\r\nDate: [^\r]*", b"", mail) for mail in mails)


def test_a_flow_sends_the_same_issue_as_the_command(
    publication: Publication, flows: Any, tmp_path: Path, clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    publication.write_essay("Was vom Bahnhof bleibt", topics="[bestand, kleinstadt]")
    readers = publication.add_many_subscribers(3)
    publication.context().link_signer  # noqa: B018  makes the key that both copies sign with
    settings = {"FEEDS__ALLOW_PRIVATE": "true"}
    with DemoSite(datetime.now(UTC)) as site:
        (publication.home / "content/feeds.toml").write_text(site.feeds_toml())
        assert publication.run("feeds", "collect", "--json", **settings).json["failed"] == []
    publication.__exit__()
    copy = Publication(tmp_path / "copy", clock)
    shutil.copytree(publication.home, copy.home)

    by_hand = publication.run("issue", "send", "--yes", "--json").json
    monkeypatch.setenv("UPCYCLE_NEWS_HOME", str(copy.home))
    name, message = run_flow(flows.publish_issue, approve=True)
    assert name == "Completed"
    assert message == (
        f"Ausgabe {by_hand['issue']}: an 3 von 3 verschickt, aber nur in das eingebaute Postfach auf diesem "
        "Rechner; keine Leserin und kein Leser hat sie"
    )
    assert copy.run("issue", "status", "--json").json == by_hand
    assert copy.recipients() == publication.recipients() == readers
    assert without_date(copy.mails()) == without_date(publication.mails())

    name, message = run_flow(flows.publish_issue, approve=True)
    assert name == "NothingNew"
    assert "Kein neuer Essay" in message
    assert len(copy.mails()) == 3


def test_an_issue_waits_for_its_approval_and_is_then_sent(
    publication: Publication, flows: Any
) -> None:
    publication.write_essay()
    readers = publication.add_many_subscribers(2)
    name, message = run_flow(flows.publish_issue, dry_run=True)
    assert (name, "nicht verschickt" in message) == ("DryRun", True)
    name, message = run_flow(flows.publish_issue)
    assert name == "WaitingForApproval"
    assert "upcycle-news issue approve" in message
    assert run_flow(flows.deliver_pending)[0] == "NothingPending"
    assert publication.mails() == []
    publication.run("issue", "approve")
    name, message = run_flow(flows.deliver_pending)
    assert (name, "an 2 von 2 verschickt" in message) == ("Completed", True)
    assert publication.recipients() == readers
    assert run_flow(flows.deliver_pending)[0] == "NothingPending"


def test_editors_get_a_test_mail_first_and_a_dead_feed_degrades_the_run(
    publication: Publication, flows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    publication.write_essay()
    consent = ("--consent", "letter of 3 May 2026", "--group", "redaktion")
    publication.run("subscribers", "add", "anna@example.org", *consent)
    monkeypatch.setenv("UPCYCLE_NEWS_FEEDS__ALLOW_PRIVATE", "true")
    listed = publication.home / "content/feeds.toml"
    with DemoSite(datetime.now(UTC)) as site:
        listed.write_text(f'[[feeds]]\nname = "Verstummt"\nurl = "{site.url}/gone.xml"\n')
        name, message = run_flow(flows.collect_feeds)
        assert (name, "Verstummt: " in message) == ("Degraded", True)
        listed.write_text(f'[[feeds]]\nname = "Verzogen"\nurl = "{site.url}/moved.xml"\n')
        name, message = run_flow(flows.publish_issue, test_group="redaktion", approve=True)
    assert name == "Degraded"
    assert "an 1 von 1 verschickt" in message
    assert "Verzogen" in message
    assert publication.recipients() == ["anna@example.org"] * 2


def test_no_run_shows_an_address_to_prefect(publication: Publication, flows: Any) -> None:
    """Prefect keeps parameters, results and messages in plain form."""
    publication.write_essay()
    publication.add_many_subscribers(2)
    state = flows.publish_issue(approve=True, return_state=True)
    assert "@example.org" not in f"{state.message} {state.data!r}"
    publication.change_setting(
        'lines = ["Umbau e. V., Lange Straße 1, 12345 Musterstadt"]', "lines = []"
    )
    publication.write_essay("Ohne Impressum")
    failed = flows.publish_issue(approve=True, return_state=True)
    assert failed.is_failed()
    assert "imprint" in failed.message
    assert "@example.org" not in f"{failed.message} {failed.data!r}"


def test_a_run_over_the_inbox_leaves_no_address_in_prefects_database(
    publication: Publication, flows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replies, a request to leave and a DMARC report: neither who wrote nor what is kept there."""
    from prefect.settings import get_current_settings

    make_inbox(publication)
    publication.write_essay()
    publication.add_many_subscribers(1)
    monkeypatch.setenv("UPCYCLE_NEWS_INBOX__MAILDIR", "inbox")
    publication.run("issue", "send", "--yes")
    [answered] = [str(parse_mail(mail)["Message-ID"]) for mail in publication.mails()]
    writer = "heimlich@example.com"
    put(
        publication,
        reply(answered, sender=writer, text="Ein Geheimnis"),
        reply("", number=2, sender=writer, text=f"Bitte abmelden: {writer}"),
        report_mail(gzipped(report_xml([Record("198.51.100.7", 5, dkim="fail")]))),
    )
    name, message = run_flow(flows.collect_bounces)
    assert "Antwort" in message, (name, message)
    url = get_current_settings().server.database.connection_url.get_secret_value()
    file = Path(url.partition("///")[2])
    data = b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))
    assert b"collect-bounces" in data  # it is the database of that run
    assert not [word for word in (b"heimlich", b"Geheimnis", b"@example.org") if word in data]


def set_retry_delays(monkeypatch: pytest.MonkeyPatch, *delays: float) -> None:
    """Let publish-issue retry after these seconds instead of ten and sixty."""
    module = sys.modules["upcycle_news_flows.publish_issue"]
    deliver = module.deliver.with_options(retries=len(delays), retry_delay_seconds=list(delays))
    monkeypatch.setattr(module, "deliver", deliver)


def test_an_unreachable_relay_keeps_all_deliveries_queued(
    publication: Publication, flows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run retries, then fails with a sentence; deliver-pending continues by itself."""
    set_retry_delays(monkeypatch, 0.1, 0.1)
    publication.write_essay()
    readers = publication.add_many_subscribers(3)
    for name, value in relay_variables(free_port()).items():
        monkeypatch.setenv(f"UPCYCLE_NEWS_{name}", value)
    failed = flows.publish_issue(approve=True, return_state=True)
    assert failed.is_failed()
    assert "nicht erreichbar, dort nimmt niemand Verbindungen an" in failed.message
    assert "0 von 3 verschickt; das Relay ist seit" in failed.message
    status = publication.run("issue", "status", "--json").json
    assert (status["queued"], status["sent"], status["closed"]) == (3, 0, False)

    name, message = run_flow(flows.deliver_pending)
    assert name == "RelayAway"
    assert "es geht von selbst weiter" in message
    with Sink() as sink:
        monkeypatch.setenv("UPCYCLE_NEWS_RELAYS__MAIN__PORT", str(sink.port))
        name, message = run_flow(flows.deliver_pending)
    assert (name, "an 3 von 3 verschickt" in message) == ("Completed", True)
    assert sorted(sink.accepted) == readers
    assert {len(ids) for ids in sink.accepted.values()} == {1}


def test_a_relay_that_returns_within_the_retries_fails_no_run(
    publication: Publication, flows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_retry_delays(monkeypatch, 0.1, 0.1, 2.0, 2.0)
    publication.write_essay()
    publication.add_many_subscribers(2)
    port = free_port()
    for name, value in relay_variables(port).items():
        monkeypatch.setenv(f"UPCYCLE_NEWS_{name}", value)
    tries: list[str] = []
    from upcycle_news.api import runs

    original = runs.is_transient

    def record_try(error: object) -> bool:
        tries.append(type(error).__name__)
        if len(tries) == 2:
            sinks.append(Sink(port).__enter__())
        return original(error)

    sinks: list[Sink] = []
    monkeypatch.setattr(runs, "is_transient", record_try)
    try:
        name, message = run_flow(flows.publish_issue, approve=True)
    finally:
        for sink in sinks:
            sink.__exit__()
    assert (name, "an 2 von 2 verschickt" in message) == ("Completed", True)
    assert tries == ["RelayUnreachable"] * 2
    assert sinks[0].count == 2


def test_a_refusing_relay_is_not_retried(
    publication: Publication, flows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_retry_delays(monkeypatch, 60.0)
    publication.write_essay()
    publication.add_many_subscribers(1)
    with Sink() as sink:
        for name, value in relay_variables(sink.port).items():
            monkeypatch.setenv(f"UPCYCLE_NEWS_{name}", value)
        monkeypatch.setenv("UPCYCLE_NEWS_RELAYS__MAIN__SECURITY", "starttls")
        failed = flows.publish_issue(approve=True, return_state=True)
    assert failed.is_failed()
    assert "bietet kein STARTTLS an" in failed.message
    assert "exception" not in failed.message


def test_what_a_flow_put_into_the_mailbox_goes_to_everybody_once_a_relay_is_set(
    publication: Publication, flows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    publication.write_essay()
    readers = publication.add_many_subscribers(3)
    _, message = run_flow(flows.publish_issue, approve=True)
    assert "kein Leser hat sie" in message
    with Sink() as sink:
        for name, value in relay_variables(sink.port).items():
            monkeypatch.setenv(f"UPCYCLE_NEWS_{name}", value)
        assert run_flow(flows.deliver_pending)[0] == "NothingPending"
        assert sink.count == 0
        name, message = run_flow(flows.publish_issue, approve=True)
        assert (name, message.partition(": ")[2]) == ("Completed", "an 3 von 3 verschickt")
        assert run_flow(flows.publish_issue, approve=True)[0] == "NothingNew"
        assert sink.count == len(readers)


def test_a_flow_with_approve_that_found_nobody_leaves_nothing_to_send(
    publication: Publication, flows: Any
) -> None:
    publication.write_essay()
    failed = flows.publish_issue(approve=True, return_state=True)
    assert failed.is_failed()
    publication.add_many_subscribers(2)
    assert run_flow(flows.deliver_pending)[0] == "NothingPending"
    assert publication.mails() == []


def test_a_flow_with_approve_sends_no_issue_of_a_day_to_come(
    publication: Publication, flows: Any
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    coming = str(datetime.now(UTC).date() + timedelta(days=9))
    ended = flows.publish_issue(issue_date=coming, approve=True, return_state=True)
    assert (ended.is_cancelled(), ended.name) == (True, "TooEarly")
    publication.run("issue", "approve", coming)
    assert run_flow(flows.deliver_pending)[0] == "WaitsForItsDay"
    assert run_flow(flows.publish_issue, issue_date=coming)[0] == "WaitsForItsDay"
    assert publication.mails() == []

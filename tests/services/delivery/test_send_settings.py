"""What operators set and see: failover, lateness, a stalled send, VERP, DKIM keys, workers."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError, RelayError, SettingsError
from upcycle_news.mail.dkim import generate
from upcycle_news.models import EmailAddress, IssueId
from upcycle_news.services.delivery import send, worker_pool
from upcycle_news.services.delivery.lateness import stalled_since
from upcycle_news.transports.outcomes import RelayUnreachable

from ...delivery.memory_ledger import Clock
from ...publications import (
    Publication,
    approve_issue,
    issue_status,
    relay_variables,
)
from ...transports.bad_relays import MisbehavingRelay, always

ISSUE = "2026-11-26"


def queued(context: AppContext) -> IssueId:
    issue, rendered = approve_issue(context, ISSUE)
    send.enqueue(context, rendered)
    return issue


def nobody_listens() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def second_at(port: int) -> dict[str, str]:
    names = {name.replace("MAIN", "SECOND"): value for name, value in relay_variables(port).items()}
    return names | {"RELAYS__MAIN__FAILOVER": "second"}


def test_the_failover_relay_takes_what_was_never_tried(
    publication: Publication,
) -> None:
    publication.write_essay()
    readers = publication.add_many_subscribers(5)
    with MisbehavingRelay() as second:
        settings = {**relay_variables(nobody_listens()), **second_at(second.controller.port)}
        context = publication.context(**settings)
        issue = queued(context)
        assert send.deliver_issue(context, issue).sent == 5
    assert sorted(second.recipients) == sorted(readers)
    assert issue_status(context, issue).closed


def test_deliveries_that_the_first_relay_has_deferred_wait_for_it(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(3)
    with MisbehavingRelay(rcpt=always("450 4.2.0 later")) as first, MisbehavingRelay() as second:
        context = publication.context(
            **relay_variables(first.controller.port), **second_at(second.controller.port)
        )
        issue = queued(context)
        send.deliver_issue(context, issue)
        gone = publication.context(
            **relay_variables(nobody_listens()), **second_at(second.controller.port)
        )
        send.deliver_issue(gone, issue)
        assert second.recipients == []
    assert issue_status(context, issue).as_dict()["deferred"] == 3


def test_a_relay_that_is_away_leaves_the_issue_waiting_for_the_next_run(
    publication: Publication,
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    context = publication.context(**relay_variables(nobody_listens()))
    issue = queued(context)
    with pytest.raises(RelayUnreachable):
        send.deliver_issue(context, issue)
    with MisbehavingRelay() as server:
        later = publication.context(**relay_variables(server.controller.port))
        assert send.deliver_issue(later, issue).sent == 2  # no resume was needed


def test_a_failover_to_nowhere_is_refused(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context(
        **relay_variables(nobody_listens()), RELAYS__MAIN__FAILOVER="nowhere"
    )
    issue = queued(context)
    with pytest.raises(SettingsError, match="not another relay"):
        send.deliver_issue(context, issue)


def test_an_old_issue_is_refused_rather_than_sent_late(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    context = publication.context(RETRY__MAX_LATENESS_HOURS="6")
    issue, rendered = approve_issue(context, ISSUE)
    clock.now += timedelta(days=2)
    with pytest.raises(IssueError, match="hours late"):
        send.enqueue(context, rendered)
    clock.now -= timedelta(days=2)
    send.enqueue(context, rendered)
    clock.now += timedelta(hours=7)
    with pytest.raises(RelayError, match="too old to be sent"):
        send.deliver_issue(context, issue)
    assert issue_status(context, issue).as_dict()["queued"] == 2


def test_a_send_without_progress_is_reported(publication: Publication, clock: Clock) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    context = publication.context()
    issue = queued(context)
    assert stalled_since(context, issue) is None
    begun = clock.now
    clock.now += timedelta(minutes=11)
    assert stalled_since(context, issue) == begun
    send.deliver_issue(context, issue)
    assert stalled_since(context, issue) is None


def test_a_bounce_of_a_sent_mail_names_its_delivery(publication: Publication) -> None:
    publication.write_essay()
    publication.add_subscribers("anna@example.org")
    context = publication.context(
        SENDER__VERP="true", SENDER__ENVELOPE="bounces@umbaupost.example.net"
    )
    issue = queued(context)
    send.deliver_issue(context, issue)
    [path] = (publication.home / "var/mailbox/new").glob("*")
    sender = path.read_bytes().split(b"\r\n")[0].decode().partition(": ")[2]
    assert context.bounce_addresses is not None
    number, subscriber = context.bounce_addresses.read(sender)
    assert (number, subscriber) == (1, 1)


def test_mail_is_signed_when_a_key_is_there(publication: Publication, tmp_path: Path) -> None:
    publication.write_essay()
    publication.add_subscribers("anna@example.org")
    key = tmp_path / "key.pem"
    key.write_text(generate("rsa").pem, encoding="utf-8")
    context = publication.context(DKIM__SELECTOR="news", DKIM__RSA_KEY_FILE=str(key))
    send.deliver_issue(context, queued(context))
    [mail] = publication.mails()
    assert mail.startswith(b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;")


def test_a_key_without_its_selector_is_refused(publication: Publication) -> None:
    context = publication.context(DKIM__RSA_KEY=generate("rsa").pem)
    with pytest.raises(SettingsError, match="belong together"):
        _ = context.dkim_signers


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_a_new_key_comes_with_its_dns_record(publication: Publication, kind: str) -> None:
    done = publication.run("dkim", "keygen", "--selector", "n1", "--kind", kind, "--json")
    assert done.json["name"] == "n1._domainkey.umbaupost.example.net"
    assert done.json["value"].startswith(f"v=DKIM1; k={kind}; p=")
    path = Path(done.json["key_file"])
    assert path.stat().st_mode & 0o077 == 0
    again = publication.run("dkim", "keygen", "--selector", "n1", "--kind", kind, code=1)
    assert "gibt es schon: Nehmen Sie einen anderen --selector" in again.err
    shown = publication.run("dkim", "keygen", "--selector", "n2", "--kind", kind)
    assert 'IN TXT "v=DKIM1' in shown.out
    assert "PRIVATE" not in shown.output


@pytest.mark.slow
def test_a_long_list_is_shared_by_several_processes(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send, "MIN_QUEUED_FOR_POOL", 10)
    publication.write_essay()
    readers = publication.add_many_subscribers(300)
    with MisbehavingRelay() as server:
        context = publication.context(
            **relay_variables(server.controller.port), RELAYS__MAIN__CONNECTIONS="4"
        )
        issue = queued(context)
        report = send.deliver_issue(context, issue)
        assert sorted(server.recipients) == sorted(readers)
    assert report.sent == 300
    assert issue_status(context, issue).closed
    assert worker_pool.MIN_QUEUED_FOR_POOL > 10


@pytest.mark.parametrize(
    ("signed", "queued_count", "expected"),
    [(False, 19_999, 1), (False, 20_000, 4), (True, 4_999, 1), (True, 5_000, 4)],
    ids=["few", "many", "few signed", "many signed"],
)
def test_a_further_process_begins_where_it_is_worth_its_start(
    publication: Publication,
    monkeypatch: pytest.MonkeyPatch,
    signed: bool,
    queued_count: int,
    expected: int,
) -> None:
    key = {"DKIM__SELECTOR": "n1"} if signed else {}
    if signed:
        key["DKIM__RSA_KEY"] = generate("rsa").pem
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    monkeypatch.setattr(send.SendRun, "_queued", lambda run: queued_count)
    context = publication.context(**relay_variables(25), RELAYS__MAIN__CONNECTIONS="8", **key)
    with context.relay() as relay:
        run = send.SendRun(context, None, 0.0, lambda: False, lambda report: None)  # type: ignore[arg-type]
        assert run._process_count(relay) == expected


def test_an_address_beyond_ascii_has_its_domain_in_punycode() -> None:
    assert EmailAddress.parse("info@müller.example").address == "info@xn--mller-kva.example"

"""A machine or a store that is set back mails nobody twice: one sentence, and one command that goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta

import pytest

from upcycle_news.api import App
from upcycle_news.errors import IssueError, NothingNew, StoreMismatchError
from upcycle_news.models import DeliveryState, IssueId
from upcycle_news.models.digest import Rhythm
from upcycle_news.services.delivery import send
from upcycle_news.services.issues import compose
from upcycle_news.services.issues.digest import digest_id
from upcycle_news.services.journal import settle
from upcycle_news.services.runs.admission import admit_run, send_hold_result
from upcycle_news.services.runs.pending import pending_issues
from upcycle_news.storage import deliveries, issues

from ...delivery.memory_ledger import Clock
from ...publications import Publication, approve_issue, issue_status, send_issue, today
from ...transports.bad_relays import MisbehavingRelay
from ..issues.digest_readers import add_reader, go_to, offer_digest, send_one
from .machine import Machine, host_that_answers_everything, static_host

ISSUE = IssueId.parse("2026-11-26")


@pytest.fixture
def relay() -> Iterator[MisbehavingRelay]:
    with MisbehavingRelay() as started:
        yield started


@pytest.fixture
def machine(publication: Publication, relay: MisbehavingRelay) -> Machine:
    """A publication with an essay and three readers, and the journal's second place on a share."""
    publication.write_essay()
    publication.add_many_subscribers(3)
    share = publication.home.parent / "share"
    share.mkdir()
    return Machine(publication, relay, JOURNAL__SECOND=str(share))


def sent_once(machine: Machine) -> bool:
    return machine.recipients == [f"reader{number}@example.org" for number in (1, 2, 3)]


# --- the journal's second place tells


def test_a_digest_that_went_out_is_not_told_again(
    publication: Publication, relay: MisbehavingRelay, clock: Clock
) -> None:
    share = publication.home.parent / "share"
    share.mkdir()
    machine = Machine(publication, relay, JOURNAL__SECOND=str(share))
    offer_digest(publication)
    go_to(clock, "2026-11-02")
    add_reader(publication, "anna")
    publication.write_essay(date="2026-11-02")
    send_one(machine.context(), go_to(clock, "2026-11-05"))
    go_to(clock, "2026-12-01")
    machine.take_snapshot()
    digest = digest_id(machine.context())
    send_one(machine.context(), digest)
    assert machine.recipients == ["anna@example.org"]
    machine.set_back()
    context = machine.context()
    assert digest_id(context) == digest
    with pytest.raises(StoreMismatchError):
        send_one(context, digest)
    _, settled, _ = settle.confirm(context, by="Anna")
    assert settled.sent == (str(digest),)
    with pytest.raises(NothingNew):
        digest_id(context)
    assert machine.recipients == ["anna@example.org"]


def test_a_digest_tells_what_went_out_before_the_store_was_set_back(
    publication: Publication, relay: MisbehavingRelay, clock: Clock
) -> None:
    share = publication.home.parent / "share"
    share.mkdir()
    machine = Machine(publication, relay, JOURNAL__SECOND=str(share))
    offer_digest(publication)
    go_to(clock, "2026-10-02")
    add_reader(publication, "anna")
    add_reader(publication, "bert", Rhythm.EVERY_ISSUE)
    publication.write_essay(date="2026-11-02")
    issue = go_to(clock, "2026-11-05")
    compose.compose_issue(machine.context(), issue)
    machine.take_snapshot()  # of a store that does not know the period of November yet
    send_one(machine.context(), issue)
    machine.set_back()
    settle.confirm(machine.context(), by="Anna")
    go_to(clock, "2026-12-01")
    context = machine.context()
    send_one(context, digest_id(context))
    assert machine.recipients == ["anna@example.org", "bert@example.org"]
    with pytest.raises(NothingNew):
        digest_id(context)


def test_an_issue_that_all_got_in_a_digest_is_not_offered_again(
    publication: Publication, relay: MisbehavingRelay, clock: Clock
) -> None:
    share = publication.home.parent / "share"
    share.mkdir()
    machine = Machine(publication, relay, JOURNAL__SECOND=str(share))
    offer_digest(publication)
    go_to(clock, "2026-11-02")
    add_reader(publication, "anna")
    publication.write_essay(date="2026-11-02")
    machine.take_snapshot()
    send_one(machine.context(), go_to(clock, "2026-11-05"))
    go_to(clock, "2026-12-01")
    digest = digest_id(machine.context())
    send_one(machine.context(), digest)
    machine.set_back()
    context = machine.context()
    _, settled, _ = settle.confirm(context, by="Anna")
    assert settled.sent == ("2026-11-05", str(digest))
    with pytest.raises(NothingNew):
        compose.compose_issue(context, go_to(clock, "2026-12-03"))
    assert machine.recipients == ["anna@example.org"]


def sent_to_digest_readers(machine: Machine, clock: Clock) -> None:
    """Send an issue that all get in the digest, then set the store back to before it; its page stays."""
    offer_digest(machine.publication)
    go_to(clock, "2026-11-02")
    add_reader(machine.publication, "anna")
    machine.publication.write_essay(date="2026-11-02")
    issue = go_to(clock, "2026-11-05")
    compose.compose_issue(machine.context(), issue)
    machine.take_snapshot()
    send_one(machine.context(), issue)
    machine.set_back(keep=["archive"])


def test_a_page_of_an_issue_for_the_digest_is_told_by_it(
    publication: Publication, relay: MisbehavingRelay, clock: Clock
) -> None:
    share = publication.home.parent / "share"
    share.mkdir()
    machine = Machine(publication, relay, JOURNAL__SECOND=str(share))
    sent_to_digest_readers(machine, clock)
    report = App(machine.context()).store.settle(by="Anna")
    assert (report.sent, report.untold) == (("2026-11-05",), ())
    status = issue_status(machine.context(), IssueId.parse("2026-11-05"))
    assert (status.left_for_digest, str(status.digest_day)) == (1, "2026-12-01")
    go_to(clock, "2026-12-01")
    context = machine.context()
    send_one(context, digest_id(context))
    assert machine.recipients == ["anna@example.org"]


def test_where_the_journal_is_lost_an_issue_that_no_digest_tells_is_named(
    publication: Publication, relay: MisbehavingRelay, clock: Clock
) -> None:
    machine = Machine(publication, relay)
    sent_to_digest_readers(machine, clock)
    said = machine.run("store", "confirm", "--yes").err
    assert "Ausgabe 2026-11-05 steht in keinem Digest mehr" in said
    go_to(clock, "2026-12-01")
    with pytest.raises(NothingNew):
        digest_id(machine.context())


def test_how_many_get_it_in_a_digest_is_not_known_where_nobody_wrote_it_down(
    publication: Publication, relay: MisbehavingRelay, clock: Clock
) -> None:
    share = publication.home.parent / "share"
    share.mkdir()
    machine = Machine(publication, relay, JOURNAL__SECOND=str(share))
    sent_to_digest_readers(machine, clock)
    [journal] = [file for file in share.rglob("*") if file.is_file()]
    text = journal.read_text("utf-8")
    assert '"left_for_digest": 1, ' in text
    journal.write_text(text.replace('"left_for_digest": 1, ', ""), encoding="utf-8")  # as 0.2 did
    settle.confirm(machine.context(), by="Anna")
    status = issue_status(machine.context(), IssueId.parse("2026-11-05"))
    assert status.as_dict()["left_for_digest"] is None
    said = machine.run("issue", "status", "2026-11-05").out
    assert (
        "steht im Digest vom 2026-12-01. Wie viele sie nur dort bekommen, weiß niemand mehr" in said
    )


def test_after_everything_was_set_back_nobody_gets_the_issue_again_by_hand(
    machine: Machine,
) -> None:
    machine.take_snapshot()
    assert machine.send().json["sent"] == 3
    machine.set_back()
    refused = machine.send(code=1)
    assert f"Ausgabe {today()} ging am" in refused.err
    assert refused.err.count("\n") == 1
    assert "upcycle-news store confirm" in refused.err
    assert sent_once(machine)
    confirmed = machine.run("store", "confirm", "--yes", "--json").json
    assert confirmed["sent"] == [today()]
    assert "Kein neuer Essay" in machine.send(code=3).err
    assert "gilt als verschickt" in machine.run("issue", "status", today()).out
    assert sent_once(machine)


def test_a_page_that_cannot_be_made_again_is_named(machine: Machine) -> None:
    """The issue was composed after the snapshot: neither its text nor its page is here any more."""
    machine.take_snapshot()
    machine.send()
    machine.set_back()
    confirmed = machine.run("store", "confirm", "--yes")
    assert f"var/archive/archive/{today()}/index.html fehlt" in confirmed.err


def test_what_is_written_after_a_confirmation_goes_out_as_ever(machine: Machine) -> None:
    machine.take_snapshot()
    machine.send()
    machine.set_back()
    machine.run("store", "confirm", "--yes")
    machine.publication.write_essay("Ein zweiter Bahnhof")
    again = machine.send().json
    assert (again["issue"], again["sent"]) == (f"{today()}-2", 3)
    machine.run("store", "info")
    assert len(machine.recipients) == 6


def test_an_approved_issue_that_went_out_since_is_not_queued_again_by_the_schedule(
    machine: Machine, clock: Clock
) -> None:
    context = machine.context()
    approve_issue(context)
    machine.take_snapshot()
    context = machine.context()
    assert pending_issues(context) == ["2026-11-26"]
    send.deliver_issue(context, ISSUE)
    assert sent_once(machine)
    machine.set_back()
    clock.now += timedelta(minutes=5)
    context = machine.context()
    assert pending_issues(context) == []
    result = send_hold_result(context)
    assert result is not None
    assert (result.kind, result.name) == ("failed", "SendHold")
    assert "store confirm" in result.message
    admitted = admit_run(context, "next", planned_at=clock.now, run="run 2", max_lateness_hours=12)
    assert admitted.ended == result
    assert sent_once(machine)


def test_a_snapshot_from_the_middle_of_a_send_leaves_the_rest_in_doubt(
    machine: Machine, relay: MisbehavingRelay, clock: Clock
) -> None:
    context = machine.context()
    _, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    send.deliver_issue(context, ISSUE, stopping=lambda: bool(relay.accepted))
    assert len(machine.recipients) == 1
    machine.take_snapshot()
    clock.now += timedelta(hours=1)
    send.deliver_issue(machine.context(), ISSUE)
    assert sent_once(machine)
    machine.set_back()
    context = machine.context()
    with pytest.raises(StoreMismatchError, match=r"had reached 3 readers .* knows of 1"):
        send.deliver_issue(context, ISSUE)
    assert pending_issues(context) == []
    machine.run("store", "confirm", "--yes")
    context = machine.context()
    counts = issue_status(context, ISSUE).counts
    assert counts == {DeliveryState.SENT: 1, DeliveryState.UNKNOWN: 2}
    assert pending_issues(context) == []
    assert sent_once(machine)
    queued = deliveries.requeue(
        context.store, ISSUE, DeliveryState.UNKNOWN, by="Anna", now=clock.now
    )
    assert queued == 2


def test_a_machine_that_is_set_back_behind_a_confirmation_is_recognised(machine: Machine) -> None:
    machine.take_snapshot()
    machine.send()
    machine.set_back()
    machine.run("store", "confirm", "--yes")
    machine.set_back()
    assert "store confirm" in machine.send(code=1).err
    assert sent_once(machine)
    machine.run("store", "confirm", "--yes")
    machine.send(code=3)
    assert sent_once(machine)


def test_an_issue_that_only_lay_in_the_mailbox_by_then_is_not_sent_again(machine: Machine) -> None:
    """In the snapshot it lies in the mailbox, from which a later send would take it back."""
    publication, day = machine.publication, today()
    publication.run("issue", "send", "--yes", "--no-collect")
    machine.take_snapshot()
    machine.run("issue", "send", day, "--yes", "--no-collect")
    assert sent_once(machine)
    machine.set_back()
    assert f"Ausgabe {day} ging am" in machine.run("issue", "send", day, "--yes", code=1).err
    machine.run("store", "confirm", "--yes")
    machine.run("issue", "send", day, "--yes", "--no-collect")
    assert sent_once(machine)


# --- the public archive tells


def elsewhere(machine: Machine, url: str) -> Machine:
    """The machine without a second place, its archive published on another host."""
    machine.publication.change_setting(
        "[retry]",
        f'[archive]\nurl = "{url}"\ncommand = ["cp", "-rT", "{{folder}}", "../host"]\n\n[retry]',
    )
    machine.variables.pop("JOURNAL__SECOND")
    return machine


def test_the_public_archive_tells_of_an_issue_that_the_machine_has_forgotten(
    machine: Machine,
) -> None:
    with static_host(machine.publication.home.parent / "host") as url:
        elsewhere(machine, url)
        machine.take_snapshot()
        machine.send()
        assert sent_once(machine)
        machine.set_back()
        refused = machine.send(code=1)
        assert "steht schon im öffentlichen Archiv" in refused.err
        assert refused.err.count("\n") == 1
        machine.send(code=1)
        assert sent_once(machine)
        assert machine.run("store", "confirm", "--yes", "--json").json["sent"] == [today()]
        machine.send(code=3)
        assert sent_once(machine)
        shutil.rmtree(machine.publication.home.parent / "host/archive")
        machine.run("archive", "build")
        page = f"archive/{today()}/revision.txt"
        assert (machine.state / "archive" / page).is_file(), "the revision is in the store"
        assert (machine.publication.home.parent / "host" / page).is_file()


def test_an_issue_changed_since_the_snapshot_is_stopped_by_the_public_archive_as_well(
    machine: Machine,
) -> None:
    with static_host(machine.publication.home.parent / "host") as url:
        elsewhere(machine, url)
        machine.take_snapshot()
        machine.send()
        machine.set_back()
        machine.publication.write_essay(text="Heute steht hier ein anderer Text als gestern.\n")
        assert "steht schon im öffentlichen Archiv" in machine.send(code=1).err
        assert sent_once(machine)


def test_the_schedule_stops_at_the_public_archive_too(machine: Machine, clock: Clock) -> None:
    with static_host(machine.publication.home.parent / "host") as url:
        elsewhere(machine, url)
        approve_issue(machine.context())
        machine.take_snapshot()
        context = machine.context()
        pending_issues(context)
        send.deliver_issue(context, ISSUE)
        machine.set_back()
        with pytest.raises(IssueError, match="is in the public archive already"):
            pending_issues(machine.context())
        assert sent_once(machine)


def test_our_own_unfinished_issue_goes_on(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process died when the pages were published, and before the issue was queued."""
    with static_host(machine.publication.home.parent / "host") as url:
        elsewhere(machine, url)
        context = machine.context()
        _, rendered = approve_issue(context)
        with monkeypatch.context() as dying:
            dying.setattr(issues, "enqueue", _dies)
            dying.setattr(send.build, "suppress", _no_cleaning)
            with pytest.raises(SystemExit):
                send.enqueue(context, rendered)
        published = machine.publication.home.parent / "host/archive/2026-11-26/revision.txt"
        assert published.read_text().strip() == rendered.revision.revision_id
        send.enqueue(context, rendered)
        send.deliver_issue(context, ISSUE)
        assert sent_once(machine)


def _dies(*arguments: object, **options: object) -> int:
    raise SystemExit


def _no_cleaning(*errors: object) -> object:
    raise SystemExit


@pytest.mark.parametrize("body", ["<!doctype html><title>Unsere Seite</title>", "0" * 64])
def test_a_host_that_answers_everything_says_nothing(machine: Machine, body: str) -> None:
    with host_that_answers_everything(body) as url:
        machine.publication.change_setting(
            'public_url = "https://umbaupost.example.net"', f'public_url = "{url}"'
        )
        assert machine.send().json["sent"] == 3


def test_a_host_that_does_not_answer_says_nothing(machine: Machine) -> None:
    with static_host(machine.publication.home.parent / "host") as url:
        pass
    machine.publication.change_setting(
        'public_url = "https://umbaupost.example.net"', f'public_url = "{url}"'
    )
    assert machine.send().json["sent"] == 3


# --- what the journal holds


def test_the_journal_has_a_line_when_an_issue_begins_and_one_when_it_is_closed(
    machine: Machine, publication: Publication
) -> None:
    send_issue(machine.context())
    text = (publication.home / "var/journal").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["event"] for line in lines] == ["queued", "closed"]
    assert lines[0]["essays"] == ["was-vom-bahnhof-bleibt"]
    assert (lines[1]["audience"], lines[1]["sent"]) == (3, 3)
    assert {line["issue"] for line in lines} == {"2026-11-26"}
    assert "@" not in text
    assert "reader" not in text
    share = publication.home.parent / "share/journal"
    assert share.read_text() == text
    assert share.stat().st_mode & 0o777 == 0o600


def test_mail_to_the_embedded_mailbox_is_in_no_journal(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    send_issue(publication.context())
    assert not (publication.home / "var/journal").exists()

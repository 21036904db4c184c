"""The journal in its places: appended, synced, never half a line, and one place mends the other."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from upcycle_news.models import IssueId
from upcycle_news.models.journal import JournalEntry, JournalEvent
from upcycle_news.services.delivery import send
from upcycle_news.services.journal import files
from upcycle_news.services.journal.files import JournalError
from upcycle_news.services.runs.pending import pending_issues
from upcycle_news.storage import issues

from ...delivery.memory_ledger import Clock
from ...publications import Publication, approve_issue, issue_status, send_issue
from ...transports.bad_relays import MisbehavingRelay
from .machine import Machine

ISSUE = IssueId.parse("2026-11-26")


@pytest.fixture
def machine(publication: Publication) -> Iterator[Machine]:
    """A publication with an essay, three readers and a second place for the journal."""
    publication.write_essay()
    publication.add_many_subscribers(3)
    share = publication.home.parent / "share"
    share.mkdir()
    with MisbehavingRelay() as relay:
        yield Machine(publication, relay, JOURNAL__SECOND=str(share))


def entry(clock: Clock, event: JournalEvent = JournalEvent.QUEUED) -> JournalEntry:
    return JournalEntry(clock.now, event, "k", issue="2026-11-26", number=1, revision_id="ab")


def own(machine: Machine) -> Path:
    return machine.state / "journal"


def second(machine: Machine) -> Path:
    return machine.publication.home.parent / "share/journal"


def fill_the_disk(monkeypatch: pytest.MonkeyPatch, *, after: int) -> None:
    """Let writes to the journal take `after` bytes, and then fail as those to a full disk do."""
    write = os.write

    def limited(descriptor: int, data: bytes) -> int:
        if after and len(data) > after:
            write(descriptor, data[:after])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "write", limited)


def test_a_place_that_was_lost_gets_the_lines_of_the_other_one(
    machine: Machine, clock: Clock
) -> None:
    context = machine.context()
    files.append(context, entry(clock))
    second(machine).unlink()
    clock.now += timedelta(hours=1)
    files.append(context, entry(clock, JournalEvent.CLOSED))
    assert second(machine).read_text() == own(machine).read_text()
    own(machine).unlink()
    files.append(context, None)
    assert own(machine).read_text() == second(machine).read_text()
    assert own(machine).read_text().count("\n") == 2


def test_a_second_place_that_is_named_later_gets_all_that_was_written_before(
    machine: Machine, clock: Clock
) -> None:
    only_own = machine.publication.context()
    files.append(only_own, entry(clock))
    files.append(machine.context(), None)
    assert second(machine).read_text() == own(machine).read_text()


def test_a_torn_line_is_passed_over_and_the_next_one_is_a_line_of_its_own(
    machine: Machine, clock: Clock
) -> None:
    context = machine.context()
    own(machine).write_text('{"at": "2026-11-26T0')
    files.append(context, entry(clock))
    [place, _] = files.read_places(context).values()
    assert place == [entry(clock)]


def test_a_write_that_fails_in_the_middle_leaves_the_file_as_it_was(
    machine: Machine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = machine.context()
    files.append(context, entry(clock))
    before = own(machine).read_bytes()
    fill_the_disk(monkeypatch, after=20)
    with pytest.raises(JournalError, match="No space left"):
        files.append(context, entry(clock, JournalEvent.CLOSED))
    assert own(machine).read_bytes() == before
    assert second(machine).read_bytes() == before


def test_an_issue_whose_beginning_cannot_be_written_waits_and_goes_out_once_it_can(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = machine.context()
    _, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    with monkeypatch.context() as full:
        fill_the_disk(full, after=0)
        with pytest.raises(JournalError, match=r"make room .* what waits stays"):
            send.deliver_issue(context, ISSUE)
    assert machine.recipients == []
    assert issue_status(context, ISSUE).waiting == 3
    assert pending_issues(context) == ["2026-11-26"]
    send.deliver_issue(context, ISSUE)
    assert len(machine.recipients) == 3
    assert issue_status(context, ISSUE).closed


def test_an_issue_whose_end_cannot_be_written_is_sent_once_and_its_end_is_written_later(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    context = machine.context()
    _, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    with monkeypatch.context() as full:
        append = files.append

        def only_the_beginning(context, entry):
            if entry is not None and entry.event is not JournalEvent.QUEUED:
                fill_the_disk(full, after=0)
            append(context, entry)

        full.setattr(files, "append", only_the_beginning)
        send.deliver_issue(context, ISSUE)
    assert "journal not written" in caplog.text
    assert issue_status(context, ISSUE).closed
    assert '"closed"' not in own(machine).read_text()
    assert pending_issues(context) == []
    assert own(machine).read_text().count('"closed"') == 1
    assert len(machine.recipients) == 3


def test_nothing_is_queued_while_the_second_place_is_not_there(machine: Machine) -> None:
    machine.variables["JOURNAL__SECOND"] = str(machine.publication.home / "not/mounted/journal")
    context = machine.context()
    _, rendered = approve_issue(context)
    with pytest.raises(JournalError, match="mount it"):
        send.enqueue(context, rendered)
    row = issues.get(context.store, ISSUE)
    assert row is not None
    assert not row.frozen
    machine.run("archive", "build")
    assert "nicht da" in machine.send(code=1).err
    assert "1 Problem" in machine.run("doctor", "store", "--offline", code=1).out
    machine.run("backup", "--to", "b/upcycle-news-2026-11-01T022000Z.tar.gz")
    machine.run("backup", "--to", "b", "--keep", "1")
    assert len(list((machine.publication.home / "b").iterdir())) == 2, "none is deleted"


def test_a_place_that_is_no_file_is_named(machine: Machine) -> None:
    machine.variables["JOURNAL__SECOND"] = "/dev/full"
    assert "/dev/full ist keine Datei" in machine.send(code=1).err


def test_a_journal_without_an_end_is_written_to_once_an_issue(
    machine: Machine, clock: Clock
) -> None:
    send_issue(machine.context())
    before = own(machine).read_text()
    for _ in range(3):
        clock.now += timedelta(minutes=5)
        assert pending_issues(machine.context()) == []
    assert own(machine).read_text() == before


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "null",
        '{"at": "2026-11-26T06:00:00", "event": "queued", "keys": "k"}',
        '{"at": "2026-11-26T06:00:00+00:00", "event": "eaten", "keys": "k"}',
        '{"at": "2026-11-26T06:00:00+00:00", "event": "queued", "issue": "heute", "keys": "k"}',
        '{"at": "2026-11-26T06:00:00+00:00", "event": "queued", "sent": "viele", "keys": "k"}',
        "\x00" * 40,
    ],
)
def test_what_is_no_entry_is_passed_over(line: str) -> None:
    assert JournalEntry.decode(line) is None


def test_an_entry_is_read_as_it_was_written(clock: Clock) -> None:
    written = JournalEntry(
        clock.now,
        JournalEvent.CLOSED,
        "k",
        issue="2026-11-26-2",
        number=7,
        revision_id="ab" * 32,
        essays=("käse", "bahnhof"),
        counts={"audience": 3, "sent": 2, "rejected": 1},
        about="x",
    )
    assert JournalEntry.decode(written.encode()) == written


def test_the_doctor_names_a_line_that_was_cut_off_and_the_others_count(machine: Machine) -> None:
    machine.send()
    whole = own(machine).read_text().splitlines()
    own(machine).write_text("\n".join([whole[0][:30], *whole, ""]))
    context = machine.context()
    [(place, lines)] = files.damaged_lines(context).items()
    assert (place.path, lines) == (own(machine), [1])
    assert len(files.read_places(context)[place]) == len(whole)
    assert "journal: Zeile 1 ist nicht lesbar" in " ".join(
        machine.run("doctor", "journal", "--offline").out.split()
    )

"""Restoring a backup: what comes back, what is kept aside, and what is merged from the replaced store."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from upcycle_news.app.context import AppContext
from upcycle_news.errors import StoreError, UpcycleError
from upcycle_news.models import (
    DeliveryState,
    EmailAddress,
    IssueId,
    IssueState,
    SubscriberStatus,
    UnsubscribeMethod,
)
from upcycle_news.services.backup import create, restore
from upcycle_news.services.content.files import load_publication_essays
from upcycle_news.services.delivery import send, worker_identity
from upcycle_news.services.runs.pending import pending_issues
from upcycle_news.services.subscribers import confirmation_mails, list_questions, subscriptions
from upcycle_news.storage import corrections, issue_relays, issues, personal_data
from upcycle_news.storage import subscribers as subscriber_rows
from upcycle_news.storage.corrections import Correction, CorrectionKind
from upcycle_news.storage.database import open_store
from upcycle_news.storage.schema import (
    deliveries,
    quota_scopes,
    subscribers,
)
from upcycle_news.subscribers.link_tokens import Purpose

from ...delivery.memory_ledger import Clock
from ...publications import (
    Publication,
    approve_issue,
    create_publication,
    issue_status,
    relay_variables,
    send_issue,
)
from ...storage.sample_rows import used_content
from ...transports.bad_relays import MisbehavingRelay


def backed_up(publication: Publication) -> Path:
    return create.make_backup(publication.context()).file


def restored(publication: Publication, path: Path, *options: str) -> dict[str, Any]:
    publication.__exit__()
    report: dict[str, Any] = publication.run("restore", str(path), "--yes", "--json", *options).json
    return report


def find_subscriber(context: AppContext, address: str) -> Any:
    return subscriber_rows.find(context.store, EmailAddress.parse(address))


def unsubscribe(publication: Publication, address: str) -> None:
    context = publication.context()
    subscriber_rows.unsubscribe(
        context.store,
        find_subscriber(context, address),
        now=context.clock(),
        method=UnsubscribeMethod.PAGE,
    )


def advance(clock: Clock) -> None:
    clock.now += timedelta(hours=1)


def test_unsubscribes_after_the_backup_survive_the_restore(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(4)
    path = backed_up(publication)
    advance(clock)
    unsubscribe(publication, "reader1@example.org")
    publication.run("subscribers", "suppress", "reader2@example.org", "--reason", "complained")
    publication.run("subscribers", "forget", "reader3@example.org", "--yes")
    publication.add_subscribers("neu@example.org")
    report = restored(publication, path)["learned"]
    assert (report["left"], report["forgotten"], report["joined"]) == (1, 1, 1)
    context = publication.context()
    assert find_subscriber(context, "reader1@example.org").status is SubscriberStatus.UNSUBSCRIBED
    assert find_subscriber(context, "reader3@example.org") is None
    restore.confirm_restore(context, by="Anna")
    send_issue(context)
    assert publication.recipients() == ["reader4@example.org"]
    publication.run("subscribers", "add", "reader3@example.org", "--consent", "a list", code=1)


def test_nothing_is_taken_over_from_another_publications_store(
    publication: Publication, clock: Clock, tmp_path: Path
) -> None:
    publication.add_many_subscribers(2)
    path = backed_up(publication)
    publication.__exit__()
    with Publication(create_publication(tmp_path / "other"), clock) as other:
        other.add_many_subscribers(2)
        unsubscribe(other, "reader1@example.org")
    shutil.copy(tmp_path / "other/var/upcycle.db", publication.home / "var/upcycle.db")
    assert restored(publication, path)["merged"] is False
    reader = find_subscriber(publication.context(), "reader1@example.org")
    assert reader.status is SubscriberStatus.CONFIRMED


def test_no_merge_drops_what_subscribers_did_since(publication: Publication, clock: Clock) -> None:
    publication.add_many_subscribers(1)
    path = backed_up(publication)
    advance(clock)
    unsubscribe(publication, "reader1@example.org")
    assert restored(publication, path, "--no-merge")["merged"] is False
    assert (
        find_subscriber(publication.context(), "reader1@example.org").status
        is SubscriberStatus.CONFIRMED
    )


@pytest.fixture
def running_relay() -> Iterator[MisbehavingRelay]:
    with MisbehavingRelay() as running:
        yield running


def test_who_was_asked_or_forgotten_since_the_backup_is_not_asked_again_and_stays_forgotten(
    publication: Publication,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    running_relay: MisbehavingRelay,
) -> None:
    for name, value in relay_variables(running_relay.relay().port).items():
        monkeypatch.setenv(f"UPCYCLE_NEWS_{name}", value)
    context = publication.context()
    publication.add_subscribers("weg@example.org")
    unsubscribe(publication, "weg@example.org")
    early, late = publication.home / "frueh.csv", publication.home / "spaet.csv"
    early.write_text("email\nanna@example.org\n", encoding="utf-8")
    late.write_text("email\nbert@example.org\n", encoding="utf-8")
    assert list_questions.ask_list(context, early).asked == 1
    path = backed_up(publication)
    clock.now += timedelta(days=370)
    assert list_questions.ask_list(context, late).asked == 1
    report = subscriptions.purge_expired(context)
    assert (report.mailed, report.forgotten) == (2, 1)
    restored(publication, path)
    publication.run("store", "confirm", "--yes")
    again = publication.context()
    assert subscriptions.purge_expired(again).mailed == 0
    assert sorted(running_relay.recipients) == ["anna@example.org", "bert@example.org"]
    for file in (early, late):
        assert list_questions.ask_list(again, file).asked == 0
    assert find_subscriber(again, "weg@example.org") is None
    [proof] = personal_data.consent_proofs_of(again.store, EmailAddress.parse("weg@example.org"))
    assert proof.source == "test list"
    token = next(
        match[1]
        for recipient, mail in running_relay.accepted
        if recipient.startswith("anna@")
        and (match := re.search(rb"/confirm/([\w-]{43})", unwrapped(mail)))
    )
    assert subscriptions.confirm(again, token.decode()).result.value == "now"


def unwrapped(mail: bytes) -> bytes:
    """Return a mail without the soft line breaks of quoted-printable."""
    return mail.replace(b"=\r\n", b"")


def test_an_issue_that_was_sent_after_the_backup_is_not_sent_again(
    publication: Publication, clock: Clock
) -> None:
    """A nightly backup must not send the issue of the next morning again."""
    publication.write_essay()
    publication.add_many_subscribers(3)
    path = backed_up(publication)
    advance(clock)
    done = send_issue(publication.context())
    report = restored(publication, path)
    assert (report["learned"]["issues"], report["unknown"]) == (1, {})
    context = publication.context()
    assert issue_status(context, IssueId.parse("2026-11-26")) == done
    restore.confirm_restore(context, by="Anna")
    assert pending_issues(context) == []
    assert "Kein neuer Essay" in publication.run("issue", "send", "--yes", code=3).err
    assert len(publication.mails()) == 3
    publication.write_essay("Der naechste")
    clock.now += timedelta(days=1)
    assert send_issue(context, "2026-11-27").as_dict()["sent"] == 3


def test_an_approval_from_before_the_backup_sends_nothing_by_itself(
    publication: Publication,
) -> None:
    """It was approved before and perhaps sent since: on a new machine nothing says whether it was."""
    publication.write_essay()
    publication.add_many_subscribers(2)
    context = publication.context()
    issue, rendered = approve_issue(context)
    path = backed_up(publication)
    send.enqueue(context, rendered)
    send.deliver_issue(context, issue)
    shutil.rmtree(publication.home / "var/archive")
    assert restored(publication, path, "--no-merge")["unsent"] == ["2026-11-26"]
    context = publication.context()
    restore.confirm_restore(context, by="Anna")
    assert pending_issues(context) == []
    refused = publication.run("issue", "send", "2026-11-26", code=1).err
    assert "ist nicht freigegeben" in refused
    assert len(publication.mails()) == 2
    decisions = [
        event
        for event in issues.history(context.store, issue)
        if event.event in ("approved", "rejected")
    ]
    assert [(event.event, event.by) for event in decisions] == [
        ("approved", "test"),
        ("rejected", "restore"),
    ]


def test_an_issue_that_the_archive_still_shows_counts_as_sent_when_the_restore_is_confirmed(
    publication: Publication,
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    context = publication.context()
    approve_issue(context)
    path = backed_up(publication)
    send_issue(context)
    restored(publication, path, "--no-merge")
    assert publication.run("store", "confirm", "--yes", "--json").json["sent"] == ["2026-11-26"]
    assert pending_issues(publication.context()) == []
    publication.run("issue", "send", "2026-11-26", "--yes", code=1)
    publication.run("issue", "send", "--yes", "--no-collect", code=3)
    assert len(publication.mails()) == 2


def test_an_issue_that_the_lost_store_has_sent_can_be_cancelled_and_is_never_sent_again(
    publication: Publication, clock: Clock
) -> None:
    known = publication.write_essay("Vor der Sicherung")
    publication.add_many_subscribers(1)
    approve_issue(publication.context(), "2026-11-26")
    path = backed_up(publication)
    advance(clock)
    lost = publication.write_essay("Nach der Sicherung")
    restored(publication, path, "--no-merge")
    assert "gilt als erschienen" in publication.run("issue", "cancel", "2026-11-26", "--yes").out
    publication.run("issue", "preview", "2026-11-27", "--essay", lost, "--no-open")
    publication.run("issue", "cancel", "2026-11-27", "--yes")
    publication.run("store", "confirm", "--yes")
    assert used_content(publication.context().store)[0] == {known, lost}
    publication.run("issue", "send", "--yes", code=3)
    publication.write_essay("Neu")
    publication.run("issue", "preview", "2026-12-03", "--no-open")
    refused = publication.run("issue", "cancel", "2026-12-03", "--yes", code=1).err
    assert "wird nicht verschickt" in refused


def test_pending_deliveries_become_unknown_with_the_time_of_the_backup(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(4)
    context = publication.context()
    issue, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    states = (
        DeliveryState.SENT, DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.DEFERRED,
    )  # fmt: skip
    with context.store.writing() as connection:
        for number, state in enumerate(states, start=1):
            connection.execute(
                update(deliveries).where(deliveries.c.id == number).values(state=state, code=450)
            )
    path = backed_up(publication)
    advance(clock)
    assert restored(publication, path, "--no-merge")["unknown"] == {"2026-11-26": 3}
    status = issue_status(publication.context(), issue)
    assert status.closed
    assert (
        status.counts[DeliveryState.SENT],
        status.counts[DeliveryState.UNKNOWN],
    ) == (1, 3)
    listed = publication.run("issue", "status", str(issue), "--list", "unknown", "--json").lines
    assert {row["code"] for row in listed} == {None}
    assert {row["reason"] for row in listed} == {
        "restored from a backup of 2026-11-26 06:00 UTC: whether it was sent after that is not known"
    }


def test_results_of_the_relay_replace_unknown_and_never_the_reverse(
    publication: Publication,
) -> None:
    """An older backup first, then the newer one: its results are kept."""
    publication.write_essay()
    publication.add_many_subscribers(3)
    context = publication.context()
    issue, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    early = create.make_backup(context, Path("early.tar.gz")).file
    send.deliver_issue(context, issue)
    late = create.make_backup(context, Path("late.tar.gz")).file
    restored(publication, early, "--no-merge")
    assert issue_status(publication.context(), issue).counts == {DeliveryState.UNKNOWN: 3}
    restored(publication, late)
    assert issue_status(publication.context(), issue).counts == {DeliveryState.SENT: 3}
    restored(publication, early)
    assert issue_status(publication.context(), issue).counts == {DeliveryState.SENT: 3}


def test_corrections_and_withdrawals_survive_the_restore(
    publication: Publication, clock: Clock
) -> None:
    slug = publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context()
    send_issue(context)

    def decide(kind: CorrectionKind, **more: Any) -> None:
        issue = IssueId.parse("2026-11-26")
        corrections.add_correction(
            context.store, Correction(issue, kind, slug, "Anm.", "Anna", clock.now, **more)
        )

    decide(CorrectionKind.WITHDRAWAL)
    path = backed_up(publication)
    decide(CorrectionKind.RETURN)
    corrected = load_publication_essays(context)[0]
    decide(CorrectionKind.CORRECTION, corrected=corrected, images={"a.png": b"a", "b.png": b"b"})
    before = corrections.all_corrections(context.store)
    restored(publication, path)
    assert corrections.all_corrections(publication.context().store) == before
    restored(publication, path, "--no-merge")
    assert corrections.all_corrections(publication.context().store) == before[:1]


def test_essays_that_may_have_been_sent_since_the_backup_are_named(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay("Schon erschienen")
    publication.add_many_subscribers(1)
    send_issue(publication.context())
    path = backed_up(publication)
    advance(clock)
    lost = publication.write_essay("Nach der Sicherung")
    publication.write_essay("Ein Entwurf")
    for draft in (publication.home / "content/essays").glob("*-ein-entwurf.md"):
        text = draft.read_text(encoding="utf-8").replace("status: ready", "status: draft")
        draft.write_text(text, encoding="utf-8")
    publication.__exit__()
    output = publication.run("restore", str(path), "--yes", "--no-merge").out
    assert (
        f"Fertig und in keiner Ausgabe, die dieser Speicher kennt: {lost}. Was nach dem" in output
    )
    assert restored(publication, path, "--no-merge")["unsent_essays"] == [lost]
    publication.run("issue", "preview", "2026-11-27", "--essay", lost, "--no-open")
    publication.run("issue", "cancel", "2026-11-27", "--yes")
    assert "Fertig und in" not in publication.run("restore", str(path), "--yes").out


def test_a_cancelled_issue_stays_cancelled(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    context = publication.context()
    issue, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    path = backed_up(publication)
    publication.run("issue", "cancel", str(issue), "--yes")
    restored(publication, path)
    row = issues.get(publication.context().store, issue)
    assert row is not None
    assert row.state is IssueState.CANCELLED
    assert issue_status(publication.context(), issue).counts == {DeliveryState.CANCELLED: 2}


def test_no_subscriber_id_is_given_twice(publication: Publication, clock: Clock) -> None:
    """Links in mails to a subscriber who joined after the backup must not become another's."""
    publication.add_many_subscribers(1)
    path = backed_up(publication)
    advance(clock)
    publication.add_subscribers("spaeter@example.org")
    lost = find_subscriber(publication.context(), "spaeter@example.org").id
    restored(publication, path)
    publication.add_subscribers("neu@example.org")
    assert find_subscriber(publication.context(), "neu@example.org").id > lost
    publication.__exit__()
    for file in (publication.home / "var").glob("upcycle.db*"):
        file.unlink()
    publication.run("restore", str(path))
    publication.add_subscribers("noch@example.org")
    assert find_subscriber(publication.context(), "noch@example.org").id > lost + 1000


def test_what_was_sent_since_the_backup_counts_against_the_quotas(publication: Publication) -> None:
    publication.add_many_subscribers(1)
    path = backed_up(publication)
    context = publication.context()
    with context.store.writing() as connection:
        connection.execute(quota_scopes.insert().values(scope="relay:main", count=7))
    restored(publication, path)
    with publication.context().store.reading() as connection:
        assert connection.execute(select(quota_scopes)).all() == [("relay:main", 7)]


def test_an_issue_begun_over_a_relay_since_the_backup_goes_on_over_it_only(
    publication: Publication,
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    context = publication.context()
    chosen, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    path = backed_up(publication)
    with context.store.writing() as connection:  # taken back from the mailbox, and queued anew
        issue_relays.record_queued(connection, str(chosen), "main")
    issue_relays.mark_away(context.store, chosen, since=context.clock())
    restored(publication, path)
    relay = issue_relays.get(publication.context().store, chosen)
    assert (relay.first_relay, relay.away_since) == ("main", None)


def test_the_replaced_store_is_kept_aside_and_can_be_restored(publication: Publication) -> None:
    publication.add_many_subscribers(2)
    path = backed_up(publication)
    publication.add_subscribers("neu@example.org")
    aside = Path(restored(publication, path)["aside"])
    assert aside.name.startswith("before-restore-")
    assert find_subscriber(publication.context(), "neu@example.org") is None
    restored(publication, aside)
    assert find_subscriber(publication.context(), "neu@example.org") is not None


def test_a_store_with_subscribers_is_only_replaced_with_yes(publication: Publication) -> None:
    publication.add_many_subscribers(2)
    path = backed_up(publication)
    publication.add_subscribers("neu@example.org")
    error = publication.run("restore", str(path), code=1).err
    assert (
        "3 Einträge in der Liste und 0 Ausgaben, zuletzt geändert: 26.11.2026, 06:00 UTC" in error
    )
    assert "Sagen Sie --yes" in error
    assert find_subscriber(publication.context(), "neu@example.org") is not None
    assert len(list((publication.home / "var/backups").iterdir())) == 1


def test_a_damaged_store_is_moved_aside_unchanged(publication: Publication) -> None:
    publication.add_many_subscribers(2)
    path = backed_up(publication)
    publication.__exit__()
    file = publication.home / "var/upcycle.db"
    file.write_bytes(b"\0" * 8000)
    done = publication.run("restore", str(path), "--yes")
    assert "Wer sich nach dem" in done.out
    [aside] = (publication.home / "var").glob("upcycle.db.before-restore-*")
    assert aside.read_bytes() == b"\0" * 8000
    assert find_subscriber(publication.context(), "reader2@example.org") is not None


def test_a_damaged_store_is_moved_back_when_the_restore_fails(
    publication: Publication,
) -> None:
    publication.add_many_subscribers(2)
    path = backed_up(publication)
    publication.__exit__()
    file = publication.home / "var/upcycle.db"
    file.write_bytes(b"\0" * 8000)

    def full(more: int) -> None:
        raise StoreError("the disk is full")

    with (
        AppContext.open(publication.home) as context,
        pytest.raises(StoreError, match="disk is full"),
    ):
        restore.restore(context, path, on_rows=full)
    assert file.read_bytes() == b"\0" * 8000
    assert not list((publication.home / "var").glob("upcycle.db.before-restore-*"))


def test_a_new_machine_gets_store_and_keys_and_old_links_work(
    publication: Publication, tmp_path: Path, clock: Clock
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context()
    token = context.link_signer.token("unsubscribe", 1)  # type: ignore[arg-type]
    send_issue(context)
    path = backed_up(publication)
    new = Publication(tmp_path / "new", clock)
    publication.run("init", str(new.home))
    report = new.run("restore", str(path), HOME=str(new.home))
    assert "Wiederhergestellt: 2 Geheimnisse" in report.out
    for key in (new.home / "var/secrets").iterdir():
        assert key.stat().st_mode & 0o077 == 0
    fresh = new.context()
    link = subscriptions.read_link(fresh, Purpose.UNSUBSCRIBE, token)
    assert link is not None
    assert link.subscriber is not None
    assert link.subscriber.email.address == "reader1@example.org"
    fresh.store.close()


def test_a_dropped_key_is_not_restored(
    publication: Publication,
) -> None:
    publication.add_many_subscribers(1)
    assert publication.context().link_signer.token("unsubscribe", 1)  # type: ignore[arg-type]
    path = backed_up(publication)
    publication.run("secrets", "rotate")
    publication.run("secrets", "drop", "1", "--yes")
    assert restored(publication, path)["secrets"] == []
    assert [row["key"] for row in publication.run("secrets", "list", "--json").lines] == [2]


def test_a_backup_of_another_publication_is_refused(
    publication: Publication, tmp_path: Path, clock: Clock
) -> None:
    publication.add_many_subscribers(1)
    other = Publication(tmp_path / "other", clock)
    publication.run("init", str(other.home), "--name", "Fremdpost")
    with other:
        other.add_subscribers("fremd@example.org")
        path = create.make_backup(other.context()).file
    error = publication.run("restore", str(path), "--yes", code=1).err
    assert "zu einer anderen Publikation gehört („Fremdpost“)" in error
    assert "es wurde nichts geändert" in error
    assert find_subscriber(publication.context(), "reader1@example.org") is not None


def test_nothing_is_restored_while_a_worker_is_sending(publication: Publication) -> None:
    publication.add_many_subscribers(1)
    path = backed_up(publication)
    sender = worker_identity.register(publication.context())
    assert sender.pid
    error = publication.run("restore", str(path), "--yes", code=1).err
    assert "1 Sender verschickt gerade" in error
    assert restore.pending_confirmation(publication.context()).send_hold is None


def test_a_backup_of_a_newer_program_is_refused(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    publication.add_many_subscribers(1)
    path = backed_up(publication)
    monkeypatch.setattr(restore, "HEAD", "0001")
    with pytest.raises(UpcycleError, match="newer version of upcycle-news"):
        restore.restore(publication.context(), path)


def test_a_failed_restore_changes_nothing(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    publication.add_many_subscribers(3)
    path = backed_up(publication)
    publication.add_subscribers("neu@example.org")

    def full(more: int) -> None:
        raise StoreError("the disk is full")

    with pytest.raises(StoreError, match="the disk is full"):
        restore.restore(publication.context(), path, on_rows=full)
    context = publication.context()
    assert find_subscriber(context, "neu@example.org") is not None
    assert restore.pending_confirmation(context).send_hold is None
    assert not list((publication.home / "var").glob(".upcycle-draft-*"))


def test_a_running_web_server_sees_the_restored_store_and_loses_no_unsubscribe(
    publication: Publication, clock: Clock
) -> None:
    """It keeps its connections during the restore; each unsubscribe happens before or after it."""
    publication.add_many_subscribers(30)
    path = backed_up(publication)
    advance(clock)
    web_context = publication.context()
    all_subscribers = list(subscriber_rows.all_subscribers(web_context.store))
    started = threading.Event()

    def unsubscribe_all() -> None:
        for subscriber in all_subscribers:
            started.set()
            subscriber_rows.unsubscribe(
                web_context.store,
                subscriber,
                now=web_context.clock(),
                method=UnsubscribeMethod.ONE_CLICK,
            )

    thread = threading.Thread(target=unsubscribe_all)
    thread.start()
    started.wait()
    restore.restore(publication.context(), path)
    thread.join()
    assert {row.status for row in subscriber_rows.all_subscribers(web_context.store)} == {
        SubscriberStatus.UNSUBSCRIBED
    }
    assert restore.pending_confirmation(web_context).send_hold is not None


# --- send hold


def test_a_send_hold_refuses_sending_before_it_approves_anything(publication: Publication) -> None:
    """Otherwise the approval of a refused command would be sent after the hold."""
    publication.write_essay()
    publication.add_many_subscribers(2)
    restored(publication, backed_up(publication), "--no-merge")
    refused = publication.run("issue", "send", "--yes", code=1).err
    assert "Es geht nichts hinaus: Dieser Speicher wurde aus einem Backup" in refused
    context = publication.context()
    assert not any(
        event.event in ("approved", "rejected")
        for row in issues.all_issues(context.store)
        for event in issues.history(context.store, row.id)
    )
    restore.confirm_restore(context, by="Anna")
    assert pending_issues(context) == []
    assert publication.mails() == []


def test_subscribers_are_counted_without_bare_suppressions(
    publication: Publication,
) -> None:
    publication.add_many_subscribers(3)
    publication.run("subscribers", "suppress", "elsewhere@example.com")
    path = backed_up(publication)
    assert "umfasst 3 Einträge" in publication.run("restore", str(path), code=1).err


def test_confirming_lists_the_unknown_deliveries(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(3)
    context = publication.context()
    issue, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    path = backed_up(publication)
    restored(publication, path, "--no-merge")
    error = publication.run("store", "info").out
    assert "Es geht nichts hinaus: Dieser Speicher wurde aus einem Backup" in error
    assert publication.run("store", "info", "--json").json["paused"] == "restored"
    refused = publication.run("store", "confirm", code=1).err
    assert f"Ausgabe {issue}: 3 ungewiss" in refused
    assert "example.org" not in refused
    assert publication.run("store", "confirm", "--yes", "--json").json == {
        "confirmed": True, "unknown": {str(issue): 3}, "sent": [], "untold": []
    }  # fmt: skip
    assert (
        "Nichts ist angehalten: Es gibt nichts zu bestätigen"
        in publication.run("store", "confirm").out
    )
    publication.run("issue", "resend", str(issue), "--state", "unknown")
    assert len(publication.mails()) == 3


def test_during_a_send_hold_subscribers_join_and_leave(
    publication: Publication, clock: Clock
) -> None:
    publication.add_many_subscribers(1)
    context = publication.context()
    waiting = subscriptions.sign_up(
        context, EmailAddress.parse("wartet@example.org"), language="de", source="web"
    )
    assert waiting is not None
    path = backed_up(publication)
    restored(publication, path)
    context = publication.context()
    assert (
        confirmation_mails.send_waiting(context).mailed == 0
    )  # from before the backup: perhaps mailed since
    advance(clock)
    new = subscriptions.sign_up(
        context, EmailAddress.parse("neu@example.org"), language="de", source="web"
    )
    assert new is not None
    subscriptions.send_confirmation_mail(context, new)
    assert publication.recipients() == ["neu@example.org"]
    unsubscribe(publication, "reader1@example.org")
    restore.confirm_restore(context, by="Anna")
    assert confirmation_mails.send_waiting(context).mailed == 1


def test_restoring_prints_text_and_json(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    context = publication.context()
    approve_issue(context)
    path = backed_up(publication)
    publication.__exit__()
    done = publication.run("restore", str(path), "--yes")
    assert "Aus dem ersetzten Speicher übernommen: 0 Abmeldungen" in done.out
    assert "Ausgabe 2026-11-26 war noch nicht verschickt, als das Backup entstand" in done.out
    assert "Es geht nichts hinaus, bis Sie „upcycle-news store confirm“ sagen" in done.err
    report = restored(publication, path)
    assert report["paused"] is True
    assert json.dumps(report).count("example.org") == 0


def test_a_backup_of_sqlite_can_be_restored_to_postgres(
    publication: Publication, empty_postgres: str
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(3)
    done = send_issue(publication.context())
    path = backed_up(publication)
    postgres = {"STORE": empty_postgres}
    publication.run("restore", str(path), **postgres)
    publication.run("store", "confirm", "--yes", **postgres)
    shown = publication.run("issue", "status", "--json", **postgres).json
    assert shown == {**done.as_dict(), "replies": 0, "auto_replies": 0}
    back = Path(publication.run("backup", "--to", "pg.tar.gz", "--json", **postgres).json["file"])
    assert (
        publication.run("restore", "--check", str(back), "--json").json["tables"]["send_holds"] == 1
    )
    publication.__exit__()
    assert publication.run("restore", str(back), "--yes", "--json").json["learned"]["results"] == 0
    store = open_store(f"sqlite:///{publication.home}/var/upcycle.db")
    with store.reading() as connection:
        assert len(connection.execute(select(subscribers)).all()) == 3
    store.close()


def test_the_database_file_is_intact_after_a_restore(publication: Publication) -> None:
    publication.add_many_subscribers(5)
    path = backed_up(publication)
    restored(publication, path)
    with sqlite3.connect(publication.home / "var/upcycle.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)

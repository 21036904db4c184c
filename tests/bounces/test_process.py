"""What a returned mail does to the list."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from upcycle_news.api import App
from upcycle_news.app.context import AppContext
from upcycle_news.bounces.score import score
from upcycle_news.bounces.verp import BounceAddresses
from upcycle_news.errors import SettingsError
from upcycle_news.models import EmailAddress, SubscriberStatus, SuppressionSource
from upcycle_news.services.bounces import process
from upcycle_news.services.monitoring.operators import UNREAD_EVENT
from upcycle_news.storage import (
    alerts,
    bounces,
    personal_data,
    subscribers,
    suppressions,
)
from upcycle_news.storage.subscribers import NewSubscriber
from upcycle_news.subscribers.link_tokens import Purpose

from ..delivery.memory_ledger import START, Clock
from ..publications import Publication, add_confirmed_subscribers, send_issue
from . import sample_reports

ANNA, BERT = "anna@example.org", "bert@example.org"


@pytest.fixture
def context(publication: Publication) -> AppContext:
    """Anna and Bert have had an issue, and the inbox is a Maildir."""
    for name in ("tmp", "new", "cur"):
        (publication.home / "inbox" / name).mkdir(parents=True)
    made = publication.context(
        SENDER__VERP="true", SENDER__ENVELOPE="bounces@umbaupost.example.net",
        SENDER__UNSUBSCRIBE_MAILTO="abbestellen@umbaupost.example.net", INBOX__MAILDIR="inbox",
    )  # fmt: skip
    add_confirmed_subscribers(made, ANNA, BERT)
    publication.write_essay()
    assert send_issue(made).closed
    return made


def envelope(publication: Publication, address: str) -> str:
    """Where a bounce of the reader's newest mail goes, as their server saw it."""
    for path in sorted((publication.home / "var/mailbox/new").iterdir(), reverse=True):
        first, second, _ = path.read_bytes().split(b"\r\n", 2)
        if second.decode() == f"Delivered-To: {address}":
            return first.decode().removeprefix("Return-Path: <").rstrip(">")
    raise AssertionError("no mail")


def drop(publication: Publication, *mails: bytes) -> None:
    folder = publication.home / "inbox/new"
    for mail in mails:
        (folder / f"{len(list(folder.parent.rglob('*')))}.{abs(hash(mail))}.here").write_bytes(mail)


def lying(publication: Publication, folder: str = "inbox/new") -> int:
    path = publication.home / folder
    return len(list(path.iterdir())) if path.is_dir() else 0


def barred(context: AppContext, address: str) -> str | None:
    email = EmailAddress.parse(address)
    with context.store.reading() as connection:
        return suppressions.suppressed_reasons(connection, context.store, [email]).get(email.key)


def test_a_hard_bounce_ends_the_mail_to_this_address_and_no_other(
    publication: Publication, context: AppContext
) -> None:
    report = sample_reports.postfix(envelope(publication, ANNA), ANNA)
    drop(publication, report)
    told = process.collect(context)
    assert (told.hard, told.suppressed) == (1, 1)
    assert (barred(context, ANNA), barred(context, BERT)) == ("hard bounce", None)
    assert (lying(publication), lying(publication, "inbox/.processed/cur")) == (0, 1)
    [kept] = bounces.list_bounces(context.store)
    found = bounces.get(context.store, kept.id)
    assert found is not None and found.raw == report
    assert ANNA not in kept.reason

    drop(publication, report)
    assert process.collect(context).known == 1

    publication.write_essay("Was danach kam")
    assert send_issue(context, "2026-11-26-2").counts.get("sent") == 1


def test_a_bounce_counts_once_in_both_kinds_of_store(
    publication: Publication, any_store: str
) -> None:
    made = publication.context(STORE=any_store, SENDER__VERP="true")
    add_confirmed_subscribers(made, ANNA)
    publication.write_essay()
    assert send_issue(made).closed
    report = sample_reports.exchange(envelope(publication, ANNA), ANNA)
    assert process.handle(made, report) == ({"hard": 1, "suppressed": 1}, True)
    assert process.handle(made, report) == ({"known": 1}, True)
    assert barred(made, ANNA) == "hard bounce"
    [suppression] = suppressions.all_suppressions(made.store)
    [bounce] = bounces.list_bounces(made.store)
    assert (suppression.source, suppression.issue) == (SuppressionSource.BOUNCE, bounce.issue)
    assert suppression.delivery == 1


def test_a_forged_bounce_is_worth_nothing(publication: Publication, context: AppContext) -> None:
    real = envelope(publication, ANNA)
    local, _, domain = real.partition("@")
    altered = f"{local[:-1]}{'0' if local[-1] != '0' else '1'}@{domain}"
    theirs = BounceAddresses("bounces@umbaupost.example.net", b"o" * 32).address_for(1, 1)
    unsigned = "bounces@umbaupost.example.net"
    for number, forged in enumerate((altered, theirs, unsigned, f"{local}@evil.example")):
        drop(
            publication,
            sample_reports.postfix(forged, ANNA),
            sample_reports.qmail(forged, f"{number}.{ANNA}"),
        )
        drop(publication, sample_reports.complaint("post@umbaupost.example.net", forged))
    told = process.collect(context)
    assert (told.unsigned, told.hard, told.complaint, told.suppressed) == (12, 0, 0, 0)
    assert barred(context, ANNA) is None
    assert lying(publication) == 12


def test_replies_of_people_and_machines_stay_where_they_are_unread(
    publication: Publication, context: AppContext
) -> None:
    to = envelope(publication, ANNA)
    drop(
        publication,
        sample_reports.vacation(to),
        sample_reports.old_vacation(to),
        sample_reports.answer(to),
    )
    told = process.collect(context)
    assert (told.left_alone, told.hard + told.soft) == (3, 0)
    assert (lying(publication), lying(publication, "inbox/.processed/cur")) == (3, 0)


def test_a_complaint_ends_the_mail_at_once_and_counts_once(
    publication: Publication, context: AppContext
) -> None:
    to = envelope(publication, ANNA)
    drop(publication, sample_reports.complaint("fbl@umbaupost.example.net", to))
    drop(publication, sample_reports.complaint("again@umbaupost.example.net", to))
    told = process.collect(context)
    assert (told.complaint, told.known, told.suppressed) == (1, 1, 1)
    assert barred(context, ANNA) == "complaint"
    [suppression] = suppressions.all_suppressions(context.store)
    assert suppression.source is SuppressionSource.COMPLAINT


def test_a_complaint_about_a_mail_that_a_restored_store_does_not_know_counts_all_the_same(
    publication: Publication, context: AppContext
) -> None:
    to, back = envelope(publication, ANNA), envelope(publication, BERT)
    with context.store.writing() as connection:
        connection.exec_driver_sql("DELETE FROM deliveries")
    drop(
        publication,
        sample_reports.complaint("fbl@umbaupost.example.net", to),
        sample_reports.postfix(back, BERT),
    )
    told = process.collect(context)
    assert (told.complaint, told.hard, told.suppressed) == (1, 1, 2)
    assert (barred(context, ANNA), barred(context, BERT)) == ("complaint", "hard bounce")


def test_a_complaint_is_recognised_by_the_link_in_the_mail_it_brings_along(
    publication: Publication, context: AppContext
) -> None:
    token = context.link_signer.token(Purpose.UNSUBSCRIBE, 1, 1)
    report = sample_reports.complaint("fbl@umbaupost.example.net", "").replace(
        b"From: post@umbaupost.example.net",
        b"From: post@umbaupost.example.net\nList-Unsubscribe:\n <https://x.example/unsubscribe/"
        + token.encode() + b">",
    )  # fmt: skip
    drop(publication, report)
    assert process.collect(context).complaint == 1


def test_soft_bounces_count_less_as_they_age(
    publication: Publication, context: AppContext, clock: Clock
) -> None:
    for week in range(6):
        publication.write_essay(f"Nummer {week}")
        clock.now += timedelta(days=7)
        assert send_issue(context, str(clock.now.date())).closed
        drop(publication, sample_reports.full(envelope(publication, ANNA), ANNA))
        told = process.collect(context)
        assert told.soft == 1
        if told.suppressed:
            break
    assert week == 3  # 1 + 0.85 + 0.72 + 0.62 reach three
    assert barred(context, ANNA) == "soft bounces"
    half_life = timedelta(days=30)
    assert score([START], now=START + half_life, half_life=half_life) == 0.5


def test_a_refusal_of_us_never_suppresses_a_reader(
    publication: Publication, context: AppContext
) -> None:
    to = envelope(publication, ANNA)
    drop(publication, *(sample_reports.policy(to, f"{ANNA}?{n}") for n in range(5)))
    told = process.collect(context)
    assert (told.blocked, told.suppressed) == (5, 0)


def test_a_mail_to_the_unsubscribe_address_with_the_readers_token_is_enough(
    publication: Publication, context: AppContext
) -> None:
    token = context.link_signer.token(Purpose.UNSUBSCRIBE, 1, 1)

    def mail(subject: str) -> bytes:
        return (
            f"From: {ANNA}\nTo: abbestellen@umbaupost.example.net\nSubject: {subject}\n\n\n"
        ).encode()

    nested = mail("x").replace(b"From: ", b"From: " + b"(" * 5000)
    drop(publication, mail("abbestellen bitte"), mail("A" * 43), nested)
    drop(publication, mail(f"Abbestellen {token}"))
    told = process.collect(context)
    assert (told.unsubscribed, told.left_alone) == (1, 3)
    person = subscribers.find(context.store, EmailAddress.parse(ANNA))
    assert person is not None and person.status is SubscriberStatus.UNSUBSCRIBED
    [left] = personal_data.personal_data_of(context.store, person).as_dict()["departures"]
    assert left["way"] == "mail"


def test_who_leaves_by_mail_leaves_whatever_the_recipient_is(
    publication: Publication, context: AppContext
) -> None:
    for number, address in enumerate((ANNA, BERT), 1):
        token = context.link_signer.token(Purpose.UNSUBSCRIBE, number, 1)
        drop(
            publication, f"From: x@example.org\nTo: y@example.org\nSubject: {token}\n\n\n".encode()
        )
        assert process.collect(context).unsubscribed == 1
        person = subscribers.find(context.store, EmailAddress.parse(address))
        assert person is not None and person.status is SubscriberStatus.UNSUBSCRIBED


def test_a_wish_to_leave_without_a_link_is_told_until_a_person_has_read_it(
    publication: Publication, context: AppContext
) -> None:
    drop(
        publication,
        f"From: {ANNA}\nTo: redaktion@umbaupost.example.net\nSubject: Bitte abmelden\n\n\n".encode(),
        f"From: {BERT}\nTo: redaktion@umbaupost.example.net\nSubject: Danke\n\nSehr schön.\n".encode(),
    )
    for _ in range(2):
        told = process.collect(context)
        assert (told.left_alone, told.wants_to_leave, told.unsubscribed) == (2, 1, 0)
        assert told.notice.startswith("Eine Mail im Postfach möchte vielleicht abbestellen")
        assert ANNA not in told.notice
    result = process.collection_result(told, [])
    assert result.name == "Degraded" and told.notice in result.message
    there = {"INBOX__MAILDIR": "inbox"}
    done = publication.run("bounces", "collect", **there)
    assert "subscribers unsubscribe ADRESSE" in done.err
    assert "notice" not in publication.run("bounces", "collect", "--json", **there).json
    # A mail program marks what was read.
    for path in (publication.home / "inbox/new").iterdir():
        path.rename(publication.home / "inbox/cur" / f"{path.name}:2,S")
    told = process.collect(context)
    assert (told.left_alone, told.wants_to_leave, told.notice) == (2, 0, "")
    person = subscribers.find(context.store, EmailAddress.parse(ANNA))
    assert person is not None and person.status is SubscriberStatus.CONFIRMED


def test_the_operators_are_told_once_of_mails_that_want_to_leave(publication: Publication) -> None:
    for name in ("tmp", "new", "cur"):
        (publication.home / "inbox" / name).mkdir(parents=True)
    made = publication.context(INBOX__MAILDIR="inbox", COCKPIT__OPERATORS="betrieb")
    add_confirmed_subscribers(
        made, NewSubscriber(EmailAddress.parse("betrieb@example.org"), groups=("betrieb",))
    )
    app = App(made)
    drop(publication, f"From: {ANNA}\nSubject: Bitte abbestellen\n\n\n".encode())
    for _ in range(3):
        assert app.bounces.collect().wants_to_leave == 1
    [mail] = publication.mails()
    assert b"betrieb@example.org" in mail and ANNA.encode() not in mail
    assert [alert.event for alert in alerts.list_alerts(made.store)] == [UNREAD_EVENT]
    for path in (publication.home / "inbox/new").iterdir():
        path.rename(publication.home / "inbox/cur" / f"{path.name}:2,S")
    assert app.bounces.collect_if_configured() == process.Collected(left_alone=1)
    assert list(alerts.list_alerts(made.store)) == []
    drop(publication, f"From: {BERT}\nSubject: unsubscribe\n\n\n".encode())
    assert app.bounces.collect().wants_to_leave == 1
    assert len(publication.mails()) == 2


def test_the_commands_collect_list_show_and_undo(
    publication: Publication, context: AppContext
) -> None:
    there = {
        "SENDER__VERP": "true", "SENDER__ENVELOPE": "bounces@umbaupost.example.net",
        "INBOX__MAILDIR": "inbox",
    }  # fmt: skip
    drop(publication, sample_reports.exchange(envelope(publication, ANNA), ANNA))
    assert publication.run("bounces", "collect", "--json", **there).json["hard"] == 1
    [line] = publication.run("bounces", "list", "--json").lines
    assert (line["kind"], line["code"]) == ("hard", "5.1.10")
    assert "Unzustellbar" in publication.run("bounces", "show", str(line["id"])).out
    assert "Einen Bericht 99 gibt es nicht" in publication.run("bounces", "show", "99", code=1).err
    assert "Nicht mehr gesperrt" in publication.run("subscribers", "unsuppress", ANNA).out
    assert barred(context, ANNA) is None


def test_without_an_inbox_the_cure_is_told(publication: Publication) -> None:
    with pytest.raises(SettingsError, match=r"inbox\.host"):
        process.collect(publication.context())
    done = publication.run("bounces", "collect", code=1, INBOX__MAILDIR=str(Path("nowhere")))
    assert "kein Maildir" in done.err

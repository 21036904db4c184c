"""Replies are counted by issue, each once, and nothing of them is kept."""

from __future__ import annotations

from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from sqlalchemy import select

from upcycle_news.app.context import AppContext
from upcycle_news.services.bounces import process
from upcycle_news.services.bounces import replies as reply_service
from upcycle_news.services.bounces.replies import ReplyCounter
from upcycle_news.services.subscribers import subscriptions
from upcycle_news.services.subscribers.list_health import list_health
from upcycle_news.storage.replies import ReplyCounts, counts_of
from upcycle_news.storage.schema import reply_marks

from ..delivery.memory_ledger import START, Clock
from ..publications import Publication, add_confirmed_subscribers, parse_mail, send_issue
from . import sample_reports
from .inbox_folder import make_inbox, put, waiting

ANNA, BERT = "anna@example.org", "bert@example.org"
ISSUE = "2026-11-26"


@pytest.fixture
def context(publication: Publication) -> AppContext:
    """Anna and Bert have had an issue, and the inbox is a Maildir."""
    make_inbox(publication)
    made = publication.context(
        INBOX__MAILDIR="inbox", SENDER__VERP="true",
        SENDER__ENVELOPE="bounces@umbaupost.example.net", SENDER__REPLY_TO="redaktion@umbaupost.example.net",
    )  # fmt: skip
    add_confirmed_subscribers(made, ANNA, BERT)
    publication.write_essay()
    assert send_issue(made).closed
    return made


def message_ids(publication: Publication) -> list[str]:
    return [str(parse_mail(mail)["Message-ID"]) for mail in publication.mails()]


def reply(
    answered: str,
    *,
    number: int = 1,
    sender: str = ANNA,
    text: str = "Das habe ich gern gelesen.",
    **headers: str,
) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = "redaktion@umbaupost.example.net"
    message["Subject"] = "Re: Was vom Bahnhof bleibt"
    message["Message-ID"] = f"<{number}@mail.example.org>"
    if answered:
        message["In-Reply-To"] = answered
        message["References"] = f"<first@mail.example.org> {answered}"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text + "\n")
    return message.as_bytes()


def counted(context: AppContext, issue: str = ISSUE) -> tuple[int, int]:
    counts = counts_of(context.store, [issue]).get(issue, ReplyCounts())
    return counts.replies, counts.auto_replies


def test_replies_are_counted_by_issue_and_stay_where_they_are(
    publication: Publication, context: AppContext
) -> None:
    first = message_ids(publication)
    put(publication, reply(first[0]), reply(first[1], number=2, sender=BERT))
    told = process.collect(context)
    assert (told.replies, told.auto_replies, told.left_alone) == (2, 0, 2)
    assert (counted(context), waiting(publication)) == ((2, 0), 2)

    publication.write_essay("Was danach kam")
    assert send_issue(context, "2026-11-26-2").closed
    [second, _] = [number for number in message_ids(publication) if number not in first]
    put(publication, reply(second, number=3))
    assert process.collect(context).replies == 1
    assert (counted(context), counted(context, "2026-11-26-2")) == ((2, 0), (1, 0))


def test_a_reply_that_is_read_again_counts_once(
    publication: Publication, context: AppContext
) -> None:
    [answered, _] = message_ids(publication)
    put(publication, reply(answered))
    assert [process.collect(context).replies for _ in range(3)] == [1, 0, 0]
    put(publication, reply(answered))  # the same mail, a second time in the mailbox
    assert process.collect(context).replies == 0
    assert counted(context) == (1, 0)


def test_replies_count_once_in_both_kinds_of_store(
    publication: Publication, any_store: str
) -> None:
    made = publication.context(STORE=any_store)
    add_confirmed_subscribers(made, ANNA)
    publication.write_essay()
    assert send_issue(made).closed
    [answered] = message_ids(publication)
    for _ in range(2):
        counter = ReplyCounter(made)
        counter.count(reply(answered))
        counter.count(reply(answered, number=2))
        counter.count(reply(answered, number=3, Auto_Submitted="auto-replied"))
    assert counted(made) == (2, 1)


def test_absence_assistants_are_counted_apart_by_reference_or_by_the_envelope(
    publication: Publication, context: AppContext
) -> None:
    [answered, _] = message_ids(publication)
    mail = (publication.home / "var/mailbox/new").iterdir().__next__().read_bytes()
    envelope = mail.split(b"\r\n", 1)[0].decode().removeprefix("Return-Path: <").rstrip(">")
    put(
        publication,
        reply(answered, Auto_Submitted="auto-replied"),
        reply(answered, number=2, Precedence="auto_reply"),
        reply(answered, number=3, Auto_Submitted="auto-generated"),
        sample_reports.vacation(envelope),
    )
    told = process.collect(context)
    assert (told.replies, told.auto_replies) == (0, 4)
    assert counted(context) == (0, 4)


def test_what_is_no_reply_is_not_counted(publication: Publication, context: AppContext) -> None:
    [answered, _] = message_ids(publication)
    receipt = reply(answered, number=8).replace(
        b"Content-Type: text/plain", b"Content-Type: message/disposition-notification"
    )
    put(
        publication,
        reply("", number=2),  # a mail of its own
        reply("<2026-11-26.00112233445566778899aabbccddeeff@umbaupost.example.net>", number=3),
        reply(answered.replace("umbaupost", "anderswo"), number=4),
        reply(answered, number=5, sender="Redaktion <redaktion@umbaupost.example.net>"),
        reply(answered, number=6, List_Id="<list.example.org>"),
        reply(answered, number=7, text="Bitte abmelden."),
        receipt,
        reply(answered, number=9, sender="MAILER-DAEMON@mx.example.org"),
    )
    told = process.collect(context)
    assert (told.replies, told.auto_replies, counted(context)) == (0, 0, (0, 0))
    assert told.wants_to_leave == 1


def test_a_bounce_is_no_reply(publication: Publication, context: AppContext) -> None:
    mail = (publication.home / "var/mailbox/new").iterdir().__next__().read_bytes()
    envelope, recipient = (
        line.decode().partition(": ")[2].strip("<>") for line in mail.split(b"\r\n", 2)[:2]
    )
    put(publication, sample_reports.postfix(envelope, recipient))
    told = process.collect(context)
    assert (told.hard, told.replies) == (1, 0)


def test_replies_to_an_issue_of_more_than_a_year_ago_are_not_counted_and_their_marks_are_deleted(
    publication: Publication, context: AppContext, clock: Clock
) -> None:
    [answered, _] = message_ids(publication)
    put(publication, reply(answered))
    assert process.collect(context).replies == 1
    clock.now = START + timedelta(days=366)
    subscriptions.purge_expired(context)
    with context.store.reading() as connection:
        assert connection.scalars(select(reply_marks.c.mark)).all() == []
    put(publication, reply(answered, number=2))
    assert process.collect(context).replies == 0
    assert counted(context) == (1, 0)


def test_many_forged_references_cost_a_bounded_number_of_looks(
    publication: Publication, context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    real = reply_service.replies.recipients

    def recipients(store, issue):  # type: ignore[no-untyped-def]
        looked.append(issue)
        return real(store, issue)

    monkeypatch.setattr(reply_service.replies, "recipients", recipients)
    counter = ReplyCounter(context)
    for number in range(200):
        day = f"2026-{1 + number % 12:02}-{1 + number % 28:02}"
        forged = f"<{day}.{number:032x}@umbaupost.example.net>"
        assert counter.count(reply(forged, number=number)) == {}
        assert counter.count(reply(f"<{ISSUE}.{number:032x}@umbaupost.example.net>")) == {}
    assert set(looked) == {ISSUE}
    assert len(looked) <= 50


def test_nothing_of_a_reply_is_in_the_store_or_in_the_log(
    publication: Publication, context: AppContext, capsys: pytest.CaptureFixture[str]
) -> None:
    [answered, _] = message_ids(publication)
    put(publication, reply(answered, sender="heimlich@example.org", text="Ein Geheimnis."))
    assert process.collect(context).replies == 1
    context.store.checkpoint()
    held = (publication.home / "var/upcycle.db").read_bytes()
    said = "".join(capsys.readouterr())
    for word in ("heimlich", "Geheimnis", "1@mail.example.org"):
        assert word.encode() not in held
        assert word not in said


def test_status_figures_and_report_show_the_sums(
    publication: Publication, context: AppContext
) -> None:
    [answered, _] = message_ids(publication)
    assert publication.run("issue", "status", ISSUE, "--json").json["replies"] == 0
    assert "Antwort" not in publication.run("issue", "status", ISSUE).out
    put(publication, reply(answered), reply(answered, number=2, Auto_Submitted="auto-replied"))
    process.collect(context)
    done = publication.run("issue", "status", ISSUE)
    assert "Bisher im Postfach: 1 Antwort und 1 Abwesenheitsnotiz." in done.out
    found = publication.run("issue", "status", ISSUE, "--json").json
    assert (found["replies"], found["auto_replies"]) == (1, 1)
    [health] = list_health(context)
    assert "bisher 1 Antwort und 1 Abwesenheitsnotiz" in health.sentence().in_language("de")
    assert publication.run("subscribers", "stats", "--json").json["issues"][0]["replies"] == 1
    publication.run("report")
    page = (publication.home / "var/report.html").read_text(encoding="utf-8")
    assert "Abwesenheit" in page


def test_an_issue_without_a_reply_has_none(context: AppContext) -> None:
    assert counts_of(context.store, ["2026-01-01"]) == {}

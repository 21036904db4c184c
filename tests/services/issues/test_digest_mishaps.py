"""What comes between an issue and its digest: mails that wait, lie in the mailbox, or are corrected meanwhile."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import select, update

from upcycle_news.api import App
from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError, NothingNew
from upcycle_news.models import DeliveryState, IssueId
from upcycle_news.models.digest import Rhythm
from upcycle_news.services.archive import corrections as archive
from upcycle_news.services.delivery import issue_control, send
from upcycle_news.services.delivery.manual_send import queue_issue
from upcycle_news.services.issues import compose
from upcycle_news.services.issues.correction import correction_id
from upcycle_news.services.issues.digest import digest_id
from upcycle_news.services.issues.render import render_revision
from upcycle_news.storage.schema import deliveries

from ...delivery.memory_ledger import Clock
from ...publications import Publication, issue_status, parse_mail, relay_variables
from ..delivery.failing_relay import FailingRelay
from .digest_readers import ALWAYS, add_reader, go_to, offer_digest, send_one
from .test_digest import DIGEST, FIRST, LATER, november


@pytest.fixture
def relay() -> Iterator[FailingRelay]:
    with FailingRelay() as started:
        yield started


def correct_bahnhof(publication: Publication, context: AppContext) -> None:
    (path,) = (publication.home / "content/essays").glob("*-bahnhof.md")
    path.write_text(path.read_text("utf-8").replace("umgebaut", "abgerissen"), encoding="utf-8")
    archive.correct(context, "bahnhof", "Er wird abgerissen.", by="test")


def test_a_correction_waits_for_the_digest_that_told_the_old_text(
    publication: Publication, clock: Clock
) -> None:
    context = november(publication, clock)
    queue_issue(context, DIGEST, approver=ALWAYS, collect=False)
    correct_bahnhof(publication, context)
    with pytest.raises(IssueError, match="2026-12-01-d1 is still on its way"):
        send_one(context, correction_id(context, FIRST))
    send.deliver_issue(context, DIGEST)
    send_one(context, correction_id(context, FIRST))
    assert Counter(publication.recipients()) == {"anna@example.org": 2, "bert@example.org": 3}


def test_a_digest_that_may_have_been_sent_since_the_backup_is_named(
    publication: Publication, clock: Clock
) -> None:
    app = App(november(publication, clock))
    backup = app.backups.create().file
    send_one(publication.context(), DIGEST)
    (publication.home / "var/journal").unlink(missing_ok=True)
    assert app.backups.restore(backup).unsent_digests == ()  # the replaced store knows it
    app.close()
    app = App(publication.context())
    assert app.backups.restore(backup, merge=False).unsent_digests == (str(DIGEST),)
    context = publication.context()
    render_revision(context, compose.compose_issue(context, DIGEST))
    issue_control.cancel(context, DIGEST)
    with pytest.raises(NothingNew):
        digest_id(context)


def test_a_correction_is_not_for_those_whose_digest_lies_in_the_mailbox(
    publication: Publication, clock: Clock, relay: FailingRelay
) -> None:
    send_one(november(publication, clock), DIGEST)
    context = publication.context(**relay_variables(relay.port))
    send_one(context, FIRST)
    correct_bahnhof(publication, context)
    correction = correction_id(context, FIRST)
    send_one(context, correction)
    assert issue_status(context, correction).audience == 1
    assert dict(relay.accepted) == {"bert@example.org": 2}
    send_one(context, DIGEST)  # which tells the corrected text
    assert dict(relay.accepted) == {"bert@example.org": 2, "anna@example.org": 1}


def receive(context: AppContext, issue: IssueId, count: int) -> None:
    """Let the first so many deliveries of an issue be sent, as far as the store knows."""
    with context.store.writing() as connection:
        rows = connection.execute(
            select(deliveries.c.id).where(deliveries.c.issue_id == str(issue)).limit(count)
        )
        sent = deliveries.c.id.in_([row.id for row in rows])
        connection.execute(update(deliveries).where(sent).values(state=DeliveryState.SENT))


@pytest.mark.parametrize("received", [0, 1])
def test_a_cancelled_issue_is_told_if_the_archive_shows_it(
    publication: Publication, clock: Clock, received: int
) -> None:
    context = november(publication, clock)
    issue = go_to(clock, "2026-11-30")
    add_reader(publication, "carl", Rhythm.EVERY_ISSUE)
    publication.write_essay("Werft", date="2026-11-30")
    queue_issue(context, issue, approver=ALWAYS, collect=False)
    receive(context, issue, received)
    issue_control.cancel(context, issue)
    page = context.archive_folder / "archive/2026-11-30/index.html"
    assert page.is_file() == bool(received)
    status = issue_status(context, issue)
    told = (1, DIGEST.day) if received else (0, None)
    assert (status.left_for_digest, status.digest_day) == told
    go_to(clock, "2026-12-01")
    essays = [one.slug for one in compose.compose_manifest(context, DIGEST).issue.essays]
    assert ("werft" in essays) == bool(received)


@pytest.mark.parametrize("received", [0, 1])
def test_what_a_cancelled_digest_tells_is_told_by_the_next_one_if_nobody_got_it(
    publication: Publication, clock: Clock, received: int
) -> None:
    context = november(publication, clock)
    queue_issue(context, DIGEST, approver=ALWAYS, collect=False)
    receive(context, DIGEST, received)
    issue_control.cancel(context, DIGEST)
    if received:
        with pytest.raises(NothingNew):
            digest_id(context)
        return
    assert digest_id(context) == LATER
    manifest = compose.compose_manifest(context, LATER)
    assert manifest.issue.subject == "Umbaupost im November 2026", "it is the first that arrives"
    assert manifest.issue.digest_of == ("2026-11-26", str(FIRST))
    send_one(context, LATER)
    assert Counter(publication.recipients()) == {"anna@example.org": 1, "bert@example.org": 2}
    with pytest.raises(NothingNew):
        digest_id(context)


LIMITED = {
    "2026-11-05": "",
    "2026-11-12": "Energie",
    "2026-11-19": "Bestand",
    "2026-11-26": "Energie",
}
CHOICES = {
    "all": (),
    "bestand": ("Bestand",),
    "energie": ("Energie",),
    "both": ("Bestand", "Energie"),
}


def test_a_digest_tells_what_a_reader_of_every_issue_got_with_the_same_topics(
    publication: Publication, clock: Clock
) -> None:
    offer_digest(publication)
    go_to(clock, "2026-11-02")
    for name, topics in CHOICES.items():
        add_reader(publication, f"digest-{name}", topics=topics)
        add_reader(publication, f"every-{name}", Rhythm.EVERY_ISSUE, topics=topics)
    offered = {"AUDIENCE__TOPICS": '["Bestand", "Energie"]'}
    for day, topic in LIMITED.items():
        issue = go_to(clock, day)
        publication.write_essay(f"Folge {day}", date=day)
        limits = f'["{topic}"]' if topic else "[]"
        send_one(publication.context(ISSUE__TOPICS=limits, **offered), issue)
    go_to(clock, "2026-12-01")
    context = publication.context(**offered)
    subjects = []
    while True:
        try:
            digest = digest_id(context)
        except NothingNew:
            break
        send_one(context, digest)
        subjects.append(parse_mail(publication.mails()[-1])["Subject"])
    month = "Umbaupost im November 2026"
    assert subjects == [month, f"{month}: Energie", f"{month}: Bestand"]
    got: dict[str, Counter[str]] = {}
    for mail in map(parse_mail, publication.mails()):
        text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        titles = re.findall(r"^(Folge [\d-]+)\r?$", text, re.MULTILINE)
        got.setdefault(mail["To"].addresses[0].username, Counter()).update(titles)
    assert {name: got[f"digest-{name}"] for name in CHOICES} == {
        name: got[f"every-{name}"] for name in CHOICES
    }
    assert {name: sum(got[f"digest-{name}"].values()) for name in CHOICES} == {
        "all": 4, "bestand": 2, "energie": 3, "both": 4,
    }  # fmt: skip

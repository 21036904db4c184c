"""What comes between an issue and its digest: mails that wait, lie in the mailbox, or are corrected meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from upcycle_news.api import App
from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError, NothingNew
from upcycle_news.services.archive import corrections as archive
from upcycle_news.services.delivery import issue_control, send
from upcycle_news.services.delivery.manual_send import queue_issue
from upcycle_news.services.issues import compose
from upcycle_news.services.issues.correction import correction_id
from upcycle_news.services.issues.digest import digest_id
from upcycle_news.services.issues.render import render_revision

from ...delivery.memory_ledger import Clock
from ...publications import Publication, issue_status, relay_variables
from ..delivery.failing_relay import FailingRelay
from .digest_readers import ALWAYS, send_one
from .test_digest import DIGEST, FIRST, november


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

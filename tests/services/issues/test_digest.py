"""The digest: an issue of issues, for readers who chose it in place of each of them."""

from __future__ import annotations

from collections import Counter

from upcycle_news.models import IssueId
from upcycle_news.models.digest import Rhythm
from upcycle_news.services.issues import compose
from upcycle_news.services.issues.digest import digest_id
from upcycle_news.services.issues.render import render_revision

from ...delivery.memory_ledger import Clock
from ...publications import Publication, issue_status, parse_mail
from .digest_readers import add_reader, go_to, offer_digest, send_one

DIGEST = IssueId.parse("2026-12-01-d1")


def november(publication: Publication, clock: Clock) -> None:
    """Send two issues of November, of one and of two essays."""
    offer_digest(publication)
    go_to(clock, "2026-11-02")
    add_reader(publication, "anna")
    add_reader(publication, "bert", Rhythm.EVERY_ISSUE)
    context = publication.context()
    for day, titles in (("2026-11-05", ("Bahnhof",)), ("2026-11-26", ("Schule", "Turm"))):
        issue = go_to(clock, day)
        for title in titles:
            publication.write_essay(title, date=day, topics="[Bauen]")
        send_one(context, issue)
        status = issue_status(context, issue)
        assert (status.audience, status.sent, status.closed) == (1, 1, True)


def test_it_tells_the_issues_of_its_period_to_those_who_chose_it(
    publication: Publication, clock: Clock
) -> None:
    november(publication, clock)
    context = publication.context()
    go_to(clock, "2026-12-01")
    assert digest_id(context) == DIGEST
    rendered = render_revision(context, compose.compose_issue(context, DIGEST))
    assert rendered.errors == ()
    print(rendered.content.text, rendered.findings)
    send_one(context, DIGEST)
    assert Counter(publication.recipients()) == {"anna@example.org": 1, "bert@example.org": 2}
    print(parse_mail(publication.mails()[-1]))
    assert 0

"""A publication that has grown: readers, feed items, and closed issues with all that they leave behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from pathlib import Path

from sqlalchemy import text

from upcycle_news.app.context import AppContext
from upcycle_news.models import FeedItem, Issue, IssueId, Manifest, Related, RenderedIssue, Story
from upcycle_news.models.relay_stats import RelayStats
from upcycle_news.rendering.variants import render_variants
from upcycle_news.services.issues import compose
from upcycle_news.storage import feeds, issues, relay_stats, revisions
from upcycle_news.storage.feeds import FeedState

from ..publications import Publication

RELATED = Path(__file__).resolve().parents[2] / "bench/related"
ITEMS_OF_A_FEED = 30
WEEKS_OF_ITEMS = 4

# What becomes of an issue after it was queued: sent, some bounce and leave, some reply, reports come.
_AFTERWARDS = (
    "UPDATE deliveries SET state = 'sent', attempts = 1, code = 250, changed_at = :at"
    " WHERE issue_id = :issue",
    "INSERT INTO bounces (report_key, delivery_id, subscriber_id, issue_id, kind, code, reason,"
    " received_at) SELECT 'report-' || id, id, subscriber_id, issue_id, 'soft', '4.2.2', 'full', :at"
    " FROM deliveries WHERE issue_id = :issue AND subscriber_id % 10 = 0",
    "INSERT INTO unsubscribes (subscriber_id, issue_number, method, at)"
    " SELECT 1000000 + number, number, 'link', :at FROM issues WHERE id = :issue",
    "INSERT INTO issue_replies (issue_id, replies, auto_replies) VALUES (:issue, 2, 5)",
    "INSERT INTO reply_marks (mark, issue_id) VALUES ('mark' || :issue, :issue)",
    "INSERT INTO dmarc_reports (report_key, organisation, domain, policy, begins_at, ends_at,"
    " received_at) VALUES (:issue, 'example.net', 'umbaupost.example.net', 'none', :at, :at, :at)",
    "INSERT INTO feed_reports (at, report)"
    """ VALUES (:at, '{"asked": 5, "failed": [], "waiting": []}')""",
)


def essay_text() -> str:
    """Return the text of an essay that some of the items belong to."""
    essays = json.loads((RELATED / "essays.json").read_text(encoding="utf-8"))
    return str(essays[0]["body"])


def texts_of_items() -> Iterator[tuple[str, str]]:
    """Yield titles and summaries of items, no two the same among the first 70,000."""
    texts = json.loads((RELATED / "items.json").read_text(encoding="utf-8"))
    for shift in count(1):
        for number, one in enumerate(texts):
            other = texts[(number + shift) % len(texts)]
            yield one["title"], f"{other['summary']} {one['summary']}"


def add_items(publication: Publication, amount: int, *, now: datetime) -> None:
    """List as many feeds as have thirty items each, and store these; they came within four weeks."""
    context, texts = publication.context(), texts_of_items()
    lines = []
    for number, start in enumerate(range(0, amount, ITEMS_OF_A_FEED)):
        url = f"https://feed{number}.example/feed"
        lines.append(f'[[feeds]]\nname = "Feed {number}"\nurl = "{url}"\n')
        state = FeedState(
            url, f"Feed {number}", tried_at=now, succeeded_at=now, full_at=now, newest_at=now,
            entries=ITEMS_OF_A_FEED, usable=ITEMS_OF_A_FEED, with_text=ITEMS_OF_A_FEED,
        )  # fmt: skip
        items = []
        for each in range(start, min(start + ITEMS_OF_A_FEED, amount)):
            (title, summary), link = next(texts), f"https://seite.example/{each}"
            at = now - timedelta(weeks=WEEKS_OF_ITEMS) * each / amount
            items.append(
                FeedItem(
                    key=link,
                    feed=f"Feed {number}",
                    link=link,
                    canonical=link,
                    title=title,
                    summary=summary,
                    date=at,
                    date_source="feed",
                )
            )
        feeds.record(context.store, state, items, now=now)
    (publication.home / "content/feeds.toml").write_text("\n".join(lines), encoding="utf-8")


def add_history(publication: Publication, weeks: int, *, before: date) -> None:
    """Add weekly issues before a day, each with an essay and items of its own, sent to all and closed.

    Their mails are one rendering, in which title and links are replaced.
    """
    context = publication.context()
    slug = publication.write_essay("Vorlage", text=essay_text())
    base = compose.compose_manifest(context, IssueId(before), [slug])
    (publication.home / f"content/essays/2024-05-02-{slug}.md").unlink()
    [rendered] = render_variants(base)
    for ago in range(weeks, 0, -1):
        _add_issue(publication, context, base, rendered, before - timedelta(weeks=ago))


def _add_issue(
    publication: Publication,
    context: AppContext,
    base: Manifest,
    rendered: RenderedIssue,
    day: date,
) -> None:
    at = datetime.combine(day, time(6), UTC)
    revision = revisions.save_revision(
        context.store, _of_day(publication, base, day), git_commit="", now=at
    )
    mail = _mail_of(rendered, base.issue, revision.manifest.issue)
    revisions.save_renderings(context.store, revision.revision_id, base.variants, [mail])
    audience = issues.enqueue(
        context.store, revision, by="test", now=at, relay="main",
        approval=issues.NewApproval(by="test"),
    )  # fmt: skip
    stats = RelayStats("main", audience, 0, 0, 0, slowest=0.1, classes={3: audience})
    relay_stats.save(context.store, revision.issue, 1, stats, now=at)
    with context.store.writing() as connection:
        for statement in _AFTERWARDS:
            connection.execute(
                text(statement), {"issue": str(revision.issue), "at": f"{day} 06:30:00.000000"}
            )
    assert issues.close_if_done(context.store, revision.issue, now=at + timedelta(minutes=30))


def _of_day(publication: Publication, base: Manifest, day: date) -> Manifest:
    slug = publication.write_essay(f"Woche {day}", date=str(day), text=essay_text())
    essay = replace(
        base.issue.essays[0], slug=slug, title=f"Woche {day}", date=day,
        source=f"content/essays/{day}-{slug}.md",
    )  # fmt: skip
    related = tuple(
        Related(Story((_of_week(one.story.lead, day),)), one.score, one.reasons, slug)
        for one in base.issue.related
    )
    return replace(
        base,
        issue=replace(
            base.issue, id=IssueId(day), subject=essay.title, essays=(essay,), related=related
        ),
    )


def _mail_of(rendered: RenderedIssue, base: Issue, issue: Issue) -> RenderedIssue:
    """Return the mail of an issue: that of `base`, with another title and other links."""
    pairs = [(base.subject, issue.subject)]
    for one, other in zip(base.related, issue.related, strict=True):
        pairs.append((one.story.lead.link, other.story.lead.link))
    texts = {name: getattr(rendered, name) for name in ("subject", "html", "text", "mjml")}
    for old, new in pairs:
        texts = {name: value.replace(old, new) for name, value in texts.items()}
    return replace(rendered, issue=issue.id, **texts)


def _of_week(item: FeedItem, day: date) -> FeedItem:
    link = f"{item.link}/{day}"
    return replace(
        item, key=link, link=link, canonical=link, date=datetime.combine(day, time(), UTC)
    )

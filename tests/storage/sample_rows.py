"""Issues and subscribers for the tests of the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import select

from upcycle_news.models import (
    EmailAddress,
    Essay,
    FeedItem,
    Issue,
    IssueId,
    IssueState,
    Manifest,
    Publication,
    Related,
    Story,
    Suppression,
    SuppressionSource,
)
from upcycle_news.storage import (
    approvals,
    issues,
    revisions,
    schema,
    subscribers,
    suppressions,
    workers,
)
from upcycle_news.storage.database import Store
from upcycle_news.storage.quotas import Quotas
from upcycle_news.storage.subscribers import NewSubscriber

from ..single_leases import SingleLeaseLedger

NOW = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)
ISSUE = IssueId(date(2026, 11, 26))


def essay(slug: str = "bahnhof", **changes: Any) -> Essay:
    example = Essay(
        slug=slug,
        source=f"content/essays/{slug}.md",
        title="Was vom Bahnhof bleibt",
        author="Redaktion",
        date=date(2026, 11, 20),
        language="de",
        summary="Ein Umbau.",
        body="Der Bahnhof – ein Versuch.",
    )
    return replace(example, **changes)


def item(key: str = "urn:1", **changes: Any) -> FeedItem:
    example = FeedItem(
        key=key,
        feed="Stadtbaublatt",
        link=f"https://stadtbau.example/{key}?utm_source=x",
        canonical=f"https://stadtbau.example/{key}",
        title="Neue Fenster",
        summary="Aus alten.",
        date=NOW,
        date_source="feed",
        topics=("bestand",),
    )
    return replace(example, **changes)


def manifest(issue: IssueId = ISSUE, **changes: Any) -> Manifest:
    content = Issue(
        id=issue,
        language="de",
        subject="Was vom Bahnhof bleibt",
        preheader="Ein Umbau.",
        essays=(essay(),),
        related=(Related(Story((item("urn:1"), item("urn:2"))), 0.5, ("umbau",)),),
    )
    return Manifest(
        issue=replace(content, **changes),
        publication=Publication(
            name="Umbaupost",
            tagline="",
            language="de",
            timezone="Europe/Berlin",
            public_url="https://umbaupost.example.net",
            imprint=("Umbau e. V.",),
        ),
        templates={"newsletter.mjml": "<mjml/>"},
        images={"bahnhof.jpg": b"\xff\xd8bytes"},
    )


def save(store: Store, revision: Manifest | None = None, now: datetime = NOW) -> str:
    saved = revisions.save_revision(store, revision or manifest(), git_commit="", now=now)
    return saved.revision_id


def approve(store: Store, revision_id: str, issue: IssueId = ISSUE) -> None:
    approvals.record_decision(store, issue, revision_id, approved=True, by="Anna", now=NOW)


def approved(store: Store, revision: Manifest | None = None) -> str:
    """Save a revision and approve it; returns its id."""
    revision = revision or manifest()
    revision_id = save(store, revision)
    approve(store, revision_id, revision.issue.id)
    return revision_id


def change_state(store: Store, state: IssueState, issue: IssueId = ISSUE) -> None:
    """Bring an issue whose deliveries began into this state, as people and relays do."""
    if state is IssueState.PAUSED:
        issues.pause(store, issue, by="Anna", reason="was paused by hand", now=NOW)
    elif state is IssueState.STOPPED:
        issues.stop(store, issue, reason="the relay refused", now=NOW)
    elif state is IssueState.CANCELLED:
        issues.cancel(store, issue, by="Anna", reason="was cancelled by hand", now=NOW)
    else:
        issues.resume(store, issue, by="Anna", now=NOW)


def load(store: Store, revision_id: str, issue: IssueId = ISSUE) -> revisions.Revision:
    revision = revisions.load_revision(store, issue, revision_id)
    assert revision is not None
    return revision


def used_content(store: Store) -> tuple[set[str], set[str]]:
    """Return the slugs of the essays, and the keys and links of the items, that were in an issue."""
    columns = (schema.used_content.c.kind, schema.used_content.c.value)
    with store.reading() as connection:
        rows = connection.execute(select(*columns)).all()
    essays = {row.value for row in rows if row.kind == "essay"}
    return essays, {row.value for row in rows if row.kind != "essay"}


def add(store: Store, *addresses: str) -> dict[str, int]:
    """Add confirmed subscribers; returns their ids by address."""
    new = [NewSubscriber(EmailAddress.parse(address)) for address in addresses]
    subscribers.add_subscribers(store, new, source="paper list", now=NOW, dry_run=False)
    return {
        subscriber.email.address: subscriber.id for subscriber in subscribers.all_subscribers(store)
    }


def suppress(store: Store, *addresses: str) -> None:
    with store.writing() as connection:
        for address in addresses:
            suppressions.suppress(
                connection,
                Suppression(address, "complained", SuppressionSource.COMPLAINT, at=NOW),
            )


def queued(store: Store, *addresses: str, issue: IssueId = ISSUE) -> str:
    """Queue an issue for these subscribers; returns the revision id."""
    add(store, *addresses)
    revision_id = approved(store, manifest(issue))
    issues.enqueue(store, load(store, revision_id, issue), now=NOW)
    return revision_id


def ledger(
    store: Store, issue: IssueId = ISSUE, pid: int = 1, quotas: Quotas = Quotas()
) -> SingleLeaseLedger:
    worker = workers.register_worker(store, host="here", pid=pid, process_start="1", now=NOW)
    return SingleLeaseLedger(store, issue, worker, quotas=quotas)

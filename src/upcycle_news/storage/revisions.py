"""Revisions of issues: their inputs and renderings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, insert, select, update

from upcycle_news.models import (
    InlineImage,
    IssueId,
    IssueState,
    Manifest,
    Question,
    RenderedIssue,
    Variants,
)
from upcycle_news.storage import issue_lifecycle as lifecycle
from upcycle_news.storage import manifest_json, text_delta
from upcycle_news.storage.database import Store, naming_damage
from upcycle_news.storage.schema import (
    approval_requests,
    blobs,
    issue_events,
    issues,
    renderings,
    revisions,
    used_content,
    variant_renderings,
)


def issues_by_essay(store: Store) -> Mapping[str, IssueId]:
    """Return the issue of each published essay, by the essay's slug."""
    query = select(used_content.c.value, used_content.c.issue_id).where(
        used_content.c.kind == "essay"
    )
    with store.reading() as connection:
        return {row.value: IssueId.parse(row.issue_id) for row in connection.execute(query)}


def previous_issue(store: Store, issue: IssueId) -> tuple[IssueId, str] | None:
    """Return the issue queued last before this one, and its frozen revision; None for the first.

    Before a correction it is the issue that it corrects, before a digest another digest, and no other issue
    comes after these.
    """
    others = and_(issues.c.id.not_like("%-c%"), issues.c.id.not_like("%-d%"))
    if issue.digest:
        others = issues.c.id.like("%-d%")
    is_before = and_(issues.c.id != str(issue), others)
    if issue.correction:
        is_before = and_(issues.c.id == str(issue.original))
    query = (
        select(issues.c.id, issues.c.revision_id, issues.c.enqueued_at)
        .where(issues.c.enqueued_at.is_not(None), is_before)
        .order_by(issues.c.enqueued_at.desc(), issues.c.number.desc())
        .limit(1)
    )
    with store.reading() as connection:
        enqueued_at = connection.scalar(
            select(issues.c.enqueued_at).where(issues.c.id == str(issue))
        )
        if enqueued_at is not None:
            query = query.where(issues.c.enqueued_at <= enqueued_at)
        row = connection.execute(query).first()
    return None if row is None else (IssueId.parse(row.id), row.revision_id)


def previous_revision(store: Store, issue: IssueId, revision_id: str) -> str | None:
    """Return the revision made before this one; None for the first."""
    query = (
        select(revisions.c.revision_id)
        .where(revisions.c.issue_id == str(issue))
        .order_by(revisions.c.created_at, revisions.c.id)
    )
    with store.reading() as connection:
        ids = list(connection.scalars(query))
    number = ids.index(revision_id) if revision_id in ids else 0
    return ids[number - 1] if number else None


@dataclass(frozen=True)
class Revision:
    """One state of an issue's inputs; `approved` is the last decision, None without any."""

    revision_id: str
    manifest: Manifest
    approved: bool | None
    created_at: datetime

    @property
    def issue(self) -> IssueId:
        """The issue that it is a revision of."""
        return self.manifest.issue.id


def save_revision(store: Store, manifest: Manifest, *, git_commit: str, now: datetime) -> Revision:
    """Store these inputs as the newest revision of their issue, and return it.

    Inputs that were stored before are not stored again: that revision becomes the newest. Raises
    `IssueError` when the issue is frozen.
    """
    text, images = manifest_json.encode(manifest)
    revision_id, issue = manifest_json.revision_id_of(text), str(manifest.issue.id)
    with store.writing() as connection:
        this_revision = and_(revisions.c.issue_id == issue, revisions.c.revision_id == revision_id)
        known = connection.execute(select(revisions.c.id).where(this_revision)).first() is not None
        if lifecycle.locked(connection, issue) is None:
            number = (connection.scalar(select(func.max(issues.c.number))) or 0) + 1
            lifecycle.create(connection, manifest.issue.id, number, revision_id, now=now)
        else:
            lifecycle.record_revision(connection, issue, revision_id, is_new=not known, now=now)
        # Later than any other, whatever the clock says: else an older one would count as the newest.
        last = connection.scalar(
            select(func.max(revisions.c.created_at)).where(revisions.c.issue_id == issue)
        )
        now = now if last is None else max(now, last + timedelta(microseconds=1))
        if known:
            # Back to an earlier text: it becomes the newest again.
            connection.execute(update(revisions).where(this_revision).values(created_at=now))
            approved = approval_state(connection, manifest.issue.id, revision_id)
            return Revision(revision_id, manifest, approved, now)
        save_images(connection, images)
        connection.execute(
            insert(revisions).values(
                issue_id=issue,
                revision_id=revision_id,
                manifest=text,
                git_commit=git_commit,
                created_at=now,
            )
        )
    return Revision(revision_id, manifest, None, now)


def save_images(connection: Connection, images: dict[str, bytes]) -> None:
    """Store the images, by their SHA-256, that are not stored yet."""
    stored = set(connection.scalars(select(blobs.c.sha256).where(blobs.c.sha256.in_(images))))
    for sha, data in images.items():
        if sha not in stored:
            connection.execute(insert(blobs).values(sha256=sha, data=data))


def load_revision(store: Store, issue: IssueId, revision_id: str | None = None) -> Revision | None:
    """Return the revision with this id, or the newest one; None without any."""
    query = select(revisions).where(revisions.c.issue_id == str(issue))
    if revision_id is not None:
        query = query.where(revisions.c.revision_id == revision_id)
    query = query.order_by(revisions.c.created_at.desc(), revisions.c.id.desc()).limit(1)
    with store.reading() as connection:
        row = connection.execute(query).first()
        if row is None:
            return None
        hashes = manifest_json.image_hashes(row.manifest)
        images = {
            blob.sha256: blob.data
            for blob in connection.execute(select(blobs).where(blobs.c.sha256.in_(hashes)))
        }
        approved = approval_state(connection, issue, row.revision_id)
    return Revision(
        row.revision_id, manifest_json.decode(row.manifest, images), approved, row.created_at
    )


def issues_with_frozen_revision(store: Store) -> frozenset[str]:
    """Return the ids of the issues of which the revision is stored that was queued."""
    query = select(issues.c.id).join(
        revisions,
        and_(revisions.c.issue_id == issues.c.id, revisions.c.revision_id == issues.c.revision_id),
    )
    with store.reading() as connection:
        return frozenset(connection.scalars(query))


def decided_variants(store: Store, issue: IssueId) -> tuple[tuple[str, Variants], ...]:
    """Return the revisions of an issue that somebody is asked about, or has decided about, newest first.

    Each with its variants: what is composed again from the same inputs keeps them. An approval counts
    while it holds.
    """
    query = (
        select(revisions.c.revision_id, revisions.c.manifest)
        .where(revisions.c.issue_id == str(issue))
        .order_by(revisions.c.created_at.desc(), revisions.c.id.desc())
    )
    asked = select(approval_requests.c.revision_id).where(
        approval_requests.c.issue_id == str(issue), approval_requests.c.answer == ""
    )
    events = issue_events.c
    about = select(events.revision_id).where(
        events.issue_id == str(issue),
        events.event.in_([lifecycle.IssueEvent.APPROVED, lifecycle.IssueEvent.REJECTED]),
    )
    with store.reading() as connection:
        waiting = set(connection.scalars(asked))
        decided = {
            one
            for one in set(connection.scalars(about))
            if lifecycle.decision_about(connection, str(issue), one) is not None
        }
        if not waiting | decided:
            return ()
        rows = connection.execute(query.where(revisions.c.revision_id.in_(waiting | decided))).all()
    return tuple((row.revision_id, manifest_json.variants_of(row.manifest)) for row in rows)


def not_before(store: Store, issue: IssueId) -> datetime | None:
    """Return the time before which the file of an issue's newest revision lets nothing be sent."""
    query = (
        select(revisions.c.manifest)
        .where(revisions.c.issue_id == str(issue))
        .order_by(revisions.c.created_at.desc(), revisions.c.id.desc())
        .limit(1)
    )
    with store.reading() as connection:
        manifest = connection.scalar(query)
    return None if manifest is None else manifest_json.not_before(manifest)


def question_of(
    store: Store, issue: IssueId, revision_id: str, language: str = ""
) -> tuple[Question, str] | None:
    """Return the question of a revision, in `language` where it is asked in it, and its language; None without one."""
    query = select(revisions.c.manifest).where(
        revisions.c.issue_id == str(issue), revisions.c.revision_id == revision_id
    )
    with store.reading() as connection:
        manifest = connection.scalar(query)
    return None if manifest is None else manifest_json.question(manifest, language)


def approval_state(connection: Connection, issue: IssueId, revision_id: str) -> bool | None:
    """Return True for an approved revision, False for a rejected one, None without a decision."""
    decision = lifecycle.decision_about(connection, str(issue), revision_id)
    return None if decision is None else decision.approved


def find_by_prefix(store: Store, issue: IssueId, start: str) -> str | None:
    """Return the id of a revision that starts with `start`; None when there is none."""
    with store.reading() as connection:
        revision_id: str | None = connection.scalar(
            select(revisions.c.revision_id)
            .where(revisions.c.issue_id == str(issue), revisions.c.revision_id.startswith(start))
            .limit(1)
        )
    return revision_id


def open_images(store: Store) -> frozenset[str]:
    """Return the SHA-256 of every image in a revision of an issue that was not queued yet."""
    manifests = (
        select(revisions.c.manifest)
        .join(issues, issues.c.id == revisions.c.issue_id)
        .where(issues.c.state.in_([state for state in IssueState if not state.is_frozen]))
    )
    with store.reading() as connection:
        return frozenset(
            image_hash
            for manifest in connection.scalars(manifests)
            for image_hash in manifest_json.image_hashes(manifest)
        )


def save_renderings(
    store: Store, revision_id: str, variants: Variants, rendered: Sequence[RenderedIssue]
) -> None:
    """Store the renderings of a revision, one for each variant; the first ones stay.

    The others are stored as what they share with the one of all items in their language.
    """
    images = {
        sha256(image.data).hexdigest(): image.data for one in rendered for image in one.images
    }
    first = rendered[0]
    with store.writing() as connection:
        number = connection.scalar(_revision_number(first.issue, revision_id))
        existing = select(renderings.c.revision_id).where(renderings.c.revision_id == number)
        if connection.execute(existing).first():
            return
        save_images(connection, images)
        row = {"revision_id": number, **_columns(first)}
        row |= {"html": first.html, "text": first.text, "mjml": first.mjml}
        connection.execute(insert(renderings).values(**row))
        rows = []
        for place, one in enumerate(rendered[1:], 1):
            base = variants.base_of(place)
            rows.append({"revision_id": number, "variant": place, "base": base, **_columns(one)})
            for part in _PARTS:
                shared = text_delta.encode(getattr(rendered[base], part), getattr(one, part))
                rows[-1][part] = shared
        if rows:
            connection.execute(insert(variant_renderings), rows)


_PARTS = ("html", "text", "mjml")


def _columns(rendered: RenderedIssue) -> dict[str, Any]:
    """Return what is stored of a rendering beside its texts."""
    return {
        "language": rendered.language,
        "subject": rendered.subject,
        "images": [
            {
                "cid": image.cid,
                "content_type": image.content_type,
                "sha256": sha256(image.data).hexdigest(),
            }
            for image in rendered.images
        ],
    }


def load_rendering(
    store: Store, issue: IssueId, revision_id: str, variant: int = 0
) -> RenderedIssue | None:
    """Return the stored rendering of a revision's variant; None when it was never rendered."""
    return StoredRenderings(store, issue, revision_id).load(variant)


class StoredRenderings:
    """The renderings of a revision. What its variants have in common is read once and kept."""

    def __init__(self, store: Store, issue: IssueId, revision_id: str) -> None:
        """Read those of this revision, when they are asked for."""
        self._store, self._issue, self._revision_id = store, issue, revision_id
        self._texts: dict[int, dict[str, str]] = {}  # of variants that others are stored beside
        self._images: dict[str, bytes] = {}  # by their SHA-256

    def load(self, variant: int) -> RenderedIssue | None:
        """Return the rendering of a variant; None when there is none.

        Raises `DamagedValueError`, also for a picture that is another one than was stored: it would go out.
        """
        with naming_damage(), self._store.reading() as connection:
            number = connection.scalar(_revision_number(self._issue, self._revision_id))
            row, texts = self._load(connection, number, variant)
            if row is None:
                return None
            self._load_images(connection, [image["sha256"] for image in row.images])
            return RenderedIssue(
                issue=self._issue,
                language=row.language,
                subject=row.subject,
                **texts,
                images=tuple(
                    InlineImage(image["cid"], image["content_type"], self._images[image["sha256"]])
                    for image in row.images
                ),
            )

    def _load(
        self, connection: Connection, number: int | None, variant: int
    ) -> tuple[Row[Any] | None, dict[str, str]]:
        """Return the row of a variant, and its texts."""
        if variant == 0:
            query: Select[Any] = select(renderings).where(renderings.c.revision_id == number)
        else:
            query = select(variant_renderings).where(
                variant_renderings.c.revision_id == number, variant_renderings.c.variant == variant
            )
        row = connection.execute(query).first()
        if row is None:
            return None, {}
        if variant == 0:
            return row, {part: getattr(row, part) for part in _PARTS}
        if row.base not in self._texts:
            self._texts[row.base] = self._load(connection, number, row.base)[1]
        base = self._texts[row.base]
        return row, {part: text_delta.decode(base[part], getattr(row, part)) for part in _PARTS}

    def _load_images(self, connection: Connection, hashes: Sequence[str]) -> None:
        missing = [image_hash for image_hash in hashes if image_hash not in self._images]
        if missing:
            for row in connection.execute(select(blobs).where(blobs.c.sha256.in_(missing))):
                if sha256(row.data).hexdigest() != row.sha256:
                    raise ValueError(row.sha256)
                self._images[row.sha256] = row.data


def _revision_number(issue: IssueId, revision_id: str) -> Select[tuple[int]]:
    return select(revisions.c.id).where(
        revisions.c.issue_id == str(issue), revisions.c.revision_id == revision_id
    )

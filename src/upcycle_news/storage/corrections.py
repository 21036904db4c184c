"""What editors corrected or withdrew after it had been sent; the revision itself stays as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from pydantic import TypeAdapter
from sqlalchemy import insert, select

from upcycle_news.models import Essay, IssueId
from upcycle_news.storage.database import Store
from upcycle_news.storage.revisions import keep_images
from upcycle_news.storage.schema import amendments, blobs

_ESSAY = TypeAdapter(Essay)


class AmendmentKind(StrEnum):
    """`RETURN` takes back the withdrawal before it."""

    CORRECTION = "correction"
    WITHDRAWAL = "withdrawal"
    RETURN = "return"


@dataclass(frozen=True)
class Amendment:
    """One decision. `essay` is a slug, empty for the whole issue; `corrected` the essay's new text.

    `images` are the corrected essay's pictures by their paths.
    """

    issue: IssueId
    kind: AmendmentKind
    essay: str
    note: str
    by: str
    at: datetime
    corrected: Essay | None = None
    images: Mapping[str, bytes] = field(default_factory=dict)


def add(store: Store, amendment: Amendment) -> None:
    """Remember a decision."""
    images = {path: sha256(data).hexdigest() for path, data in amendment.images.items()}
    content = _ESSAY.dump_json(amendment.corrected).decode() if amendment.corrected else ""
    with store.writing() as connection:
        keep_images(connection, {images[path]: data for path, data in amendment.images.items()})
        connection.execute(
            insert(amendments).values(
                issue_id=str(amendment.issue),
                kind=amendment.kind,
                essay=amendment.essay,
                note=amendment.note,
                content=content,
                images=images,
                decided_by=amendment.by,
                decided_at=amendment.at,
            )
        )


def every(store: Store) -> tuple[Amendment, ...]:
    """All decisions, oldest first."""
    with store.reading() as connection:
        rows = connection.execute(select(amendments).order_by(amendments.c.id)).all()
        wanted = {revision_id for row in rows for revision_id in row.images.values()}
        data = {
            blob.sha256: blob.data
            for blob in connection.execute(select(blobs).where(blobs.c.sha256.in_(wanted)))
        }
    return tuple(
        Amendment(
            issue=IssueId.parse(row.issue_id),
            kind=AmendmentKind(row.kind),
            essay=row.essay,
            note=row.note,
            by=row.decided_by,
            at=row.decided_at,
            corrected=_ESSAY.validate_json(row.content) if row.content else None,
            images={path: data[revision_id] for path, revision_id in row.images.items()},
        )
        for row in rows
    )

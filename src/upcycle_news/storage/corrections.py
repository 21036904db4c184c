"""Corrections and withdrawals of issues that were sent; the revision itself stays as it was."""

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
from upcycle_news.storage.revisions import save_images
from upcycle_news.storage.schema import blobs, corrections

_ESSAY = TypeAdapter(Essay)


class CorrectionKind(StrEnum):
    """`RETURN` revokes the withdrawal before it."""

    CORRECTION = "correction"
    WITHDRAWAL = "withdrawal"
    RETURN = "return"


@dataclass(frozen=True)
class Correction:
    """One decision. `essay` is a slug, empty for the whole issue; `corrected` the essay's new text.

    `images` are the corrected essay's images by their paths, `notes` the note in further languages.
    """

    issue: IssueId
    kind: CorrectionKind
    essay: str
    note: str
    by: str
    at: datetime
    corrected: Essay | None = None
    images: Mapping[str, bytes] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)


def add_correction(store: Store, correction: Correction) -> None:
    """Store a decision."""
    images = {path: sha256(data).hexdigest() for path, data in correction.images.items()}
    content = _ESSAY.dump_json(correction.corrected).decode() if correction.corrected else ""
    with store.writing() as connection:
        save_images(connection, {images[path]: data for path, data in correction.images.items()})
        connection.execute(
            insert(corrections).values(
                issue_id=str(correction.issue),
                kind=correction.kind,
                essay=correction.essay,
                note=correction.note,
                notes=dict(correction.notes),
                content=content,
                images=images,
                decided_by=correction.by,
                decided_at=correction.at,
            )
        )


def all_corrections(store: Store) -> tuple[Correction, ...]:
    """Return all decisions, oldest first."""
    with store.reading() as connection:
        rows = connection.execute(select(corrections).order_by(corrections.c.id)).all()
        hashes = {image_hash for row in rows for image_hash in row.images.values()}
        data = {
            blob.sha256: blob.data
            for blob in connection.execute(select(blobs).where(blobs.c.sha256.in_(hashes)))
        }
    return tuple(
        Correction(
            issue=IssueId.parse(row.issue_id),
            kind=CorrectionKind(row.kind),
            essay=row.essay,
            note=row.note,
            notes=row.notes,
            by=row.decided_by,
            at=row.decided_at,
            corrected=_ESSAY.validate_json(row.content) if row.content else None,
            images={path: data[image_hash] for path, image_hash in row.images.items()},
        )
        for row in rows
    )

"""Corrections and withdrawals of issues that were sent; the revision itself stays as it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Select, insert, select

from upcycle_news.models import Essay, IssueId
from upcycle_news.storage.database import Store, naming_damage
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
    return _decisions(store, select(corrections))


def corrections_of(store: Store, issue: IssueId) -> tuple[Correction, ...]:
    """Return the decisions about an issue, oldest first."""
    return _decisions(store, select(corrections).where(corrections.c.issue_id == str(issue)))


def decision_keys(store: Store) -> dict[IssueId, tuple[str, ...]]:
    """Return the SHA-256 of each decision by the issue that it is about, oldest first."""
    keys: dict[IssueId, tuple[str, ...]] = {}
    columns = [column for column in corrections.c if column.name not in ("id", "decided_by")]
    with store.reading() as connection:
        rows = connection.execute(select(*columns).order_by(corrections.c.id)).all()
    for row in rows:
        content = json.dumps(tuple(row), sort_keys=True, default=str)
        issue = IssueId.parse(row.issue_id)
        keys[issue] = (*keys.get(issue, ()), sha256(content.encode()).hexdigest())
    return keys


def _decisions(store: Store, query: Select[Any]) -> tuple[Correction, ...]:
    with store.reading() as connection:
        rows = connection.execute(query.order_by(corrections.c.id)).all()
        hashes = {image_hash for row in rows for image_hash in row.images.values()}
        data = {
            blob.sha256: blob.data
            for blob in connection.execute(select(blobs).where(blobs.c.sha256.in_(hashes)))
        }
    with naming_damage():
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

"""Subject and greeting that an editor wrote for one issue in Prefect's form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select

from upcycle_news.models import IssueId
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import wordings

NAMES = ("subject", "greeting")


@dataclass(frozen=True)
class Wording:
    """What an editor wrote for an issue; None where nobody did. An empty greeting means none at all."""

    subject: str | None = None
    greeting: str | None = None


def wording_of(store: Store, issue: IssueId, language: str = "") -> Wording:
    """Return the wording of an issue, which wins over its file and its essays.

    `language` is that of a translation, empty for the issue itself.
    """
    query = select(wordings.c.name, wordings.c.text).where(wordings.c.issue_id == str(issue))
    with store.reading() as connection:
        written = {row.name: row.text for row in connection.execute(query)}
    return Wording(**{name: written.get(name_in(name, language)) for name in NAMES})


def name_in(name: str, language: str) -> str:
    """Return what a text is called in the store and in the form: ``subject``, ``subject_en``."""
    return f"{name}_{language}" if language else name


def set_wording(
    store: Store, issue: IssueId, texts: Mapping[str, str], *, by: str, now: datetime
) -> None:
    """Replace these texts (by `name_in`) of an issue; an empty subject takes the editor's own away."""
    with store.writing() as connection:
        for name, text in texts.items():
            this = (wordings.c.issue_id == str(issue), wordings.c.name == name)
            connection.execute(delete(wordings).where(*this))
            if text or not name.startswith("subject"):
                row = {"issue_id": str(issue), "name": name, "text": text, "by": by, "at": now}
                connection.execute(insert(wordings).values(row))

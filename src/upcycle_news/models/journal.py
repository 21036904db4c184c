"""The journal of what went out: its entries, each a line of JSON.

It lies beside the store: one that is lost, emptied or set back does not know what the journal says. It
holds issues, counts and times, and nothing about any reader.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from upcycle_news.errors import UpcycleError
from upcycle_news.models.content import IssueId
from upcycle_news.models.digest import DigestPeriod


class JournalEvent(StrEnum):
    """What an entry says."""

    QUEUED = "queued"  # an issue is about to go out: written before its first mail
    DELIVERED = "delivered"  # a run of deliveries ended, and some are left
    CLOSED = "closed"  # all deliveries of an issue have ended
    RESTORED = "restored"  # a backup took the place of the store
    MOVED = "moved"  # the store was copied to another database
    CONFIRMED = "confirmed"  # a person said that the store is right as it is


LEFT_FOR_DIGEST = "left_for_digest"
"""Which of the counts says how many get an issue in a digest; missing where that was not written down."""


@dataclass(frozen=True)
class JournalEntry:
    """One entry. `keys` is the fingerprint of the publication's person key.

    `number`, `revision_id` and `essays` (their slugs) are an issue's, `counts` its audience and its
    deliveries by state; `digest_of` are the issues that a digest tells, `told_in` is the period of the digest that
    tells an issue; `about` is a backup's time or the kind of the new store.
    """

    at: datetime
    event: JournalEvent
    keys: str
    issue: str = ""
    number: int = 0
    revision_id: str = ""
    essays: tuple[str, ...] = ()
    digest_of: tuple[str, ...] = ()
    told_in: DigestPeriod | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    about: str = ""

    @property
    def sent(self) -> int:
        """How many readers had the issue by then."""
        return self.counts.get("sent", 0)

    @property
    def reached_nobody(self) -> bool:
        """True for an issue that is closed, and that nobody has or may have."""
        maybe = self.counts.get("sent", 0) + self.counts.get("unknown", 0)
        return self.event is JournalEvent.CLOSED and not maybe

    def encode(self) -> str:
        """Return the entry as a line, without its end."""
        values: dict[str, Any] = {"at": self.at.isoformat(), "event": self.event}
        if self.issue:
            values |= {"issue": self.issue, "number": self.number, "revision": self.revision_id}
        if self.essays:
            values["essays"] = list(self.essays)
        if self.digest_of:
            values["digest_of"] = list(self.digest_of)
        if self.told_in:
            values["told_in"] = [self.told_in.start.isoformat(), self.told_in.end.isoformat()]
        values |= self.counts
        if self.about:
            values["about"] = self.about
        return json.dumps({**values, "keys": self.keys}, ensure_ascii=False)

    @classmethod
    def decode(cls, line: str) -> JournalEntry | None:
        """Read a line; None for one that is no entry, such as one that a full disk cut off."""
        try:
            values: dict[str, Any] = json.loads(line)
            at = datetime.fromisoformat(values.pop("at"))
            if at.tzinfo is None:
                return None
            if values.get("issue"):
                IssueId.parse(values["issue"])
            told_in = values.pop("told_in", None)
            return cls(
                at=at,
                event=JournalEvent(values.pop("event")),
                keys=str(values.pop("keys")),
                issue=str(values.pop("issue", "")),
                number=int(values.pop("number", 0)),
                revision_id=str(values.pop("revision", "")),
                essays=tuple(map(str, values.pop("essays", ()))),
                digest_of=tuple(map(str, values.pop("digest_of", ()))),
                told_in=DigestPeriod(*map(date.fromisoformat, told_in)) if told_in else None,
                about=str(values.pop("about", "")),
                counts={name: int(count) for name, count in values.items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, UpcycleError):
            return None

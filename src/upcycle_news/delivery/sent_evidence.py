"""Whether what others remember of sent issues contradicts the store: pure functions of values.

What a place of the journal, or the archive's folder, says has to be known to the store, never the other
way round. So a machine without a journal contradicts nothing, and
neither does one that saw only some of the issues.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from upcycle_news.models.journal import JournalEntry, JournalEvent

_OUTCOMES = (JournalEvent.DELIVERED, JournalEvent.CLOSED)


@dataclass(frozen=True)
class JournalClaims:
    """What one place of the journal says that no person has settled yet.

    `foreign` is an entry with other keys, `queued` and `outcome` the last ones of their kind,
    `confirmed` a confirmation that the store does not know. Older entries add nothing: a store that
    knows the last one knows those before it.
    """

    queued: JournalEntry | None = None
    outcome: JournalEntry | None = None
    confirmed: JournalEntry | None = None
    foreign: JournalEntry | None = None

    @property
    def issues(self) -> set[str]:
        """The issues that it speaks of."""
        return {entry.issue for entry in (self.queued, self.outcome) if entry is not None}


def unsettled(
    entries: Sequence[JournalEntry], confirmed_at: Collection[datetime]
) -> list[JournalEntry]:
    """Return the entries, in their order, that no confirmation settled which the store knows.

    A confirmation settles what stands before it in the same place, whatever the clock said. In a place
    that does not hold the newest one (another machine's, or its disk was full) it settles what is older.
    """
    start, settled = 0, None
    for number, entry in enumerate(entries, start=1):
        if entry.event is JournalEvent.CONFIRMED and entry.at in confirmed_at:
            start, settled = number, entry.at
    latest = max(confirmed_at, default=None)
    if latest is None or settled == latest:
        return list(entries[start:])
    return [entry for entry in entries[start:] if entry.at > latest]


def read_claims(
    entries: Sequence[JournalEntry], *, confirmed_at: Collection[datetime], keys: str
) -> JournalClaims:
    """Return what a place of the journal says; `keys` is the fingerprint of the publication's keys."""
    left = unsettled(entries, confirmed_at)
    return JournalClaims(
        queued=_last(entry for entry in left if entry.event is JournalEvent.QUEUED),
        outcome=_last(entry for entry in left if entry.event in _OUTCOMES),
        confirmed=_last(entry for entry in left if entry.event is JournalEvent.CONFIRMED),
        foreign=_last(entry for entry in left if entry.keys != keys),
    )


def _last(entries: Iterable[JournalEntry]) -> JournalEntry | None:
    return next(reversed(list(entries)), None)


def sent_issues(
    entries: Sequence[JournalEntry], *, confirmed_at: Collection[datetime]
) -> Mapping[str, JournalEntry]:
    """Return the entry of each issue that the journal saw being queued since it was settled last."""
    return {
        entry.issue: entry
        for entry in unsettled(entries, confirmed_at)
        if entry.event is JournalEvent.QUEUED
    }

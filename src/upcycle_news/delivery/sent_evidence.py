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

    `foreign` is an entry with other keys, `queued` and `outcome` the last ones of their kind (`queued` of
    an issue that somebody got),
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
    """Return the entries that stand behind the last confirmation which the store knows, in their order.

    A confirmation settles what stands before it in the same place, whatever the clock said then.
    """
    start = 0
    for number, entry in enumerate(entries, start=1):
        if entry.event is JournalEvent.CONFIRMED and entry.at in confirmed_at:
            start = number
    return list(entries[start:])


def read_claims(
    entries: Sequence[JournalEntry], *, confirmed_at: Collection[datetime], keys: str
) -> JournalClaims:
    """Return what a place of the journal says; `keys` is the fingerprint of the publication's keys.

    A place that lacks the newest confirmation (another machine's, or its disk was full then) says nothing
    any more that is older, but for issues that were queued: these have to be known for good.
    """
    left = unsettled(entries, confirmed_at)
    latest = max(confirmed_at, default=None)
    newer = left
    if latest is not None and all(entry.at != latest for entry in entries):
        newer = [entry for entry in left if entry.at > latest]
    return JournalClaims(
        queued=_last(_that_went_out(left)),
        outcome=_last(entry for entry in newer if entry.event in _OUTCOMES),
        confirmed=_last(entry for entry in newer if entry.event is JournalEvent.CONFIRMED),
        foreign=_last(entry for entry in newer if entry.keys != keys),
    )


def sent_issues(
    entries: Sequence[JournalEntry], *, confirmed_at: Collection[datetime]
) -> Mapping[str, JournalEntry]:
    """Return the entry of each issue that the journal saw being queued since it was settled last."""
    return {entry.issue: entry for entry in _that_went_out(unsettled(entries, confirmed_at))}


def queued_issues(
    entries: Sequence[JournalEntry], *, confirmed_at: Collection[datetime]
) -> Mapping[str, JournalEntry]:
    """Return the entries of all issues that were queued since the journal was settled last.

    Also of one that nobody got by itself: its page may be there, and a digest tell it.
    """
    left = unsettled(entries, confirmed_at)
    return {entry.issue: entry for entry in left if entry.event is JournalEvent.QUEUED}


def _that_went_out(entries: Sequence[JournalEntry]) -> list[JournalEntry]:
    """Return the entries of issues that were queued, without those that ended before anybody got them.

    What a digest told went out with it, also where nobody got it by itself.
    """
    outcomes = {entry.issue: entry for entry in entries if entry.event in _OUTCOMES}
    queued = [entry for entry in entries if entry.event is JournalEvent.QUEUED]
    reached_nobody = {issue for issue, outcome in outcomes.items() if outcome.reached_nobody}
    told = {one for entry in queued if entry.issue not in reached_nobody for one in entry.digest_of}
    return [entry for entry in queued if entry.issue not in reached_nobody - told]


def _last(entries: Iterable[JournalEntry]) -> JournalEntry | None:
    return next(reversed(list(entries)), None)

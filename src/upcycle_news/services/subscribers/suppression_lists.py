"""Suppress and unsuppress by hand: single addresses and domains, and lists of other systems."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.errors import AddressError, UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import EmailAddress, Suppression, SuppressionSource
from upcycle_news.observability.logging import Log
from upcycle_news.services.subscribers.lists import LineNote, read_list
from upcycle_news.storage import pending_suppressions, suppressions
from upcycle_news.subscribers import suppression_cursor
from upcycle_news.subscribers.csv_lists import about_encoding, escape_formula
from upcycle_news.subscribers.list_files import decode_list
from upcycle_news.subscribers.suppression_keys import read_suppressions, suppression_key

log = Log(__name__)

BY_HAND = "by hand"
MAX_REASON = 32
"""Characters of a reason that are stored."""


@dataclass(frozen=True)
class SuppressReport:
    """How many keys are suppressed now, and how many were before.

    `invalid` holds what is neither an address nor a ``@domain``; `guessed` says which encoding of a list
    was guessed, in the publication's language.
    """

    suppressed: int
    known: int
    invalid: tuple[LineNote, ...] = ()
    guessed: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object of `subscribers suppress`."""
        return {
            "suppressed": self.suppressed,
            "known": self.known,
            "invalid": [note.as_dict() for note in self.invalid],
        }


def suppress_targets(
    context: AppContext,
    targets: Iterable[str],
    *,
    reason: str = "",
    source: SuppressionSource = SuppressionSource.COMMAND,
) -> SuppressReport:
    """Suppress addresses, ``@domains`` and ``#hashes``, numbered from 1 in the report."""
    keys: dict[str, None] = {}
    invalid = []
    for number, target in enumerate(targets, 1):
        try:
            keys[suppression_key(target.strip())] = None
        except AddressError as error:
            invalid.append(LineNote(number, error.in_language(context.language)))
    return _suppress(context, list(keys), invalid, reason, source)


def import_suppressions(context: AppContext, file: Path, *, reason: str = "") -> SuppressReport:
    """Suppress a list: our own CSV, another system's, or one address or ``@domain`` a line.

    Raises `ContentError` when the file cannot be read or is no such list; then none is suppressed.
    """
    data = read_list(file)
    keys, invalid = read_suppressions(data, where=str(file))
    notes = [LineNote(line, text.in_language(context.language)) for line, text in invalid]
    report = _suppress(context, keys, notes, reason, SuppressionSource.LIST)
    guessed = about_encoding(decode_list(data))
    return replace(report, guessed=guessed.in_language(context.language) if guessed else "")


def _suppress(
    context: AppContext,
    keys: list[str],
    invalid: list[LineNote],
    reason: str,
    source: SuppressionSource,
) -> SuppressReport:
    new = suppressions.suppress_all(
        context.store,
        keys,
        reason=" ".join(reason.split())[:MAX_REASON] or BY_HAND,
        source=source,
        now=context.clock(),
    )
    return SuppressReport(new, len(keys) - new, tuple(invalid))


def csv_lines(rows: Iterable[Suppression]) -> Iterator[str]:
    """Yield suppressions as lines of CSV, below a line with the columns."""
    yield _csv_line(("key", "reason", "detail", "at", "source", "issue"))
    for row in rows:
        at = row.at.isoformat(timespec="seconds")
        yield _csv_line((row.key, row.reason, row.detail, at, row.source.value, row.issue))


def _csv_line(cells: Iterable[str]) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow([escape_formula(cell) for cell in cells])
    return buffer.getvalue()


def find_suppression(context: AppContext, target: str) -> Suppression | None:
    """Return the suppression of an address, a ``@domain`` or a ``#hash``; None when there is none.

    Raises `AddressError` for what is none of these.
    """
    key = suppression_key(target)
    email = None if key.startswith(("@", "#")) else EmailAddress.parse(target)
    return suppressions.find(context.store, key, email)


def unsuppress(context: AppContext, target: str) -> None:
    """Lift the suppression of an address, a ``@domain`` or a ``#hash``, also one that is pending.

    Raises `AddressError` for what is none of these, `UpcycleError` when it is not suppressed.
    """
    key = suppression_key(target)
    email = None if key.startswith(("@", "#")) else EmailAddress.parse(target)
    dropped = email is not None and pending_suppressions.drop_pending_of(context.store, email)
    now = context.clock()
    if not suppressions.unsuppress(context.store, key, email, now=now) and not dropped:
        raise UpcycleError(localized("no-such-suppression"))


@dataclass(frozen=True)
class SuppressionPage:
    """Some suppressions, oldest first; `next` is where the following page begins, empty at the end."""

    suppressions: tuple[Suppression, ...]
    next: str = ""


def page_of_suppressions(context: AppContext, *, after: str, limit: int) -> SuppressionPage:
    """Return at most `limit` suppressions after the cursor `after`; raises `ValueError` for a foreign one."""
    secret = context.message_id_key
    place = suppression_cursor.unseal(secret, after) if after else None
    rows = suppressions.page(context.store, after=place, limit=limit + 1)
    shown = rows[:limit]
    more = len(rows) > len(shown)
    return SuppressionPage(shown, suppression_cursor.seal(secret, shown[-1]) if more else "")

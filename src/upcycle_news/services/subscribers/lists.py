"""Lists of subscribers: add one, import a file, export all, and look up or erase one by address."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.errors import ContentError, UpcycleError, UsageError
from upcycle_news.fileio import write_atomically
from upcycle_news.i18n.messages import LANGUAGES
from upcycle_news.models import EmailAddress, Subscriber
from upcycle_news.storage import personal_data, subscribers
from upcycle_news.storage.subscribers import NewSubscriber, add_subscribers
from upcycle_news.subscribers.csv_lists import (
    LISTED_AS,
    clean_name,
    parse_column_mapping,
    read_subscribers_csv,
    write_subscribers_csv,
)

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Called with what begins and its number of steps; its result takes how many more are done."""


@contextmanager
def no_progress(_what: str, _total: int) -> Iterator[Callable[[int], None]]:
    """Show no progress."""
    yield lambda _: None


class AddResult(StrEnum):
    """What adding one subscriber changed."""

    ADDED = "added"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class LineNote:
    """A line of a list and why it was skipped or is invalid."""

    line: int
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object of `subscribers import`."""
        return {"line": self.line, "reason": self.reason}


@dataclass(frozen=True)
class ImportReport:
    """What importing a list changed, or would change.

    `skipped` lines were left out on purpose, `invalid` ones cannot be read; `unread` names the
    columns that were ignored, as the list spells them. `has_unknown_status` is True when lines were
    skipped for a status that the list may mean as subscribed.
    """

    added: int
    updated: int
    unchanged: int
    skipped: tuple[LineNote, ...]
    invalid: tuple[LineNote, ...]
    unread: tuple[str, ...]
    has_unknown_status: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object of `subscribers import`."""
        return {
            "added": self.added,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "skipped": [note.as_dict() for note in self.skipped],
            "invalid": [note.as_dict() for note in self.invalid],
            "unread": list(self.unread),
        }


def add_subscriber(
    context: AppContext,
    email: EmailAddress,
    *,
    consent: str,
    name: str = "",
    language: str = "",
    topics: Iterable[str] = (),
    groups: Iterable[str] = (),
) -> AddResult:
    """Add or update one subscriber whose consent is documented; empty values change nothing.

    Language and topics replace those that the subscriber chose: perhaps they asked for it. Raises
    `UpcycleError` for an address that is suppressed, has unsubscribed or has not confirmed yet, and
    `UsageError` without a consent or for an unknown language.
    """
    if language and language not in LANGUAGES:
        raise UsageError(f"the language must be one of {', '.join(LANGUAGES)}")
    subscriber = NewSubscriber(
        email=email,
        name=clean_name(name),
        language=language,
        topics=tuple(topics),
        groups=tuple(groups),
    )
    report = add_subscribers(
        context.store,
        [subscriber],
        source=consent_source(consent),
        now=context.clock(),
        dry_run=False,
        language=context.language,
        override_preferences=True,
    )
    if report.skipped:
        raise UpcycleError(f"not added: {report.skipped[0][1]}")
    if report.added:
        return AddResult.ADDED
    return AddResult.UPDATED if report.updated else AddResult.UNCHANGED


def consent_source(consent: str) -> str:
    """Return the source of a consent on one line; raises `UsageError` when it is empty."""
    source = " ".join(consent.split())
    if not source:
        raise UsageError('the consent is empty: say where and when, as in "form, 3 May 2026"')
    return source


def import_list(
    context: AppContext,
    file: Path,
    *,
    consent: str,
    columns: Mapping[str, str] | Iterable[str] = (),
    take: Collection[str] = (),
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> ImportReport:
    """Add or update the subscribers of a CSV file, all or none; with `dry_run` only report.

    `columns` maps the list's names of columns to ours (or holds ``THEIRS=ours``), `take` further
    words of a status column that count as subscribed. Raises `ContentError` when the file cannot be
    read, `UsageError` without a consent.
    """
    source = consent_source(consent)
    if not isinstance(columns, Mapping):
        columns = parse_column_mapping(columns)
    data = read_list(file)
    with progress("reading", data.count(b"\n")) as advance:
        parsed = read_subscribers_csv(
            data,
            where=str(file),
            columns=columns,
            take={word.strip().lower() for word in take},
            progress=advance,
        )
    with progress("adding", len(parsed.subscribers)) as advance:
        report = add_subscribers(
            context.store,
            parsed.subscribers,
            source=source,
            now=context.clock(),
            dry_run=dry_run,
            language=context.language,
            progress=advance,
        )
    return ImportReport(
        added=report.added,
        updated=report.updated,
        unchanged=report.unchanged,
        skipped=tuple(LineNote(*note) for note in sorted([*parsed.skipped, *report.skipped])),
        invalid=tuple(LineNote(*note) for note in parsed.invalid),
        unread=parsed.unread,
        has_unknown_status=any(reason.startswith(LISTED_AS) for _, reason in parsed.skipped),
    )


def read_list(file: Path) -> bytes:
    """Return the content of a list; raises `ContentError` when it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise ContentError(
            file, None, f"cannot be read ({error.strerror}); check the path"
        ) from None


def export_list(context: AppContext) -> str:
    """Return all subscribers as CSV, in the form that `import_list` reads."""
    return write_subscribers_csv(subscribers.all_subscribers(context.store))


def write_private(text: str, file: Path | None) -> str:
    """Return `text`; if there is a `file`, write it there whole, readable for its owner only."""
    if file is not None:
        write_atomically(file, text.encode(), private=True)
    return text


def subscriber_with(context: AppContext, email: EmailAddress) -> Subscriber:
    """Return the subscriber with this address; raises `UpcycleError` when there is none."""
    subscriber = subscribers.find(context.store, email)
    if subscriber is None:
        raise UpcycleError("no subscriber has this address")
    return subscriber


def erase(context: AppContext, email: EmailAddress) -> None:
    """Erase a subscriber; raises `UpcycleError` when nothing is stored about the address."""
    if not personal_data.erase_subscriber(context.store, email, now=context.clock()):
        raise UpcycleError("no subscriber has this address")

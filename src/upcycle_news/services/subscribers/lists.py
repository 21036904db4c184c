"""Lists of subscribers: add one, import a file, export all, and look up or erase one by address."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.errors import ContentError, UpcycleError, UsageError
from upcycle_news.fileio import os_reason, read_given_file, write_atomically
from upcycle_news.i18n.messages import LANGUAGES, localized
from upcycle_news.models import EmailAddress, Subscriber, SubscriberStatus
from upcycle_news.models.digest import ReaderRhythm, Rhythm
from upcycle_news.services.journal.consistency import raise_if_contradicted
from upcycle_news.services.subscribers.topics import digest_interval
from upcycle_news.storage import personal_data, rhythms, subscribers
from upcycle_news.storage.chunks import chunks
from upcycle_news.storage.subscribers import NewSubscriber, add_subscribers
from upcycle_news.subscribers.csv_lists import (
    Note,
    ParsedList,
    clean_name,
    read_subscribers_csv,
    write_subscribers_csv,
)
from upcycle_news.subscribers.list_columns import parse_column_mapping

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
    """A line of a list and what is said of it, in the publication's language: why it was skipped."""

    line: int
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object of `subscribers import`."""
        return {"line": self.line, "reason": self.reason}


@dataclass(frozen=True)
class ImportReport:
    """What importing a list changed, or would change.

    `skipped` lines were left out on purpose, `invalid` ones cannot be read; `notes` say what of a line
    that was taken is not as the list has it. `unread` names the columns that were ignored, as the list
    spells them. `has_unknown_status` is True when lines were skipped for a word that the list may mean
    as subscribed. `guessed` says which encoding was guessed; empty if none was. `asked` counts those
    that get a mail with the question, where the list has no proof of consent.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: tuple[LineNote, ...] = ()
    invalid: tuple[LineNote, ...] = ()
    notes: tuple[LineNote, ...] = ()
    unread: tuple[str, ...] = ()
    has_unknown_status: bool = False
    guessed: str = ""
    asked: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object of `subscribers import`."""
        return {
            "added": self.added,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "skipped": [note.as_dict() for note in self.skipped],
            "invalid": [note.as_dict() for note in self.invalid],
            "unread": list(self.unread),
            "notes": [note.as_dict() for note in self.notes],
            "guessed": self.guessed,
            "asked": self.asked,
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
    rhythm: Rhythm | None = None,
    given_at: datetime | None = None,
    consent_text: str = "",
) -> AddResult:
    """Add or update one subscriber whose consent is documented; empty values change nothing.

    `given_at` is when it was given (default: now), `consent_text` the words that were agreed to.

    Language, topics and rhythm replace what the subscriber chose: perhaps they asked for it. A rhythm holds
    at once for who is new, from the digest's next period on for others. Raises
    `UpcycleError` for an address that is suppressed, has unsubscribed or has not confirmed yet,
    `UsageError` without a consent or for an unknown language, and `StoreMismatchError` as `import_list`.
    """
    if language and language not in LANGUAGES:
        raise UsageError(localized("language-unknown", languages=LANGUAGES))
    raise_unless_offered(context, rhythm)
    raise_if_contradicted(context, context.store)
    subscriber = NewSubscriber(
        email=email,
        name=clean_name(name),
        language=language,
        topics=tuple(topics),
        groups=tuple(groups),
        rhythm=rhythm,
    )
    report = add_subscribers(
        context.store,
        [subscriber],
        source=consent_source(consent),
        now=context.clock(),
        dry_run=False,
        language=context.language,
        override_preferences=True,
        given_at=given_at,
        consent_text=consent_text,
        today=context.today,
        interval=digest_interval(context),
    )
    if report.skipped:
        raise UpcycleError(localized("subscriber-not-added", reason=report.skipped[0][1]))
    if report.added:
        return AddResult.ADDED
    return AddResult.UPDATED if report.updated else AddResult.UNCHANGED


def raise_unless_offered(context: AppContext, rhythm: Rhythm | None) -> None:
    """Raise `UsageError` for the digest where the publication offers none."""
    if rhythm is Rhythm.DIGEST and digest_interval(context) is None:
        raise UsageError(localized("digest-not-set"))


def consent_source(consent: str) -> str:
    """Return the source of a consent on one line; raises `UsageError` when it is empty."""
    source = " ".join(consent.split())
    if not source:
        raise UsageError(localized("consent-empty"))
    return source


def import_list(
    context: AppContext,
    file: Path,
    *,
    consent: str,
    columns: Mapping[str, str] | Iterable[str] = (),
    ignore: Collection[str] = (),
    take: Collection[str] = (),
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> ImportReport:
    """Add or update the subscribers of a CSV file, all or none; with `dry_run` only report.

    `columns` maps the list's names of columns to ours (or holds ``THEIRS=ours``), `ignore` names those
    that are not read, `take` further words of a column that count as subscribed. Raises `ContentError`
    when the file cannot be read or may say of somebody that they want no mail, `UsageError` without a
    consent, `StoreMismatchError` while the store does not know what went out: then it does not know who
    left, either.
    """
    source = consent_source(consent)
    raise_if_contradicted(context, context.store)
    parsed = parse_list(file, columns, ignore, take)
    with progress("adding", parsed.line_count) as advance:
        report = add_subscribers(
            context.store,
            with_offered_rhythms(context, parsed),
            source=source,
            now=context.clock(),
            dry_run=dry_run,
            language=context.language,
            today=context.today,
            interval=digest_interval(context),
            progress=advance,
        )
    return replace(
        import_report(context, parsed, report.skipped),
        added=report.added,
        updated=report.updated,
        unchanged=report.unchanged,
    )


def parse_list(
    file: Path,
    columns: Mapping[str, str] | Iterable[str],
    ignore: Collection[str],
    take: Collection[str],
) -> ParsedList:
    """Read a list; arguments and errors are those of `import_list`."""
    return read_subscribers_csv(
        read_list(file),
        where=str(file),
        columns=columns if isinstance(columns, Mapping) else parse_column_mapping(columns),
        ignore=ignore,
        take={word.strip().lower() for word in take},
    )


def with_offered_rhythms(context: AppContext, parsed: ParsedList) -> Iterator[NewSubscriber]:
    """Yield the subscribers of a list, without the digest where none is offered, which is noted."""
    offered = digest_interval(context) is not None
    for subscriber in parsed.subscribers:
        if subscriber.rhythm is None or offered:
            yield subscriber
            continue
        if subscriber.rhythm is Rhythm.DIGEST:
            parsed.notes.append((subscriber.line, localized("digest-not-set")))
        yield replace(subscriber, rhythm=None)


def import_report(context: AppContext, parsed: ParsedList, skipped: Iterable[Note]) -> ImportReport:
    """Return what is said of the lines of a list, in the publication's language, without counts."""

    def told(notes: Iterable[Note]) -> tuple[LineNote, ...]:
        by_line = sorted(notes, key=lambda note: note[0])
        return tuple(LineNote(line, text.in_language(context.language)) for line, text in by_line)

    return ImportReport(
        skipped=told([*parsed.skipped, *skipped]),
        invalid=told(parsed.invalid),
        notes=told(parsed.notes),
        unread=parsed.unread,
        has_unknown_status=parsed.unknown_status,
        guessed=parsed.guessed.in_language(context.language) if parsed.guessed else "",
    )


def read_list(file: Path) -> bytes:
    """Return the content of a list; raises `ContentError` when it cannot be read."""
    try:
        return read_given_file(file)
    except OSError as error:
        raise ContentError(
            file, None, localized("list-unreadable", reason=os_reason(error))
        ) from None


def export_list(context: AppContext) -> str:
    """Return all subscribers as CSV, in the form that `import_list` reads."""
    return write_subscribers_csv(subscribers.listed_subscribers(context.store))


def with_rhythms(
    context: AppContext, people: Iterable[Subscriber]
) -> Iterator[tuple[Subscriber, ReaderRhythm]]:
    """Yield subscribers with their rhythms, which are looked up for many at a time."""
    for chunk in chunks(people):
        known = rhythms.rhythms_of(context.store, [one.id for one in chunk], context.today)
        for one in chunk:
            yield one, known.get(one.id, ReaderRhythm())


def write_private(text: str, file: Path | None) -> str:
    """Return `text`; if there is a `file`, write it there whole, readable for its owner only."""
    if file is not None:
        write_atomically(file, text.encode(), private=True)
    return text


def subscriber_with(context: AppContext, email: EmailAddress) -> Subscriber:
    """Return the subscriber with this address; raises `UpcycleError` when there is none."""
    subscriber = subscribers.find(context.store, email)
    if subscriber is None:
        raise UpcycleError(localized("subscriber-unknown"))
    return subscriber


def search(
    context: AppContext, text: str, *, status: SubscriberStatus | str, topic: str, group: str
) -> Iterator[Subscriber]:
    """Yield the subscribers with `text` in address or name, whatever its case; empty values match all."""
    if status and status not in list(SubscriberStatus):
        raise UsageError(localized("status-unknown", statuses=tuple(SubscriberStatus)))
    wanted = text.strip().casefold()
    for subscriber in subscribers.all_subscribers(context.store):
        matches = wanted in subscriber.email.key or wanted in subscriber.name.casefold()
        if (
            matches
            and status in ("", subscriber.status)
            and (not topic or topic in subscriber.topics)
            and (not group or group in subscriber.groups)
        ):
            yield subscriber


def change_subscriber(
    context: AppContext,
    number: int,
    *,
    name: str | None = None,
    language: str | None = None,
    topics: Iterable[str] | None = None,
    groups: Iterable[str] | None = None,
    rhythm: Rhythm | None = None,
) -> Subscriber | None:
    """Change what is given of a subscriber, and return them; None when there is none with this id.

    A rhythm begins with the digest's next period. Raises `UsageError` for an unknown language and for the
    digest where none is offered, `UpcycleError` for a name with control characters.
    """
    raise_unless_offered(context, rhythm)
    if language is not None and language not in LANGUAGES:
        raise UsageError(localized("language-unknown", languages=LANGUAGES))
    values: dict[str, Any] = {}
    if name is not None:
        values["name"] = clean_name(name)
    if language is not None:
        values["language"] = language
    if topics is not None:
        values["topics"] = list(dict.fromkeys(topics))
    if groups is not None:
        values["groups"] = sorted(set(groups))
    if values or rhythm is not None:
        subscribers.change(
            context.store,
            number,
            values,
            now=context.clock(),
            rhythm=rhythm,
            today=context.today,
            interval=digest_interval(context),
        )
    return subscribers.by_id(context.store, number)


def erase(context: AppContext, email: EmailAddress) -> None:
    """Erase a subscriber; raises `UpcycleError` when nothing is stored about the address."""
    if not personal_data.erase_subscriber(context.store, email, now=context.clock()):
        raise UpcycleError(localized("subscriber-unknown"))

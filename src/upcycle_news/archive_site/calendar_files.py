"""Calendar files of the events that essays announce (iCalendar, RFC 5545), one for each event."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from upcycle_news.archive_site.atom_sitemap import issue_host
from upcycle_news.archive_site.view_models import SentIssue, SiteViewModelBuilder
from upcycle_news.models import Essay
from upcycle_news.models.archive_paths import event_path
from upcycle_news.rendering import markdown, plaintext
from upcycle_news.rendering.pieces import event_time
from upcycle_news.text.event_times import EventTime
from upcycle_news.text.markdown.fenced_blocks import FencedBlock, fenced_blocks
from upcycle_news.text.typography import normalise_text

_LINE = 75
"""Octets of a line at the most, without its end (RFC 5545, 3.1)."""


def calendar_files(
    sent: SentIssue, essay: Essay, builder: SiteViewModelBuilder
) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of a calendar file for each event of an essay.

    The id of an event stays the same when its essay is corrected; the number of corrections is its
    SEQUENCE, so that a calendar takes the new date (RFC 5545, 3.8.7.4).
    """
    for block in fenced_blocks(markdown.parse_essay(essay)):
        if block.kind == "event" and (when := event_time(block)):
            name = f"{essay.slug}-event-{block.number}"
            lines = [
                ("BEGIN", "VCALENDAR"),
                ("VERSION", "2.0"),
                ("PRODID", "-//upcycle-news//archive//EN"),
                ("METHOD", "PUBLISH"),
                ("BEGIN", "VEVENT"),
                ("UID", f"{name}@{issue_host(sent.manifest.publication)}"),
                ("DTSTAMP", _utc(sent.changed_at)),
                ("SEQUENCE", str(len(sent.corrections.get(essay.slug, ())))),
                *_times(when, builder),
                *_texts(block, essay, builder),
                ("END", "VEVENT"),
                ("END", "VCALENDAR"),
            ]
            text = "".join(_folded(f"{key}:{value}") for key, value in lines)
            yield event_path(essay.slug, block.number, essay.folder), text.encode()


def _times(when: EventTime, builder: SiteViewModelBuilder) -> Iterator[tuple[str, str]]:
    """Yield start and end: in UTC, or as days, of which the end is the one behind the last (3.6.1)."""
    if isinstance(when.start, datetime):
        for key, moment in (("DTSTART", when.start), ("DTEND", when.end)):
            if isinstance(moment, datetime):
                yield key, _utc(moment.replace(tzinfo=builder.zone))
    else:
        yield "DTSTART;VALUE=DATE", _day(when.start)
        yield "DTEND;VALUE=DATE", _day(when.last_day + timedelta(days=1))


def _texts(
    block: FencedBlock, essay: Essay, builder: SiteViewModelBuilder
) -> Iterator[tuple[str, str]]:
    pieces = builder.pieces(essay)
    event = pieces.event(block)
    text, _ = plaintext.to_text(
        block.body, image_label=builder.strings("image"), words_of=pieces.texts
    )
    # A paragraph is one line: calendars wrap it themselves.
    description = "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))
    yield "SUMMARY", _escaped(event.title or builder.typeset(essay.title, essay.language))
    if event.place:
        yield "LOCATION", _escaped(event.place)
    if description.strip():
        yield "DESCRIPTION", _escaped(description)
    if event.url:
        yield "URL", re.sub(r"[^\x21-\x7e]", "", event.url)


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _day(day: date) -> str:
    return f"{day:%Y%m%d}"


def _escaped(text: str) -> str:
    r"""Return a text with ``\``, ``;``, ``,`` and line ends escaped (RFC 5545, 3.3.11)."""
    escaped = re.sub(r"([\\;,])", r"\\\1", normalise_text(text)).replace("\t", " ")
    return escaped.replace("\n", "\\n")


def _folded(line: str) -> str:
    """Return a content line folded at 75 octets, never within a character (RFC 5545, 3.1)."""
    parts, size = [""], 0
    for character in line:
        octets = len(character.encode())
        if size + octets > _LINE:
            parts.append("")
            size = 1  # the space that begins the line
        parts[-1] += character
        size += octets
    return "\r\n ".join(parts) + "\r\n"

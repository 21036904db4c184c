"""Fenced blocks as readers see them: the words of each, and the macro of the templates that shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from markdown_it.token import Token
from markupsafe import Markup

from upcycle_news.rendering.markdown import is_mail_link
from upcycle_news.rendering.template_filling import call_macro
from upcycle_news.rendering.template_strings import TemplateStrings
from upcycle_news.rendering.typesetter import Typesetter
from upcycle_news.text.event_times import EventTime, EventTimeError, read_event_time
from upcycle_news.text.markdown.fenced_blocks import FencedBlock
from upcycle_news.text.markdown.parser import words
from upcycle_news.text.markdown.plain_line import plain_line

MAIL_PIECES = "partials/pieces.mjml"
PAGE_PIECES = "archive/pieces.html"
"""The macros of mails and of pages; each kind of block is a macro of its name."""


@dataclass(frozen=True)
class EventView:
    """An event in words: `when` and `place` are empty where they are not certain.

    `starts` is for machines (2026-12-12T18:00), `link` the words of `url`; `calendar` is the address of
    its file for calendars, empty where the archive has none.
    """

    title: str
    when: str
    starts: str
    place: str
    url: str
    link: str
    calendar: str


@dataclass(frozen=True)
class PieceWriter:
    """Writes the fenced blocks of one essay.

    `calendar` returns the address of the calendar file of an event by its number, or an empty string.
    """

    templates: Mapping[str, str]
    macros: str
    strings: TemplateStrings
    typeset: Typesetter
    language: str
    theme: Mapping[str, Any]
    calendar: Callable[[int], str]

    def html(self, block: FencedBlock, inline: Callable[[Sequence[Token]], str], body: str) -> str:
        """Return a block as HTML; a `rendering.markdown.WriteBlock`."""
        title = Markup(inline(block.title.children or ()) if block.title else "")  # noqa: S704
        shown = {"body": Markup(body)}  # noqa: S704  markdown-it escaped both
        if block.kind == "event":
            return self._macro("event", event=self.event(block), title=title, **shown)
        if block.kind == "button" and (button := block.button_link()) and is_mail_link(button[1]):
            return self._macro("button", words=Markup(inline(button[0])), url=button[1])  # noqa: S704
        if block.kind == "quote":
            return self._macro("quote", by=self.line(block.field("by")), title=title, **shown)
        if block.kind == "box":
            return self._macro("box", title=title, **shown)
        # A button without an address, a kind that nobody knows: a check tells it, and no word is lost.
        return (Markup("<p><strong>{}</strong></p>\n").format(title) if title else "") + shown[
            "body"
        ]

    def texts(self, block: FencedBlock) -> tuple[str, Sequence[str], Sequence[str]]:
        """Return the words of a block for the text part; a `rendering.plaintext.WordsOf`."""
        if block.kind == "quote" and (by := self.line(block.field("by"))):
            return "", (), (f"– {by}",)
        if block.kind != "event":
            return "", (), ()
        event = self.event(block)
        calendar = f"{self.strings('event_calendar')}: {event.calendar}" if event.calendar else ""
        link = f"{event.link}: {event.url}" if event.url else ""
        below = tuple(filter(None, (link, calendar)))
        return self.strings("event"), tuple(filter(None, (event.when, event.place))), below

    def event(self, block: FencedBlock) -> EventView:
        """Return what is said about an event."""
        link, address = block.link
        is_address = is_mail_link(address)
        time_of_event = event_time(block)
        start = time_of_event.start if time_of_event else None
        return EventView(
            title=words(block.title.children or ()) if block.title else "",
            when=self.when(time_of_event) if time_of_event else self.line(block.field("date")),
            starts=start.isoformat() if start else "",
            place=self.line(block.field("place")),
            url=address if is_address else "",
            link=self.line(link) or self.strings("event_link") if is_address else "",
            calendar=self.calendar(block.number) if time_of_event else "",
        )

    def line(self, text: str) -> str:
        """Return the text of a field, set, without marks of Markdown."""
        return self.typeset(plain_line(text, self.language), self.language)

    def when(self, event: EventTime) -> str:
        """Return day and time in words: ``Samstag, 12. Dezember 2026, 18:00–20:00 Uhr``."""
        start, end = event.start, event.end
        if end is None:
            return self._moment(start)
        if (
            isinstance(start, datetime)
            and isinstance(end, datetime)
            and event.last_day == start.date()
        ):
            day = self.strings.full_date(start)
            return self.strings("event_hours", day=day, start=f"{start:%H:%M}", end=f"{end:%H:%M}")
        return self.strings("event_range", start=self._moment(start), end=self._moment(end))

    def _moment(self, moment: date | datetime) -> str:
        day = self.strings.full_date(moment)
        if not isinstance(moment, datetime):
            return day
        return self.strings("event_hour", day=day, time=f"{moment:%H:%M}")

    def _macro(self, name: str, **arguments: Any) -> str:
        variables = {"t": self.strings, "theme": self.theme}
        return call_macro(self.templates, self.macros, name, variables, arguments)


def event_time(block: FencedBlock) -> EventTime | None:
    """Return when an event takes place; None for what is not certain, which a check tells."""
    try:
        return read_event_time(block.field("date"), block.field("time"), block.field("end"))
    except EventTimeError:
        return None

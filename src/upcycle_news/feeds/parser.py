"""Parsing of a feed's body into feed items: plain text, safe links, plausible dates.

Nothing in a body raises: problems are reported beside the items that could be read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from upcycle_news.feeds.boilerplate import (
    Passage,
    folded,
    without_repeated_endings,
    without_trailer,
)
from upcycle_news.feeds.dates import (
    MAX_AHEAD,
    DayMonthOrder,
    day_month_order,
    item_date,
    strict_date,
)
from upcycle_news.feeds.encoding import decode_body
from upcycle_news.feeds.entries import (
    MAX_BODY,
    MAX_ENTRIES,
    MAX_SUMMARY,
    MAX_TITLE,
    RawEntry,
    RawFeed,
    RawLink,
)
from upcycle_news.feeds.item_identity import BodyItem, distinct_items, item_key
from upcycle_news.feeds.json_feed import is_json, parse_json_feed
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Feed, FeedItem
from upcycle_news.text.excerpts import excerpt
from upcycle_news.text.sanitize import truncate
from upcycle_news.text.sentences import split_sentences
from upcycle_news.text.typography import base_language
from upcycle_news.text.urls import (
    BadLinkError,
    canonical_link,
    resolve_link,
    safe_link,
)

MAX_PROBLEMS = 20
MAX_IMAGES = 5
MIN_IMAGE = 100  # pixels; smaller ones are tracking pixels or decoration
MAX_DERIVED_TITLE = 120
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_PAGE_TYPES = ("", "text/html", "application/xhtml+xml")


@dataclass(frozen=True)
class ParsedFeed:
    """A parsed feed. `problems` are sentences for the editor; an empty `format` means no feed.

    `images` are candidates only, by the key of their item: https, and not known to be tiny. No mail
    shows one unless an editor chose it. `complete`: all that the body has is in `items`, so what is
    not there is not in the feed. `other_guids` are those of an item's repetitions, by its key.
    `guessed_encoding`: the encoding, where it is not the declared one. `language` is what the feed says
    to be written in, as it says it. `entries` counts all that the body has, usable or not.
    """

    format: str
    title: str
    items: tuple[FeedItem, ...]
    problems: tuple[str, ...] = ()
    images: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    complete: bool = False
    guessed_encoding: str = ""
    other_guids: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    language: str = ""
    entries: int = 0

    @property
    def usable(self) -> bool:
        """True when the body was a feed at all, perhaps an empty one."""
        return bool(self.format)


def parse_feed(
    body: bytes, *, url: str, content_type: str, feed: Feed, now: datetime
) -> ParsedFeed:
    """Parse the `body` fetched from `url`; items without a usable date are dated `now`."""
    if len(body) > MAX_BODY:
        return ParsedFeed(
            "", "", (), (str(localized("body-large", size=MAX_BODY // 1024 // 1024)),)
        )
    decoded = decode_body(body, content_type)
    if is_json(decoded.text, content_type):
        raw = parse_json_feed(decoded.text)
    else:
        from upcycle_news.feeds.xml_feed import parse_xml_feed  # late: loads feedparser

        raw = parse_xml_feed(decoded.text, url)
    problems = list(raw.problems)
    entries: Sequence[RawEntry] = raw.entries
    if len(entries) > MAX_ENTRIES:
        entries, problem = newest_entries(entries, now)
        problems.append(problem)
    reading = _Reading(raw, entries, url, feed, now)
    bodies = reading.items(problems)
    return ParsedFeed(
        raw.format,
        truncate(raw.title.headline(), MAX_TITLE),
        tuple(body.item for body in bodies),
        tuple(dict.fromkeys(problems))[:MAX_PROBLEMS],
        {body.item.key: body.images for body in bodies if body.images},
        complete=raw.complete and len(problems) == len(raw.problems),
        guessed_encoding=decoded.encoding if decoded.guessed else "",
        other_guids={body.item.key: body.other_guids for body in bodies if body.other_guids},
        language=raw.language.strip()[:40],
        entries=len(raw.entries),
    )


def newest_entries(entries: Sequence[RawEntry], now: datetime) -> tuple[tuple[RawEntry, ...], str]:
    """Return the newest entries of a long feed in its order, and the sentence that says so.

    A date in the far future is none. Without dates nothing says where the new ones are: they are
    taken from both ends.
    """
    dated: list[tuple[datetime, int]] = []
    undated: list[int] = []
    for index, entry in enumerate(entries):
        parsed = (strict_date(" ".join(raw.split())) for raw in entry.dates[:2] if len(raw) < 80)
        date = next((date for date in parsed if date is not None), None)
        try:
            plausible = date is not None and date.astimezone(UTC) <= now + MAX_AHEAD
        except (OverflowError, ValueError):
            plausible = False
        if date is not None and plausible:
            dated.append((date.astimezone(UTC), index))
        else:
            undated.append(index)
    dated.sort(reverse=True)
    chosen = [index for _, index in dated[:MAX_ENTRIES]]
    room = MAX_ENTRIES - len(chosen)
    if room and undated:
        front = undated[: (room + 1) // 2]
        back = undated[len(front) :][-(room // 2) :] if room > 1 else []
        chosen += [*front, *back]
    sentence = localized("feed-long", limit=MAX_ENTRIES)
    if len(undated) > len(dated):
        sentence = localized("feed-long-undated", limit=MAX_ENTRIES)
    return tuple(entries[index] for index in sorted(chosen)), str(sentence)


@dataclass
class _Reading:
    """The entries of one body on their way to items; what they have in common decides about each."""

    raw: RawFeed
    entries: Sequence[RawEntry]
    url: str
    feed: Feed
    now: datetime
    order: DayMonthOrder = field(init=False)
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.order = day_month_order(date for entry in self.entries for date in entry.dates)
        self.names = (self.raw.title.headline(), self.feed.name)

    def items(self, problems: list[str]) -> tuple[BodyItem, ...]:
        """Return the items and their pictures; entries that are left out add to `problems`."""
        passages = [self._passage(entry) for entry in self.entries]
        texts = without_repeated_endings(passages)
        items: list[BodyItem] = []
        for number, (entry, passage, text) in enumerate(
            zip(self.entries, passages, texts, strict=True), start=1
        ):
            try:
                item = self._item(entry, passage.title, text)
            except BadLinkError as error:
                problems.append(str(localized("entry-left-out", number=number, reason=error.text)))
                continue
            items.append(BodyItem(item, self._updated(entry, item), self._images(entry)))
        page = canonical_link(self.raw.page) if self.raw.page else ""
        return distinct_items(items, page)

    def _passage(self, entry: RawEntry) -> Passage:
        """Return title and text of an entry; the text without a trailer and without the title."""
        title = next(filter(None, (title.headline() for title in entry.titles)), "")
        for raw in entry.texts:
            text = _without_title(raw.lines(), title)
            if text := without_trailer(Passage(title, text), self.names):
                break
        else:
            text = ""
        if not title and text:
            beginning = text[: 2 * MAX_DERIVED_TITLE]
            first = (split_sentences(beginning) or [""])[0]
            title = excerpt(beginning, MAX_DERIVED_TITLE, max_sentences=1)
            if title == first:
                text = text.removeprefix(first).strip()
        return Passage(title, text)

    def _item(self, entry: RawEntry, title: str, text: str) -> FeedItem:
        link = self._link(entry)
        if not title:
            raise BadLinkError(localized("entry-empty"))
        canonical = canonical_link(link)
        date = item_date(entry.dates, now=self.now, language=self.feed.language, order=self.order)
        summary = truncate(text, MAX_SUMMARY)
        return FeedItem(
            key=item_key(entry.id, canonical, title, self.feed),
            feed=self.feed.name,
            link=link,
            canonical=canonical,
            title=truncate(title, MAX_TITLE),
            summary=summary,
            date=date.date,
            date_source=date.source,
            language=self._own_language(entry) or self.feed.language,
            topics=self.feed.topics,
            guid=entry.id,
            date_reason=date.reason,
            own_language=bool(self._own_language(entry)),
        )

    def _own_language(self, entry: RawEntry) -> str:
        """Return the language that an entry itself names, if it is another one than the feed's."""
        own = entry.language.strip()
        if not _LANGUAGE.fullmatch(own) or base_language(own) == base_language(self.feed.language):
            return ""
        return own.replace("_", "-")[:16]

    def _updated(self, entry: RawEntry, item: FeedItem) -> datetime:
        if not entry.updated:
            return item.date
        return item_date(
            [entry.updated], now=self.now, language=self.feed.language, order=self.order
        ).date

    def _link(self, entry: RawEntry) -> str:
        """Return the address of an entry, the first usable one; raises `BadLinkError`."""
        failure: BadLinkError | None = None
        for link in self._links(entry):
            try:
                return safe_link(self._resolved(link))
            except BadLinkError as error:
                failure = failure or error
        raise failure or BadLinkError(localized("href-missing"))

    def _links(self, entry: RawEntry) -> list[RawLink]:
        """Return the links that may stand for an entry, best first (RFC 4287, 4.1.2 and 4.2.7.2).

        A guid counts unless it is declared to be no permalink; enclosures, related pages and the
        feed's own page only where there is no other.
        """
        pages = sorted(
            (link for link in entry.links if link.rel == "alternate" and link.href),
            key=lambda link: (link.type not in _PAGE_TYPES, self._foreign(link)),
        )
        if entry.permalink and re.match(r"https?://|/(?!/)", entry.id, re.IGNORECASE):
            pages.append(RawLink(entry.id))
        if pages:  # a link that is no web address is a fault to report, not to replace
            return pages
        others = [
            *(link for link in entry.links if link.rel == "enclosure"),
            *(link for link in entry.links if link.rel in ("related", "via")),
        ]
        return [*others, *([RawLink(self.raw.page)] if self.raw.page else [])]

    def _foreign(self, link: RawLink) -> int:
        """Rank the language of a link: the feed's, then none, then another."""
        if not link.language:
            return 1
        wanted = {base_language(self.feed.language)}
        if self.raw.language:
            wanted.add(base_language(self.raw.language))
        first = base_language(link.language) == base_language(self.feed.language)
        return 0 if first else 1 if base_language(link.language) in wanted else 2

    def _resolved(self, link: RawLink) -> str:
        atom = self.raw.format.startswith("atom")
        # RSS has no base but the channel's page; Atom's is that of RFC 3986.
        base = link.base or ("" if atom else self.raw.page) or self.url or self.raw.base
        return resolve_link(link.href, base)

    def _images(self, entry: RawEntry) -> tuple[str, ...]:
        """Return the pictures that could be shown: over https, and not known to be tiny."""
        links = []
        for address, *size in entry.images[:MAX_IMAGES]:
            try:
                link = safe_link(self._resolved(RawLink(address)))
            except BadLinkError:
                continue
            sides = [int(side) for side in size if re.fullmatch(r"\d{1,5}", side, re.ASCII)]
            if link.startswith("https://") and all(side >= MIN_IMAGE for side in sides):
                links.append(link)
        return tuple(dict.fromkeys(links))


def _without_title(lines: Sequence[str], title: str) -> str:
    """Return lines as one text, without the title where it is the whole first line or sentence."""
    text = " ".join(lines)
    if not title or not lines:
        return text
    if folded(lines[0]) == folded(title):
        return " ".join(lines[1:])
    beginning = text[: len(title) + 100]
    if not folded(beginning).startswith(folded(title)):
        return text
    first = (split_sentences(beginning) or [""])[0]
    return text.removeprefix(first).strip() if folded(first) == folded(title) else text

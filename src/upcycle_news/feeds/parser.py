"""Parsing of a feed's body into feed items: plain text, safe links, plausible dates.

feedparser only parses: it gets bytes (it would open a string as a path), and both of its HTML passes
are off. Nothing in a body raises: problems are reported beside the items that could be read.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from upcycle_news.feeds.dates import item_date
from upcycle_news.feeds.entries import (
    MAX_BODY,
    MAX_ENTRIES,
    MAX_ENTRY,
    MAX_SUMMARY,
    MAX_TITLE,
    RawEntry,
    RawFeed,
    RawText,
)  # fmt: skip
from upcycle_news.feeds.item_identity import deduplicate_items, item_key
from upcycle_news.feeds.json_feed import is_json, parse_json_feed
from upcycle_news.models import Feed, FeedItem
from upcycle_news.text.excerpts import excerpt
from upcycle_news.text.sanitize import normalise_whitespace, truncate
from upcycle_news.text.urls import BadLinkError, canonical_link, safe_link

_EMPTY = RawText("", html=False)
# feedparser reports these for sound feeds with a wrong content type: not worth a report.
_HARMLESS = ("CharacterEncodingOverride", "NonXMLContentType")
MAX_PROBLEMS = 20
MAX_IMAGES = 5
MIN_IMAGE = 100  # pixels; smaller ones are tracking pixels or decoration
_TRAILER = re.compile(
    r"\s*(?:(?:Der Beitrag|The post|Dieser Artikel) .{1,300}? (?:erschien zuerst auf|appeared first on|ist zuerst"
    r" erschienen (?:auf|bei)) .{1,120}|(?:Weiterlesen|Mehr lesen|Read more|Continue reading)\b.{0,80})$"
)


@dataclass(frozen=True)
class ParsedFeed:
    """A parsed feed. `problems` are sentences for the editor; an empty `format` means no feed.

    `images` are candidates only, by the key of their item: https, and not known to be tiny. No mail
    shows one unless an editor chose it.
    """

    format: str
    title: str
    items: tuple[FeedItem, ...]
    problems: tuple[str, ...] = ()
    images: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """True when the body was a feed at all, perhaps an empty one."""
        return bool(self.format)


def parse_feed(
    body: bytes, *, url: str, content_type: str, feed: Feed, now: datetime
) -> ParsedFeed:
    """Parse the `body` fetched from `url`; items without a usable date are dated `now`."""
    if len(body) > MAX_BODY:
        return ParsedFeed("", "", (), ("it is larger than 15 MiB",))
    parsed = (
        parse_json_feed(body)
        if is_json(body, content_type)
        else _parse_xml(body, url, content_type)
    )
    problems = list(parsed.problems)
    entries = parsed.entries
    if len(entries) > MAX_ENTRIES:
        problems.append(
            f"it has more than {MAX_ENTRIES} entries; the first {MAX_ENTRIES} were read"
        )
        entries = entries[:MAX_ENTRIES]
    items: list[FeedItem] = []
    images: dict[str, tuple[str, ...]] = {}
    for number, entry in enumerate(entries, start=1):
        try:
            items.append(_item(entry, url or parsed.base, feed, now))
        except BadLinkError as error:
            problems.append(f"entry {number} was left out: {error}")
            continue
        if candidates := _images(entry):
            images.setdefault(items[-1].key, candidates)
    return ParsedFeed(
        parsed.format,
        truncate(parsed.title.plain(), MAX_TITLE),
        deduplicate_items(items),
        tuple(dict.fromkeys(problems))[:MAX_PROBLEMS],
        images,
    )


def _parse_xml(body: bytes, url: str, content_type: str) -> RawFeed:
    import feedparser  # late: the command line starts without it

    headers = {"content-location": url, "content-type": content_type or "application/xml"}
    try:
        parsed = feedparser.parse(
            io.BytesIO(body),
            response_headers=headers,
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except MemoryError:
        raise
    except Exception as error:
        return RawFeed("", _EMPTY, (), (f"it cannot be parsed ({type(error).__name__})",))
    version, entries = parsed.get("version") or "", parsed.get("entries") or []
    if not version and not entries:
        page = re.search(rb"<(?:!doctype\s+)?html", body[:2000], re.IGNORECASE)
        problem = "it is a web page, not a feed" if page else "it is not a feed"
        return RawFeed("", _EMPTY, (), (problem if body.strip() else "it is empty",))
    problems: tuple[str, ...] = ()
    xml_error = parsed.get("bozo_exception")
    if parsed.get("bozo") and type(xml_error).__name__ not in _HARMLESS:
        reason = truncate(normalise_whitespace(str(xml_error)), 160)
        problems = (f"it is not well-formed ({reason}); what could be read was used",)
    atom = version.startswith("atom")
    return RawFeed(
        version or "unknown",
        _text(parsed.get("feed", {}), "title", atom),
        tuple(_entry(entry, atom, url) for entry in entries[: MAX_ENTRIES + 1]),
        problems,
        base=_own_address(parsed.get("feed", {})),
    )


def _own_address(channel: Any) -> str:
    """Return the address a feed gives for itself, the base of relative links without another."""
    links = [*(channel.get("links") or ()), {"rel": "", "href": channel.get("link")}]
    ranked = sorted(links, key=lambda link: link.get("rel") != "self")
    addresses = (str(link.get("href") or "") for link in ranked)
    return next((href for href in addresses if re.match(r"https?://", href, re.IGNORECASE)), "")


def _entry(entry: Any, atom: bool, url: str) -> RawEntry:
    details = [entry.get("summary_detail"), *(entry.get("content") or ())]
    # entry.get('updated') would return 'published' (and warn) when there is no 'updated'.
    dates = [entry[key] for key in ("published", "updated", "created") if key in entry]
    base = (entry.get("title_detail") or {}).get("base") or url
    guid, link = str(entry.get("id") or ""), str(entry.get("link") or "")
    if not link and re.match(r"https?://", guid):
        link = guid  # declared as no permalink, but the only link there is
    return RawEntry(
        id=guid,
        link=link,
        title=_text(entry, "title", atom),
        texts=tuple(_typed(detail, atom) for detail in details if detail and detail.get("value")),
        dates=tuple(str(date) for date in dates if date),
        base=str(base),
        images=tuple(_pictures(entry)),
    )


def _pictures(entry: Any) -> Iterator[tuple[str, str, str]]:
    """Yield address, width and height of the pictures of an entry."""
    for link in entry.get("links") or ():
        if link.get("rel") == "enclosure" and str(link.get("type") or "").startswith("image/"):
            yield str(link.get("href") or ""), "", ""
    media = [*(entry.get("media_content") or ()), *(entry.get("media_thumbnail") or ())]
    for element in media:
        kind = str(element.get("medium") or element.get("type") or "image")
        if kind.startswith("image"):
            sizes = (str(element.get(key) or "") for key in ("width", "height"))
            yield (str(element.get("url") or ""), *sizes)  # type: ignore[misc]


def _text(element: Any, key: str, atom: bool) -> RawText:
    return _typed(element.get(f"{key}_detail") or {}, atom)


def _typed(detail: Any, atom: bool) -> RawText:
    value = str(detail.get("value") or "")[:MAX_ENTRY]
    if "html" in str(detail.get("type") or ""):
        return RawText(value, html=True)
    # Atom declares the type of a text; RSS does not, and many titles hold HTML.
    return RawText(value, html=False if atom else None)


def _images(entry: RawEntry) -> tuple[str, ...]:
    """Return the pictures that could be shown: over https, and not known to be tiny."""
    links = []
    for address, *size in entry.images[:MAX_IMAGES]:
        try:
            link = safe_link(address, entry.base)
        except BadLinkError:
            continue
        sides = [int(side) for side in size if re.fullmatch(r"\d{1,5}", side, re.ASCII)]
        if link.startswith("https://") and all(side >= MIN_IMAGE for side in sides):
            links.append(link)
    return tuple(dict.fromkeys(links))


def _item(entry: RawEntry, url: str, feed: Feed, now: datetime) -> FeedItem:
    link = safe_link(entry.link, entry.base or url)
    summary = next(filter(None, (_TRAILER.sub("", text.plain()) for text in entry.texts)), "")
    title = entry.title.plain() or excerpt(summary, 120, max_sentences=1)
    if not title:
        raise BadLinkError("it has neither a title nor a text")
    canonical = canonical_link(link)
    date, source = item_date(entry.dates, now=now, language=feed.language)
    return FeedItem(
        key=item_key(entry.id, canonical, feed),
        feed=feed.name,
        link=link,
        canonical=canonical,
        title=truncate(title, MAX_TITLE),
        summary="" if summary == title else truncate(summary, MAX_SUMMARY),
        date=date,
        date_source=source,
        language=feed.language,
        topics=feed.topics,
    )

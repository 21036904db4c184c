"""Managing the list of feeds: preview, discover, add, import and export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from upcycle_news.app.context import AppContext
from upcycle_news.errors import UpcycleError
from upcycle_news.feeds.discovery import (
    FeedLink,
    WebPage,
    common_feed_urls,
    likeliest_first,
    read_page,
)
from upcycle_news.feeds.entries import MAX_BODY
from upcycle_news.feeds.feeds_toml import as_toml, load_feeds
from upcycle_news.feeds.opml import as_opml, parse_opml
from upcycle_news.feeds.parser import ParsedFeed
from upcycle_news.feeds.parser_sandbox import ParseLimits, ParserSandbox
from upcycle_news.feeds.results import (
    Failed,
    Fetched,
    FetchLimits,
    Validators,
)
from upcycle_news.fileio import os_reason, read_given_file, write_atomically
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.i18n.recognition import recognise
from upcycle_news.models import Feed
from upcycle_news.services.content.files import load_publication_feeds
from upcycle_news.services.feeds.item_recognition import without_private_links
from upcycle_news.text.sanitize import neutralise_braces
from upcycle_news.text.typography import base_language
from upcycle_news.text.urls import BadLinkError, canonical_link, safe_link, without_feed_scheme

MAX_REFRESHES = 3


@dataclass(frozen=True)
class FeedPreview:
    """A parsed feed and the file or address it was read from."""

    source: str
    parsed: ParsedFeed

    def as_dict(self) -> dict[str, Any]:
        """Return the object that `feeds show --json` prints."""
        return {
            "source": self.source,
            "format": self.parsed.format,
            "title": self.parsed.title,
            "entries": [
                {
                    "id": item.key,
                    "link": item.link,
                    "title": item.title,
                    "summary": item.summary,
                    "date": item.date.isoformat().replace("+00:00", "Z"),
                    "date_source": item.date_source,
                    **({"date_reason": item.date_reason} if item.date_reason else {}),
                    "images": list(self.parsed.images.get(item.key, ())),
                }
                for item in self.parsed.items
            ],
            "problems": list(self.parsed.problems),
        }


@dataclass(frozen=True)
class DiscoveredFeed:
    """A feed at `url` with its title and number of entries."""

    url: str
    title: str
    entries: int

    def as_dict(self) -> dict[str, Any]:
        """Return the object that `feeds discover --json` prints."""
        return asdict(self)


def preview_feeds(context: AppContext, sources: Sequence[str]) -> Iterator[FeedPreview]:
    """Parse feeds from files or addresses, one after the other; nothing is stored."""
    with ParserSandbox(ParseLimits(seconds=context.settings.feeds.reading_seconds)) as sandbox:
        for source in sources:
            if "://" in without_feed_scheme(source) and not Path(source).exists():
                body, url, content_type = _fetch(context, source)
            else:
                body, url, content_type = _read_file(Path(source)), "", ""
            if isinstance(body, str):
                yield FeedPreview(source, ParsedFeed("", "", (), (body,)))
                continue
            feed = Feed(name=source, url="", language=context.settings.publication.language)
            parsed = sandbox.parse(
                body, url=url, content_type=content_type, feed=feed, now=context.clock()
            )
            yield FeedPreview(source, without_private_links(context.settings, parsed))


def _read_file(path: Path) -> bytes | str:
    try:
        if not path.is_file():
            return str(localized("feed-file-missing"))
        with path.open("rb") as stream:
            body = stream.read(MAX_BODY + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None)
        return str(
            localized("feed-file-unreadable", reason=reason)
            if reason
            else localized("feed-file-no-path")
        )
    if len(body) > MAX_BODY:
        return str(localized("body-large", size=MAX_BODY // 1024 // 1024))
    return body


def _fetch(context: AppContext, address: str) -> tuple[bytes | str, str, str]:
    """Return the body at an address, or a sentence why there is none; its final URL and type."""
    from upcycle_news.feeds.fetcher import fetch_feeds

    try:
        url = safe_link(without_feed_scheme(address))
    except BadLinkError as error:
        return str(error.about(localized("href-address"))), "", ""
    settings = context.settings.feeds
    (result,) = fetch_feeds(
        [Feed(name=url, url=url)],
        {url: Validators()},
        user_agent=context.user_agent,
        allow_private=settings.allow_private,
        now=context.clock(),
        limits=FetchLimits(seconds=settings.deadline_seconds),
    )
    if isinstance(result, Fetched):
        return result.body, result.url, result.content_type
    reason = result.reason if isinstance(result, Failed) else str(localized("fetch-no-answer"))
    return reason, "", ""


def discover_feeds(context: AppContext, address: str) -> list[DiscoveredFeed]:
    """Find the feeds of a web page: the page itself, those it names, else the usual paths.

    Raises `UpcycleError` when the address cannot be fetched.
    """
    address = without_feed_scheme(address)
    if "://" not in address:
        address = f"https://{address}"
    limits = ParseLimits(seconds=context.settings.feeds.reading_seconds)
    with ParserSandbox(limits) as sandbox:
        for _ in range(MAX_REFRESHES + 1):
            body, url, content_type = _fetch(context, address)
            if isinstance(body, str):
                reason = recognise(body, "feeds")
                raise UpcycleError(localized("feeds-unreachable", address=address, reason=reason))
            if found := _discovered(context, sandbox, body, url, content_type):
                return [found.feed]
            page = read_page(body, url, content_type)
            if feeds := _feeds_of_page(context, sandbox, page):
                return feeds
            if not page.refresh or page.refresh in (url, address):
                break
            address = page.refresh
        return [found.feed for found in _try_links(context, sandbox, common_feed_urls(url))]


@dataclass(frozen=True)
class _FoundFeed:
    """A feed that was read, and the link that says what it is."""

    feed: DiscoveredFeed
    link: FeedLink


def _feeds_of_page(
    context: AppContext, sandbox: ParserSandbox, page: WebPage
) -> list[DiscoveredFeed]:
    """Return the feeds that a page announces, else those that its plain links lead to, the likeliest first.

    What a link does not say, the feed does: its title and its language.
    """
    language = context.settings.publication.language
    for links in (page.announced, page.linked):
        ordered = likeliest_first(links, language, page.language)
        found = {each.link: each.feed for each in _try_links(context, sandbox, ordered)}
        if found:
            best = likeliest_first(tuple(found), language, page.language)
            named = links is page.announced  # the words of a plain link are no name
            return [
                replace(found[link], title=found[link].title or (link.title if named else ""))
                for link in best
            ]
    return []


def _try_links(
    context: AppContext, sandbox: ParserSandbox, links: Sequence[FeedLink]
) -> Iterator[_FoundFeed]:
    seen: set[str] = set()
    for link in links:
        body, url, content_type = _fetch(context, link.url)
        if isinstance(body, str) or canonical_link(url) in seen:
            continue
        seen.add(canonical_link(url))
        if found := _discovered(context, sandbox, body, url, content_type):
            title = f"{link.title} {found.feed.title}".strip()
            language = link.language or _own_language(context, found)
            yield _FoundFeed(found.feed, replace(link, title=title, language=language))


def _own_language(context: AppContext, found: _FoundFeed) -> str:
    """Return what a feed says to be written in if that speaks for it.

    Many programs write en-US into every feed, so that another language speaks against none.
    """
    wanted = context.settings.publication.language
    own = found.link.language
    return own if base_language(own) == base_language(wanted) else ""


def _discovered(
    context: AppContext, sandbox: ParserSandbox, body: bytes, url: str, content_type: str
) -> _FoundFeed | None:
    feed = Feed(name=url, url=url)
    parsed = sandbox.parse(body, url=url, content_type=content_type, feed=feed, now=context.clock())
    if not parsed.usable:
        return None
    return _FoundFeed(
        DiscoveredFeed(url, parsed.title, len(parsed.items)),
        FeedLink(url, language=parsed.language),
    )


def add_feed(context: AppContext, address: str, name: str = "", topics: Sequence[str] = ()) -> Feed:
    """Add the feed at an address, or the first one its page links to, to feeds.toml."""
    discovered = discover_feeds(context, address)
    if not discovered:
        raise UpcycleError(localized("feeds-none-to-add", address=address))
    host = (urlsplit(discovered[0].url).hostname or "").removeprefix("www.")
    feed = Feed(
        name=neutralise_braces(name or discovered[0].title)[:200].strip() or host,
        url=discovered[0].url,
        topics=tuple(topics),
        language=context.settings.publication.language,
    )
    names_by_link = _names_by_link(load_publication_feeds(context))
    if canonical_link(feed.url) in names_by_link:
        known = names_by_link[canonical_link(feed.url)]
        raise UpcycleError(localized("feeds-listed", url=feed.url, name=known))
    if feed.name.casefold() in {known.name.casefold() for known in load_publication_feeds(context)}:
        raise UpcycleError(localized("feeds-name-taken", name=feed.name))
    _append(context, [feed])
    return feed


@dataclass(frozen=True)
class OpmlImport:
    """The result of an import: names of the feeds added, and why each of the others was left out.

    `listed` counts those among the latter that are in feeds.toml already.
    """

    added: tuple[str, ...]
    reasons: tuple[LocalizedText, ...]
    listed: int

    @property
    def skipped(self) -> tuple[str, ...]:
        """The reasons in English, as JSON has them."""
        return tuple(map(str, self.reasons))

    @property
    def failed(self) -> bool:
        """True when the file names nothing that is or could be in the list."""
        return not self.added and not self.listed

    def as_dict(self) -> dict[str, Any]:
        """Return the object that `feeds import --json` prints."""
        return {"added": list(self.added), "skipped": list(self.skipped)}


def import_opml(context: AppContext, path: Path) -> OpmlImport:
    """Add the feeds of an OPML file that are not there yet; raises `ContentError`."""
    try:
        data = read_given_file(path)
    except OSError as error:
        text = localized("opml-unreadable", file=str(path), reason=os_reason(error))
        raise UpcycleError(text) from None
    opml = parse_opml(data, str(path), context.settings.publication.language)
    known = load_publication_feeds(context)
    names_by_link = _names_by_link(known)
    names = {feed.name.casefold() for feed in known}
    added: list[Feed] = []
    listed: list[LocalizedText] = []
    for feed in opml.feeds:
        link = canonical_link(feed.url)
        if link in names_by_link:
            listed.append(localized("opml-listed", name=feed.name, known=names_by_link[link]))
            continue
        named = replace(feed, name=_free_name(feed, names))
        names_by_link[link] = named.name
        names.add(named.name.casefold())
        added.append(named)
    if added:
        _append(context, added)
    return OpmlImport(
        tuple(feed.name for feed in added),
        (*opml.skipped, *listed),
        len(listed),
    )


def export_opml(context: AppContext) -> str:
    """Return the whole list of feeds as OPML."""
    return as_opml(load_publication_feeds(context), f"{context.settings.publication.name}: feeds")


def _names_by_link(feeds: Sequence[Feed]) -> dict[str, str]:
    return {canonical_link(feed.url): feed.name for feed in feeds}


def _free_name(feed: Feed, names: set[str]) -> str:
    host = (urlsplit(feed.url).hostname or "").removeprefix("www.")
    candidates = [
        feed.name,
        f"{feed.name} ({host})",
        *(f"{feed.name} ({n})" for n in range(2, 999)),
    ]
    return next(name for name in candidates if name.casefold() not in names)


def _append(context: AppContext, feeds: Sequence[Feed]) -> None:
    """Append feeds to feeds.toml; the present text, comments included, is not changed."""
    path = context.settings.home / context.settings.feeds.file
    text = path.read_text(encoding="utf-8-sig") if path.exists() else ""
    tables = "\n".join(as_toml(feed) for feed in feeds)
    joined = f"{text.rstrip()}\n\n{tables}" if text.strip() else tables
    write_atomically(path, joined.encode())
    load_feeds(path, context.settings.home)  # raises if the new file cannot be read

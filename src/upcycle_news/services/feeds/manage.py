"""What editors do with the list of feeds: look at one, find some, add, import and export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from upcycle_news.app.context import AppContext
from upcycle_news.errors import UpcycleError
from upcycle_news.feeds.discovery import FeedLink, autodiscover_feeds, common_feed_urls
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
from upcycle_news.fileio import write_atomically
from upcycle_news.models import Feed
from upcycle_news.services.content.files import load_publication_feeds
from upcycle_news.text.urls import BadLinkError, canonical_link, safe_link


@dataclass(frozen=True)
class FeedPreview:
    """What the program makes of a feed: of a file or an address."""

    source: str
    read: ParsedFeed

    def as_dict(self) -> dict[str, Any]:
        """The object that `feeds show --json` prints."""
        return {
            "source": self.source,
            "format": self.read.format,
            "title": self.read.title,
            "entries": [
                {
                    "id": item.key,
                    "link": item.link,
                    "title": item.title,
                    "summary": item.summary,
                    "date": item.date.isoformat().replace("+00:00", "Z"),
                    "date_source": item.date_source,
                    "images": list(self.read.images.get(item.key, ())),
                }
                for item in self.read.items
            ],
            "problems": list(self.read.problems),
        }


@dataclass(frozen=True)
class DiscoveredFeed:
    """A feed that was found at `url`: its title there and how many entries it has."""

    url: str
    title: str
    entries: int


def show(context: AppContext, sources: Sequence[str]) -> Iterator[FeedPreview]:
    """Read feeds from files or addresses without remembering anything; one after the other."""
    with ParserSandbox(ParseLimits(seconds=context.settings.feeds.reading_seconds)) as sandbox:
        for source in sources:
            if "://" in source and not Path(source).exists():
                body, url, content_type = _fetched(context, source)
            else:
                body, url, content_type = _from_file(Path(source)), "", ""
            if isinstance(body, str):
                yield FeedPreview(source, ParsedFeed("", "", (), (body,)))
                continue
            feed = Feed(name=source, url="", language=context.settings.publication.language)
            yield FeedPreview(
                source,
                sandbox.read(
                    body, url=url, content_type=content_type, feed=feed, now=context.clock()
                ),
            )


def _from_file(path: Path) -> bytes | str:
    try:
        if not path.is_file():
            return "there is no such file (write a path, or an address with https://)"
        with path.open("rb") as stream:
            body = stream.read(MAX_BODY + 1)
    except (OSError, ValueError) as error:
        return f"it cannot be read: {getattr(error, 'strerror', None) or 'not a path'}"
    return body if len(body) <= MAX_BODY else "it is larger than 15 MiB"


def _fetched(context: AppContext, address: str) -> tuple[bytes | str, str, str]:
    """The body behind an address, or the sentence why there is none; its final place and type."""
    from upcycle_news.feeds.fetcher import fetch_feeds

    try:
        url = safe_link(address)
    except BadLinkError as error:
        return str(error).replace("its link", "the address"), "", ""
    told = context.settings.feeds
    (result,) = fetch_feeds(
        [Feed(name=url, url=url)],
        {url: Validators()},
        user_agent=context.user_agent,
        allow_private=told.allow_private,
        now=context.clock(),
        limits=FetchLimits(seconds=told.deadline_seconds),
    )
    if isinstance(result, Fetched):
        return result.body, result.url, result.content_type
    reason = result.reason if isinstance(result, Failed) else "it did not answer"
    return reason, "", ""


def discover(context: AppContext, address: str) -> list[DiscoveredFeed]:
    """Find the feeds of a web page: itself, what it announces, else the usual places.

    Raises `UpcycleError` when the address cannot be had.
    """
    if "://" not in address:
        address = f"https://{address}"
    body, url, content_type = _fetched(context, address)
    if isinstance(body, str):
        raise UpcycleError(f"{address}: {body}")
    with ParserSandbox(ParseLimits(seconds=context.settings.feeds.reading_seconds)) as sandbox:
        if found := _usable(context, sandbox, body, url, content_type):
            return [found]
        candidates = autodiscover_feeds(body, url)
        return list(_tried(context, sandbox, candidates or common_feed_urls(url)))


def _tried(
    context: AppContext, sandbox: ParserSandbox, candidates: Sequence[FeedLink]
) -> Iterator[DiscoveredFeed]:
    seen: set[str] = set()
    for candidate in candidates:
        body, url, content_type = _fetched(context, candidate.url)
        if isinstance(body, str) or canonical_link(url) in seen:
            continue
        seen.add(canonical_link(url))
        if found := _usable(context, sandbox, body, url, content_type):
            yield replace(found, title=found.title or candidate.title)


def _usable(
    context: AppContext, sandbox: ParserSandbox, body: bytes, url: str, content_type: str
) -> DiscoveredFeed | None:
    feed = Feed(name=url, url=url)
    read = sandbox.read(body, url=url, content_type=content_type, feed=feed, now=context.clock())
    return DiscoveredFeed(url, read.title, len(read.items)) if read.usable else None


def add(context: AppContext, address: str, name: str = "", topics: Sequence[str] = ()) -> Feed:
    """Add the feed at an address, or the first one its page announces, to feeds.toml."""
    found = discover(context, address)
    if not found:
        raise UpcycleError(f"{address}: there is no feed there (try 'feeds discover' on its site)")
    host = (urlsplit(found[0].url).hostname or "").removeprefix("www.")
    feed = Feed(
        name=name or found[0].title[:200] or host,
        url=found[0].url,
        topics=tuple(topics),
        language=context.settings.publication.language,
    )
    taken = _taken(load_publication_feeds(context))
    if canonical_link(feed.url) in taken:
        raise UpcycleError(
            f"{feed.url} is in feeds.toml already, as '{taken[canonical_link(feed.url)]}'"
        )
    if feed.name.casefold() in {known.name.casefold() for known in load_publication_feeds(context)}:
        raise UpcycleError(f"there is a feed named '{feed.name}' already: give it another --name")
    _append(context, [feed])
    return feed


@dataclass(frozen=True)
class OpmlImport:
    """What an import did: names of the feeds added, and (name, reason) of those left out."""

    added: tuple[str, ...]
    skipped: tuple[str, ...]


def import_opml(context: AppContext, path: Path) -> OpmlImport:
    """Add the feeds of an OPML file that are not there yet; raises `ContentError`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UpcycleError(f"{path}: cannot be read: {error.strerror}") from None
    opml = parse_opml(data, str(path))
    known = load_publication_feeds(context)
    taken = _taken(known)
    names = {feed.name.casefold() for feed in known}
    added: list[Feed] = []
    skipped = list(opml.skipped)
    for feed in opml.feeds:
        link = canonical_link(feed.url)
        if link in taken:
            skipped.append(f"{feed.name}: it is there already, as '{taken[link]}'")
            continue
        named = replace(feed, name=_free_name(feed, names))
        taken[link] = named.name
        names.add(named.name.casefold())
        added.append(named)
    if added:
        _append(context, added)
    return OpmlImport(tuple(feed.name for feed in added), tuple(skipped))


def export_opml(context: AppContext) -> str:
    """The whole list of feeds as OPML."""
    return as_opml(load_publication_feeds(context), f"{context.settings.publication.name}: feeds")


def _taken(feeds: Sequence[Feed]) -> dict[str, str]:
    return {canonical_link(feed.url): feed.name for feed in feeds}


def _free_name(feed: Feed, names: set[str]) -> str:
    host = (urlsplit(feed.url).hostname or "").removeprefix("www.")
    tried = [feed.name, f"{feed.name} ({host})", *(f"{feed.name} ({n})" for n in range(2, 999))]
    return next(name for name in tried if name.casefold() not in names)


def _append(context: AppContext, feeds: Sequence[Feed]) -> None:
    """Write feeds to the end of feeds.toml; what stands there, comments too, is not touched."""
    path = context.settings.home / context.settings.feeds.file
    text = path.read_text(encoding="utf-8-sig") if path.exists() else ""
    tables = "\n".join(as_toml(feed) for feed in feeds)
    joined = f"{text.rstrip()}\n\n{tables}" if text.strip() else tables
    write_atomically(path, joined.encode())
    load_feeds(path, context.settings.home)  # what we write must be readable

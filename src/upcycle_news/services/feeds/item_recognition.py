"""Recognition of a feed and of its items from one collection to the next, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from upcycle_news.app.context import AppContext
from upcycle_news.config.settings import Settings
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import (
    Feed,
    FeedItem,
    Finding,
    Issue,
)
from upcycle_news.services.content.files import load_publication_feeds
from upcycle_news.storage import feeds as feed_rows
from upcycle_news.storage import issues
from upcycle_news.storage.database import Store
from upcycle_news.storage.feed_item_marks import Marking
from upcycle_news.storage.feeds import FeedState, StoredItem
from upcycle_news.text.private_hosts import PrivateAccess
from upcycle_news.text.urls import is_private_link

# Reading feeds is imported where a body is: composing only asks which stored items are listed.
if TYPE_CHECKING:
    from upcycle_news.feeds.item_identity import GuidStability, Resolution, ResolvedItem
    from upcycle_news.feeds.parser import ParsedFeed

MIN_OVERLAP = 0.5  # of the items of a body that are those of another feed


@dataclass(frozen=True)
class RecognisedBody:
    """The items of a body under their keys for good, and what became of those that are gone.

    `problems` are sentences for the editor; `moved_from` is the address of the feed that it was.
    """

    items: tuple[FeedItem, ...]
    identities: Mapping[str, str]
    missing: Mapping[str, str]
    guids: GuidStability
    problems: tuple[str, ...] = ()
    moved_from: str = ""


def follow_moved_feeds(
    store: Store, feeds: Sequence[Feed], states: Mapping[str, FeedState]
) -> Mapping[str, FeedState]:
    """Move the items of feeds whose address in feeds.toml changed; return the states as they are then.

    A feed that is listed no more is the new one if it has its name, or was redirected to its address.
    """
    listed = {feed.url for feed in feeds}
    orphans = {url: state for url, state in states.items() if url not in listed}
    moved = False
    for feed in feeds:
        if feed.url in states and states[feed.url].succeeded_at is not None:
            continue
        for url, state in orphans.items():
            if feed.url in (state.address, state.moved_to) or feed.name == state.name:
                moved |= feed_rows.move_feed(store, url, feed.url)
                del orphans[url]
                break
    return feed_rows.states(store) if moved else states


def recognise_body(
    store: Store,
    feed: Feed,
    parsed: ParsedFeed,
    state: FeedState,
    orphans: Sequence[str],
) -> RecognisedBody:
    """Recognise the items of a body among the stored ones of its feed; nothing is stored.

    `orphans` are addresses of feeds that are listed no more: a feed that was never read before and
    brings mostly what one of them brought is that feed, under another name and address.
    """
    from upcycle_news.feeds.item_identity import GuidStability

    is_new = state.succeeded_at is None
    url = feed.url
    if is_new and (former := _former_feed(store, parsed, orphans)):
        url, is_new = former, False
    last_body = feed_rows.last_body(store, url)
    guids = GuidStability(state.guids_kept, state.guids_changed)
    known, resolution = _resolve(store, url, parsed, guids, last_body, parsed.other_guids)
    items = [resolved.item for resolved in resolution.items]
    problems: tuple[str, ...] = ()
    if is_new:
        items = [_archived(item) for item in items]
        undated = sum(item.date_source == "archive" for item in items)
        if undated:
            problems = (str(localized("feed-archive", number=undated)),)
    return RecognisedBody(
        tuple(items),
        {resolved.item.key: resolved.identity for resolved in resolution.items},
        _missing(last_body, known, resolution.items, parsed),
        resolution.guids,
        problems,
        moved_from=url if url != feed.url else "",
    )


def marking() -> Marking:
    """Return the rules by which items are marked, so that `recognise_body` finds them."""
    from upcycle_news.feeds import item_marks

    return Marking(item_marks.marking(), item_marks.marks_of)


def _resolve(
    store: Store,
    url: str,
    parsed: ParsedFeed,
    guids: GuidStability,
    last_body: Collection[str] = (),
    other_guids: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Mapping[str, FeedItem], Resolution]:
    """Recognise the items of a body; return by key the stored items that it may be about, with the last body's."""
    from upcycle_news.feeds.item_identity import resolve_items
    from upcycle_news.feeds.item_marks import sought_items

    other_guids = other_guids or {}
    sought = sought_items(parsed.items, other_guids)
    keys = sought.keys.union(last_body)
    known = feed_rows.items_sought(
        store, url, marking(), marks=sought.marks, shared=sought.shared, keys=keys
    )
    stored_keys = _StoredKeys(store, url, keys)
    resolution = resolve_items(parsed.items, known, guids, other_guids, stored_keys)
    return {item.key: item for item in known}, resolution


@dataclass(frozen=True)
class _StoredKeys:
    """The keys of a feed's items beside those that were `asked` for: numbered ones, which hardly any item has."""

    store: Store
    url: str
    asked: Collection[str]

    def __contains__(self, key: object) -> bool:
        return key not in self.asked and feed_rows.has_item(self.store, self.url, str(key))


def _missing(
    last_body: Sequence[str],
    known: Mapping[str, FeedItem],
    items: Sequence[ResolvedItem],
    parsed: ParsedFeed,
) -> Mapping[str, str]:
    """Judge what is gone; a body that is not all there, or all of which is new, says nothing."""
    from upcycle_news.feeds.withdrawals import missing_items

    if not parsed.complete:
        return {}
    present = {resolved.item.key for resolved in items}
    added = sum(not resolved.known for resolved in items)
    return missing_items([known[key] for key in last_body if key in known], present, added)


def _archived(item: FeedItem) -> FeedItem:
    return replace(item, date_source="archive") if item.date_source == "first seen" else item


def _former_feed(store: Store, parsed: ParsedFeed, orphans: Sequence[str]) -> str | None:
    """Return the address of the orphan that most items of a body are from."""
    from upcycle_news.feeds.boilerplate import folded
    from upcycle_news.feeds.item_identity import GuidStability

    for url in orphans:
        known, resolution = _resolve(store, url, parsed, GuidStability())
        # A guid such as "1" is every feed's: the title has to be the same as well.
        titles = {key: folded(item.title) for key, item in known.items()}
        overlap = sum(
            resolved.known and titles[resolved.item.key] == folded(resolved.item.title)
            for resolved in resolution.items
        )
        if overlap >= 2 and overlap >= MIN_OVERLAP * len(parsed.items):
            return url
    return None


@dataclass(frozen=True)
class ListedItems:
    """Stored items as their feeds are listed now; why some must not be sent, what each is known by."""

    items: tuple[FeedItem, ...]
    rejections: Mapping[FeedItem, LocalizedText]
    identities: Mapping[FeedItem, str]


def listed_items(
    settings: Settings,
    feeds: Sequence[Feed],
    stored: Sequence[StoredItem],
    pins: Collection[str],
) -> ListedItems:
    """Return stored items as feeds.toml has their feeds now, and why some of them must not be sent.

    Name, topics and language of a feed reach its items when an issue is composed, so that nothing has
    to be collected again. An editor's pin counts more than a withdrawal.
    """
    by_url = {feed.url: feed for feed in feeds}
    items: list[FeedItem] = []
    rejections: dict[FeedItem, LocalizedText] = {}
    identities: dict[FeedItem, str] = {}
    for row in stored:
        item = _as_listed(row.item, by_url.get(row.feed_url))
        items.append(item)
        identities[item] = row.identity
        if not is_allowed_link(settings, item.link):
            rejections[item] = localized("explain-private")
        elif row.missing == "withdrawn" and item.page not in pins:
            rejections[item] = localized("explain-withdrawn")
    return ListedItems(tuple(items), rejections, identities)


def _as_listed(item: FeedItem, feed: Feed | None) -> FeedItem:
    if feed is None:
        return item
    language = item.language if item.own_language else feed.language
    return replace(item, feed=feed.name, topics=feed.topics, language=language)


def is_allowed_link(settings: Settings, link: str) -> bool:
    """Tell whether a link may be mailed: it leads into no private network, or into an allowed one."""
    if not is_private_link(link):
        return True
    access = PrivateAccess.parse(settings.feeds.allow_private)
    return access.allows_host(urlsplit(link).hostname or "")


def without_private_links(settings: Settings, parsed: ParsedFeed) -> ParsedFeed:
    """Leave out the items whose links lead into a private network, each with a problem."""
    allowed = tuple(item for item in parsed.items if is_allowed_link(settings, item.link))
    if len(allowed) == len(parsed.items):
        return parsed
    problems = tuple(str(_left_out(item)) for item in parsed.items if item not in allowed)
    return replace(parsed, items=allowed, problems=parsed.problems + problems, complete=False)


def _left_out(item: FeedItem) -> LocalizedText:
    """Say that an item was left out, and how it would be allowed: nothing allows link-local addresses."""
    title = item.title[:60]
    if PrivateAccess(everything=True).allows_host(urlsplit(item.link).hostname or ""):
        return localized("entry-private", title=title)
    return localized("entry-link-local", title=title)


def withdrawn_findings(context: AppContext, issue: Issue) -> Iterator[Finding]:
    """Yield a warning for each item that seems to be withdrawn: of the issue, and left out of it."""
    zone = context.settings.publication.zone
    since = datetime.combine(issue.id.day, time(), zone) - timedelta(
        days=context.limits.max_age_days
    )
    feeds = {feed.url: feed for feed in load_publication_feeds(context) if feed.active}
    printed = {(item.feed, item.key) for related in issue.related for item in related.story.items}
    rows = feed_rows.missing_items_since(context.store, since.astimezone(UTC))
    used = issues.used_items(context.store, {row.item.key for row in rows}, apart_from=issue.id)
    for row in rows:
        feed = feeds.get(row.feed_url)
        if feed is None or row.item.key in used:
            continue
        title = row.item.title[:60]
        if (feed.name, row.item.key) in printed:
            yield Finding(
                "warning", "item-withdrawn", feed.name, localized("item-withdrawn", title=title)
            )
        elif row.missing == "withdrawn":
            yield Finding(
                "warning", "item-withdrawn", feed.name, localized("item-withdrawn-out", title=title)
            )

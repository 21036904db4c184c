"""Ask the feeds that are due and remember what they gave; a dead feed is reported, never fatal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from upcycle_news.editorial.fetched import Failed, Fetched, FetchLimits, FetchResult, Validators
from upcycle_news.model import Feed
from upcycle_news.newsroom import Newsroom
from upcycle_news.steps.composing import listed_feeds
from upcycle_news.store import feeds as feed_rows
from upcycle_news.store.feeds import FeedState


@dataclass(frozen=True)
class Collected:
    """What a collection brought. `failed` and `problems` hold (feed's name, sentence)."""

    asked: int = 0
    unchanged: int = 0
    items: int = 0
    failed: tuple[tuple[str, str], ...] = ()
    problems: tuple[tuple[str, str], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The report as programs read it."""
        return {
            "asked": self.asked,
            "unchanged": self.unchanged,
            "items": self.items,
            "failed": [{"feed": name, "error": sentence} for name, sentence in self.failed],
            "problems": [{"feed": name, "problem": sentence} for name, sentence in self.problems],
        }


def collect_feeds(room: Newsroom, *, everything: bool = False) -> Collected:
    """Ask the active feeds that are due, or all of them; raises `ContentError` for feeds.toml."""
    now = room.clock()
    states = feed_rows.states(room.store)
    refresh = timedelta(minutes=0 if everything else room.settings.feeds.refresh_minutes)
    due = [
        feed for feed in listed_feeds(room) if feed.active and is_due(feed, states, refresh, now)
    ]
    if not due:
        return Collected()
    from upcycle_news.editorial.feeds import fetch_feeds  # httpx: only when somebody is asked

    results = fetch_feeds(
        due,
        {url: _validators(state) for url, state in states.items()},
        user_agent=room.user_agent,
        allow_private=room.settings.feeds.allow_private,
        now=now,
        limits=FetchLimits(seconds=room.settings.feeds.deadline_seconds),
    )
    told = Collected(asked=len(due))
    for result in results:
        told = _remember(room, result, states, now, told)
    return told


def is_due(feed: Feed, states: Mapping[str, FeedState], refresh: timedelta, now: datetime) -> bool:
    """Whether a feed was not asked for so long that it may be asked again."""
    state = states.get(feed.url)
    return state is None or state.tried_at is None or now - state.tried_at >= refresh


def _validators(state: FeedState) -> Validators:
    return Validators(
        etag=state.etag or None,
        last_modified=state.last_modified or None,
        body_hash=state.body_hash or None,
    )


def _remember(
    room: Newsroom,
    result: FetchResult,
    states: Mapping[str, FeedState],
    now: datetime,
    told: Collected,
) -> Collected:
    feed = result.feed
    before = states.get(feed.url) or FeedState(url=feed.url, name=feed.name)
    state = replace(before, name=feed.name, tried_at=now)
    if isinstance(result, Failed):
        return _failed(room, feed, state, result.reason, now, told)
    well = replace(
        state,
        succeeded_at=now,
        errors=0,
        last_error="",
        etag=result.validators.etag or "",
        last_modified=result.validators.last_modified or "",
        body_hash=result.validators.body_hash or "",
    )
    if not isinstance(result, Fetched):
        feed_rows.record(room.store, well, (), now=now)
        return replace(told, unchanged=told.unchanged + 1)
    from upcycle_news.editorial.reading import read_feed

    read = read_feed(
        result.body, url=result.url, content_type=result.content_type, feed=feed, now=now
    )
    if not read.format:
        reason = read.problems[0] if read.problems else "what it sends is not a feed"
        # Its validators are not kept: a 304 for something unreadable would hide it for ever.
        return _failed(room, feed, state, reason, now, told)
    new = feed_rows.record(room.store, well, read.items, now=now)
    problems = tuple((feed.name, problem) for problem in read.problems)
    return replace(told, items=told.items + new, problems=(*told.problems, *problems))


def _failed(
    room: Newsroom, feed: Feed, state: FeedState, reason: str, now: datetime, told: Collected
) -> Collected:
    failed = replace(state, errors=state.errors + 1, last_error=reason)
    feed_rows.record(room.store, failed, (), now=now)
    return replace(told, failed=(*told.failed, (feed.name, reason)))


def feeds_health(room: Newsroom) -> list[dict[str, Any]]:
    """Each listed feed with its last success and what is wrong with it."""
    states = feed_rows.states(room.store)
    found = []
    for feed in listed_feeds(room):
        state = states.get(feed.url) or FeedState(url=feed.url, name=feed.name)
        found.append(
            {
                "name": feed.name,
                "url": feed.url,
                "active": feed.active,
                "tried_at": _iso(state.tried_at),
                "succeeded_at": _iso(state.succeeded_at),
                "errors": state.errors,
                "last_error": state.last_error,
            }
        )
    return found


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")

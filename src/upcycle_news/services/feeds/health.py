"""Health of feeds: back-off, permanent redirects, and the sentence an editor reads.

Pure functions of a feed's state, the result of fetching it, and the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from upcycle_news.feeds.item_identity import GuidStability
from upcycle_news.feeds.results import (
    Failed,
    Fetched,
    NotModified,
    Validators,
)
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.i18n.recognition import recognise
from upcycle_news.models import Feed
from upcycle_news.storage.feeds import FeedState

if TYPE_CHECKING:
    from upcycle_news.feeds.parser import ParsedFeed

MAX_BACKOFF = timedelta(days=7)
REDIRECT_CONFIRMED_AFTER = timedelta(days=7)  # a permanent redirect is followed from then on
FULL_FETCH_EVERY = timedelta(days=30)  # some servers answer 304 for ever
OLD_AFTER = timedelta(days=365)  # a feed without anything newer has been given up, or has moved
JUDGED_ITEMS = 3  # that say something of a feed's texts


def host_backoffs(states: Iterable[FeedState], now: datetime) -> Mapping[str, datetime]:
    """Return the hosts that sent Retry-After, and until when they must not be requested."""
    backoffs: dict[str, datetime] = {}
    for state in states:
        if state.host_until is not None and state.host_until > now:
            host = _host(state.address or state.url)
            backoffs[host] = max(state.host_until, backoffs.get(host, now))
    return backoffs


def skip_reason(
    feed: Feed,
    state: FeedState | None,
    backoffs: Mapping[str, datetime],
    refresh: timedelta,
    now: datetime,
) -> str | None:
    """Return why a feed is not fetched now, as a sentence for editors; None when it is due.

    The sentence is empty in the ordinary case: it was fetched a short while ago without errors.
    """
    until = backoffs.get(_host(state.address or state.url) if state else _host(feed.url))
    if state is not None and state.stopped:
        return str(localized("feed-silent-stopped", reason=state.last_error))
    if until is not None:
        return str(localized("feed-resting", moment=_moment(until)))
    if state is None or state.tried_at is None:
        return None
    if state.next_at is not None and state.next_at > now:
        return str(failure_message(state) or "")
    return None if now - state.tried_at >= refresh else ""


def validators(state: FeedState | None, now: datetime) -> Validators:
    """Return the validators to send; none about once a month, so that the whole feed is sent again."""
    if state is None:
        return Validators()
    known = Validators(state.etag or None, state.last_modified or None, state.body_hash or None)
    if state.full_at is None or now - state.full_at >= FULL_FETCH_EVERY:
        return Validators(body_hash=known.body_hash)
    return known


def after_success(state: FeedState, result: Fetched | NotModified, now: datetime) -> FeedState:
    """Return the state after a successful fetch, with a new body or without."""
    succeeded = replace(
        state,
        tried_at=now,
        succeeded_at=now,
        full_at=now if result.status == 200 else state.full_at,
        errors=0,
        last_error="",
        next_at=None,
        host_until=None,
        stopped=False,
        etag=result.validators.etag or "",
        last_modified=result.validators.last_modified or "",
        body_hash=result.validators.body_hash or "",
    )
    return _with_redirect(succeeded, result.moved_to, now)


def after_reading(state: FeedState, parsed: ParsedFeed, guids: GuidStability) -> FeedState:
    """Return the state with what the body that was just read shows of its feed."""
    dates = [item.date for item in parsed.items if item.date_source == "feed"]
    return replace(
        state,
        guids_kept=guids.kept,
        guids_changed=guids.changed,
        entries=parsed.entries,
        usable=len(parsed.items),
        with_text=sum(bool(item.summary.strip()) for item in parsed.items),
        guessed_encoding=parsed.guessed_encoding,
        newest_at=max(dates, default=None),
    )


def _with_redirect(state: FeedState, target: str | None, now: datetime) -> FeedState:
    """Follow a permanent redirect seen for seven days without a break, and one to https at once."""
    if target is None or target == (state.address or state.url):
        return replace(state, moved_to="", moved_since=None)
    since = state.moved_since if state.moved_to == target else None
    since = since or now
    if now - since >= REDIRECT_CONFIRMED_AFTER or _is_upgrade(state.address or state.url, target):
        return replace(state, address=target, moved_to="", moved_since=None)
    return replace(state, moved_to=target, moved_since=since)


def _is_upgrade(old: str, new: str) -> bool:
    return old.startswith("http://") and new == "https://" + old.removeprefix("http://")


def after_failure(state: FeedState, result: Failed, refresh: timedelta, now: datetime) -> FeedState:
    """Return the state after a failed fetch: back-off doubles up to a week."""
    errors = state.errors + 1
    backoff = min(max(refresh, timedelta(minutes=5)) * 2 ** min(errors - 1, 16), MAX_BACKOFF)
    failed = replace(
        state,
        tried_at=now,
        errors=errors,
        last_error=result.reason,
        next_at=max(now + backoff, result.retry_after or now),
        host_until=result.retry_after,
    )
    if result.status not in (404, 410):
        return failed
    if state.moved_to:  # the old address is gone before the seven days were over
        reason = f"{result.reason.partition(';')[0]}; it moved to {state.moved_to}, which is fetched from now on"
        return replace(
            failed, address=state.moved_to, moved_to="", moved_since=None, next_at=now,
            last_error=reason,
        )  # fmt: skip
    if state.address:  # the new address is gone: the one in feeds.toml is used again
        return replace(failed, address="", next_at=now)
    return replace(failed, stopped=True, next_at=None) if result.gone else failed


def health_summary(feed: Feed, state: FeedState | None, now: datetime) -> str:
    """Return the health of a feed as a sentence in English."""
    if not feed.active:
        return str(localized("health-resting"))
    if state is None or state.tried_at is None:
        return str(localized("health-new"))
    if message := failure_message(state):
        return str(message)
    if state.address:
        return str(localized("health-moved", url=state.address))
    if state.moved_to:
        since = _moment(state.moved_since)
        return str(localized("health-redirected", url=state.moved_to, since=since))
    for oddity in oddities(state, now):
        return str(localized("health-odd", oddity=oddity))
    return str(localized("health-fine"))


def oddities(state: FeedState, now: datetime) -> tuple[LocalizedText, ...]:
    """Say what is odd about the last body of a feed that answers, the worst first, each with a cure."""
    if state.stopped or state.errors or state.succeeded_at is None:
        return ()
    if state.entries is None:
        return (localized("feed-odd-unread"),)
    if not state.entries:
        return (localized("feed-odd-empty"),)
    if not state.usable:
        return (localized("feed-odd-unusable", count=state.entries),)
    odd = []
    if state.newest_at is not None and now - state.newest_at > OLD_AFTER:
        odd.append(localized("feed-odd-old", day=state.newest_at.date()))
    if state.usable >= JUDGED_ITEMS and not state.with_text:
        odd.append(localized("feed-odd-texts"))
    if state.guessed_encoding:
        odd.append(localized("feed-odd-encoding", encoding=state.guessed_encoding))
    if not GuidStability(state.guids_kept, state.guids_changed).stable:
        odd.append(localized("feed-odd-identity"))
    return tuple(odd)


def failure_message(state: FeedState) -> LocalizedText | None:
    """Return a message about a feed that fails or was stopped; None when it is healthy."""
    if state.stopped:
        return localized("feed-silent-stopped", reason=recognise(state.last_error, "feeds"))
    if not state.errors:
        return None
    since = localized("feed-never-success")
    if state.succeeded_at:
        since = localized("feed-last-success", at=state.succeeded_at)
    return localized(
        "feed-silent",
        count=state.errors,
        reason=recognise(state.last_error, "feeds"),
        last=since,
        again=localized("feed-again", at=state.next_at) if state.next_at else "",
    )


def _moment(at: datetime | None) -> str:
    return "-" if at is None else at.strftime("%Y-%m-%d %H:%M UTC")


def _host(url: str) -> str:
    return urlsplit(url).netloc.lower()

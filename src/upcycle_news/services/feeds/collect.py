"""Ask the feeds that are due and remember what they gave; a dead feed is reported, never fatal."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.errors import UpcycleError
from upcycle_news.feeds.item_identity import KnownItem, resolve_reused_guids
from upcycle_news.feeds.parser import ParsedFeed
from upcycle_news.feeds.parser_sandbox import ParseLimits, SandboxPool
from upcycle_news.feeds.results import (
    Deferred,
    Failed,
    Fetched,
    FetchLimits,
    FetchResult,
    Validators,
)
from upcycle_news.models import Feed, Finding
from upcycle_news.observability.logging import Log
from upcycle_news.services.content.files import load_publication_feeds
from upcycle_news.services.content.git_sync import localize_pull_failure, pull
from upcycle_news.services.feeds import health
from upcycle_news.storage import feeds as feed_rows
from upcycle_news.storage.feeds import FeedState

log = Log(__name__)

FeedMessages = tuple[tuple[str, str], ...]
READERS = 2  # processes that read bodies at the same time


@dataclass(frozen=True)
class FeedRunReport:
    """What a collection brought. `failed`, `waiting` and `problems` hold (feed's name, sentence).

    `waiting` are feeds that should have news but were not asked: stopped, in back-off, or on a host
    that wants to be left alone. `pull` is why the content could not be brought up to date.
    """

    asked: int = 0
    unchanged: int = 0
    items: int = 0
    failed: FeedMessages = ()
    problems: FeedMessages = ()
    waiting: FeedMessages = ()
    pull: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The report as programs read it."""
        return {
            "asked": self.asked,
            "unchanged": self.unchanged,
            "items": self.items,
            "failed": [{"feed": name, "error": sentence} for name, sentence in self.failed],
            "problems": [{"feed": name, "problem": sentence} for name, sentence in self.problems],
            "waiting": [{"feed": name, "reason": sentence} for name, sentence in self.waiting],
            "pull": self.pull,
        }


def collect_feeds(
    context: AppContext, *, everything: bool = False, names: Collection[str] = ()
) -> FeedRunReport:
    """Ask the active feeds that are due; raises `ContentError` for feeds.toml.

    `everything` also asks those that were asked a short while ago or failed lately; `names` asks
    just these, stopped ones too. A host that wants to be left alone is left alone in any case.
    """
    now = context.clock()
    told = FeedRunReport(
        pull=pull(context.settings.home) if context.settings.feeds.git_pull else ""
    )
    feeds = [feed for feed in _named(load_publication_feeds(context), names) if feed.active]
    states = dict(feed_rows.states(context.store))
    asking = _Asking(context, now, states)
    due, told = asking.due(feeds, told, everything or bool(names), bool(names))
    if due:
        limits = ParseLimits(seconds=context.settings.feeds.reading_seconds)
        with SandboxPool(min(READERS, len(due)), limits) as sandboxes:
            try:
                for result, read in asking.results(due, sandboxes):
                    told = asking.remember(result, read, told)
            finally:
                feed_rows.record_states(context.store, asking.waiting_to_be_written)
    _tell(told)
    if due or told.waiting or told.pull:
        feed_rows.save_report(context.store, told.as_dict(), now=now)
    return told


def _tell(told: FeedRunReport) -> None:
    for feed, why in told.failed:
        log.warning("a feed failed", feed=feed, why=why)
    if told.pull:
        log.warning("the content could not be pulled", why=told.pull)
    log.info(
        "feeds were collected",
        asked=told.asked,
        unchanged=told.unchanged,
        failed=len(told.failed),
        waiting=len(told.waiting),
        items=told.items,
    )


def _named(feeds: Sequence[Feed], names: Collection[str]) -> list[Feed]:
    for name in names:
        if name not in {feed.name for feed in feeds}:
            known = ", ".join(feed.name for feed in feeds) or "none"
            raise UpcycleError(f"there is no feed '{name}' in feeds.toml; there are: {known}")
    return [feed for feed in feeds if not names or feed.name in names]


@dataclass
class _Asking:
    """One collection: the room, the moment it began, and the feeds' states before it."""

    context: AppContext
    now: datetime
    states: Mapping[str, FeedState]
    refresh: timedelta = field(init=False)
    # Feeds without news are written together at the end: a transaction each would take longer
    # than asking them.
    waiting_to_be_written: list[FeedState] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.refresh = timedelta(minutes=self.context.settings.feeds.refresh_minutes)

    def due(
        self, feeds: Sequence[Feed], told: FeedRunReport, at_once: bool, revive: bool
    ) -> tuple[list[Feed], FeedRunReport]:
        """The feeds to ask now, and the report with those that have to wait."""
        bars = health.host_backoffs(self.states.values(), self.now)
        refresh = timedelta() if at_once else self.refresh
        due: list[Feed] = []
        waiting: list[tuple[str, str]] = []
        for feed in feeds:
            state = self.states.get(feed.url)
            if state is not None and at_once:
                state = replace(state, next_at=None, stopped=state.stopped and not revive)
            why = health.skip_reason(feed, state, bars, refresh, self.now)
            if why is None:
                due.append(feed)
            elif why:
                waiting.append((feed.name, why))
        return due, replace(told, asked=len(due), waiting=tuple(waiting))

    def results(
        self, due: Sequence[Feed], sandboxes: SandboxPool
    ) -> Iterator[tuple[FetchResult, ParsedFeed | None]]:
        from upcycle_news.feeds.fetcher import stream_feeds  # HTTP: only when somebody is asked

        settings = self.context.settings.feeds
        known: dict[str, Validators] = {
            feed.url: health.validators(self.states.get(feed.url), self.now) for feed in due
        }

        def read(result: FetchResult) -> tuple[FetchResult, ParsedFeed | None]:
            if not isinstance(result, Fetched):
                return result, None
            told = sandboxes.read(
                result.body,
                url=result.url,
                content_type=result.content_type,
                feed=result.feed,
                now=self.now,
            )
            return replace(result, body=b""), told

        return stream_feeds(
            due,
            known,
            read,
            user_agent=self.context.user_agent,
            allow_private=settings.allow_private,
            now=self.now,
            limits=FetchLimits(seconds=settings.deadline_seconds),
            addresses={url: state.address for url, state in self.states.items() if state.address},
        )

    def remember(
        self, result: FetchResult, read: ParsedFeed | None, told: FeedRunReport
    ) -> FeedRunReport:
        feed = result.feed
        before = self.states.get(feed.url) or FeedState(url=feed.url, name=feed.name)
        state = replace(before, name=feed.name)
        if isinstance(result, Deferred):
            why = f"its server wants to be left alone until {result.until:%Y-%m-%d %H:%M} UTC"
            waiting = (*told.waiting, (feed.name, why))
            return replace(told, asked=told.asked - 1, waiting=waiting)
        if isinstance(result, Failed):
            return self._failed(state, result, told)
        well = health.after_success(state, result, self.now)
        if read is None:
            self.waiting_to_be_written.append(well)
            return replace(told, unchanged=told.unchanged + 1)
        if not read.usable:
            reason = read.problems[0] if read.problems else "what it sends is not a feed"
            # Its validators are not kept: a 304 for something unreadable would hide it for ever.
            return self._failed(state, Failed(feed, result.at, result.url, reason), told)
        remembered = feed_rows.known_items(self.context.store, feed.url)
        known = {key: KnownItem(*seen) for key, seen in remembered.items()}
        items = resolve_reused_guids(read.items, known)
        new = feed_rows.record(self.context.store, well, items, now=self.now)
        problems = tuple((feed.name, problem) for problem in read.problems)
        return replace(told, items=told.items + new, problems=(*told.problems, *problems))

    def _failed(self, state: FeedState, result: Failed, told: FeedRunReport) -> FeedRunReport:
        failed = health.after_failure(state, result, self.refresh, self.now)
        self.waiting_to_be_written.append(failed)
        return replace(told, failed=(*told.failed, (state.name, failed.last_error)))


def feeds_health(context: AppContext) -> list[dict[str, Any]]:
    """Each listed feed: last success, errors in a row, the last error, when it is tried again."""
    states = feed_rows.states(context.store)
    found = []
    for feed in load_publication_feeds(context):
        known = states.get(feed.url)
        state = known or FeedState(url=feed.url, name=feed.name)
        found.append(
            {
                "name": feed.name,
                "url": feed.url,
                "active": feed.active,
                "tried_at": _iso(state.tried_at),
                "succeeded_at": _iso(state.succeeded_at),
                "errors": state.errors,
                "last_error": state.last_error,
                "next_at": _iso(state.next_at),
                "stopped": state.stopped,
                "asked_at_address": state.address or feed.url,
                "moved_to": state.moved_to,
                "health": health.health_summary(feed, known, context.clock()),
            }
        )
    return found


def feed_findings(context: AppContext) -> tuple[Finding, ...]:
    """What an editor should know before approving: feeds that fail, and content that may be old."""
    states = feed_rows.states(context.store)
    found = [
        Finding("warning", "feed-silent", feed.name, said)
        for feed in load_publication_feeds(context)
        if feed.active
        and (known := states.get(feed.url))
        and (said := health.failure_message(known))
    ]
    if told := feed_rows.last_report(context.store).get("pull"):
        found.insert(
            0, Finding("warning", "content-old", "content", localize_pull_failure(str(told)))
        )
    return tuple(found)


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")

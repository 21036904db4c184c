"""Collect the feeds that are due and store their items; a failed feed is reported, never fatal."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.errors import UpcycleError
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
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Feed
from upcycle_news.observability.logging import Log
from upcycle_news.services.content.files import load_publication_feeds
from upcycle_news.services.content.git_sync import pull
from upcycle_news.services.feeds import health
from upcycle_news.services.feeds.item_recognition import (
    follow_moved_feeds,
    marking,
    recognise_body,
    without_private_links,
)
from upcycle_news.storage import feeds as feed_rows
from upcycle_news.storage.feeds import FeedState

log = Log(__name__)

FeedMessages = tuple[tuple[str, str], ...]
MAX_PARSERS = 2  # processes that parse bodies at the same time


@dataclass(frozen=True)
class FeedRunReport:
    """The result of a collection. `failed`, `waiting` and `problems` hold (feed's name, sentence).

    `waiting` are feeds that were due but not requested: stopped, in back-off, or on a host that sent
    Retry-After. `pull` is why `git pull` failed, empty if it did not.
    """

    asked: int = 0
    unchanged: int = 0
    items: int = 0
    failed: FeedMessages = ()
    problems: FeedMessages = ()
    waiting: FeedMessages = ()
    pull: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object that is stored and printed."""
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
    """Collect the active feeds that are due; raises `ContentError` for feeds.toml.

    `everything` includes those collected a short while ago or in back-off; `names` selects feeds,
    stopped ones too. A host that sent Retry-After is not requested in any case.
    """
    now = context.clock()
    report = FeedRunReport(
        pull=pull(context.settings.home) if context.settings.feeds.git_pull else ""
    )
    listed = load_publication_feeds(context)
    feeds = [feed for feed in _named(listed, names) if feed.active]
    states = follow_moved_feeds(context.store, listed, feed_rows.states(context.store))
    orphans = tuple(sorted(states.keys() - {feed.url for feed in listed}))
    collection = _Collection(context, now, states, orphans)
    due, report = collection.due(feeds, report, everything or bool(names), bool(names))
    if due:
        limits = ParseLimits(seconds=context.settings.feeds.reading_seconds)
        with SandboxPool(min(MAX_PARSERS, len(due)), limits) as sandboxes:
            try:
                for result, parsed in collection.results(due, sandboxes):
                    report = collection.store(result, parsed, report)
            finally:
                feed_rows.record_states(context.store, collection.states_to_write)
    _log_report(report)
    if due or report.waiting or report.pull:
        feed_rows.save_report(context.store, report.as_dict(), now=now)
    return report


def _log_report(report: FeedRunReport) -> None:
    for feed, why in report.failed:
        log.warning("feed failed", feed=feed, why=why)
    if report.pull:
        log.warning("git pull failed", why=report.pull)
    log.info(
        "feeds collected",
        asked=report.asked,
        unchanged=report.unchanged,
        failed=len(report.failed),
        waiting=len(report.waiting),
        items=report.items,
    )


def _named(feeds: Sequence[Feed], names: Collection[str]) -> list[Feed]:
    for name in names:
        if name not in {feed.name for feed in feeds}:
            known = tuple(feed.name for feed in feeds) or localized("feeds-none-listed")
            raise UpcycleError(localized("feeds-unknown", name=name, known=known))
    return [feed for feed in feeds if not names or feed.name in names]


@dataclass
class _Collection:
    """A collection: the context, its start time, and the feeds' states before it."""

    context: AppContext
    now: datetime
    states: Mapping[str, FeedState]
    orphans: Sequence[str] = ()  # addresses of feeds that are listed no more
    refresh: timedelta = field(init=False)
    # States of feeds without new items are written together at the end: a transaction each would
    # take longer than the requests.
    states_to_write: list[FeedState] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.refresh = timedelta(minutes=self.context.settings.feeds.refresh_minutes)

    def due(
        self,
        feeds: Sequence[Feed],
        report: FeedRunReport,
        ignore_schedule: bool,
        include_stopped: bool,
    ) -> tuple[list[Feed], FeedRunReport]:
        """Return the feeds to request now, and the report with those that have to wait."""
        backoffs = health.host_backoffs(self.states.values(), self.now)
        refresh = timedelta() if ignore_schedule else self.refresh
        due: list[Feed] = []
        waiting: list[tuple[str, str]] = []
        for feed in feeds:
            state = self.states.get(feed.url)
            if state is not None and ignore_schedule:
                state = replace(state, next_at=None, stopped=state.stopped and not include_stopped)
            reason = health.skip_reason(feed, state, backoffs, refresh, self.now)
            if reason is None:
                due.append(feed)
            elif reason:
                waiting.append((feed.name, reason))
        return due, replace(report, asked=len(due), waiting=tuple(waiting))

    def results(
        self, due: Sequence[Feed], sandboxes: SandboxPool
    ) -> Iterator[tuple[FetchResult, ParsedFeed | None]]:
        """Fetch the feeds and parse new bodies; yield each result with the parsed feed, if any."""
        from upcycle_news.feeds.fetcher import stream_feeds  # late: imports the HTTP client

        settings = self.context.settings.feeds
        validators: dict[str, Validators] = {
            feed.url: health.validators(self.states.get(feed.url), self.now) for feed in due
        }

        def parse(result: FetchResult) -> tuple[FetchResult, ParsedFeed | None]:
            if not isinstance(result, Fetched):
                return result, None
            parsed = sandboxes.parse(
                result.body,
                url=result.url,
                content_type=result.content_type,
                feed=result.feed,
                now=self.now,
            )
            return replace(result, body=b""), parsed

        return stream_feeds(
            due,
            validators,
            parse,
            user_agent=self.context.user_agent,
            allow_private=settings.allow_private,
            now=self.now,
            limits=FetchLimits(seconds=settings.deadline_seconds),
            addresses={url: state.address for url, state in self.states.items() if state.address},
        )

    def store(
        self, result: FetchResult, parsed: ParsedFeed | None, report: FeedRunReport
    ) -> FeedRunReport:
        feed = result.feed
        before = self.states.get(feed.url) or FeedState(url=feed.url, name=feed.name)
        state = replace(before, name=feed.name)
        if isinstance(result, Deferred):
            moment = f"{result.until:%Y-%m-%d %H:%M} UTC"
            reason = str(localized("feed-resting", moment=moment))
            waiting = (*report.waiting, (feed.name, reason))
            return replace(report, asked=report.asked - 1, waiting=waiting)
        if isinstance(result, Failed):
            return self._failed(state, result, report)
        succeeded = health.after_success(state, result, self.now)
        if parsed is None:
            self.states_to_write.append(succeeded)
            return replace(report, unchanged=report.unchanged + 1)
        if not parsed.usable:
            reason = parsed.problems[0] if parsed.problems else str(localized("feed-other"))
            # Its validators are not stored: a 304 for an unreadable body would hide the problem for ever.
            return self._failed(state, Failed(feed, result.at, result.url, reason), report)
        parsed = without_private_links(self.context.settings, parsed)
        store = self.context.store
        body = recognise_body(store, feed, parsed, before, self.orphans)
        if body.moved_from:
            feed_rows.move_feed(store, body.moved_from, feed.url)
        succeeded = health.after_reading(succeeded, parsed, body.guids)
        new = feed_rows.record(
            store,
            succeeded,
            body.items,
            now=self.now,
            identities=body.identities,
            missing=body.missing,
            marking=marking(),
        )
        problems = tuple((feed.name, problem) for problem in (*parsed.problems, *body.problems))
        return replace(report, items=report.items + new, problems=(*report.problems, *problems))

    def _failed(self, state: FeedState, result: Failed, report: FeedRunReport) -> FeedRunReport:
        failed = health.after_failure(state, result, self.refresh, self.now)
        self.states_to_write.append(failed)
        return replace(report, failed=(*report.failed, (state.name, failed.last_error)))

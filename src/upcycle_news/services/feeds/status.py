"""How the listed feeds are doing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from upcycle_news.app.context import AppContext
from upcycle_news.services.content.files import load_publication_feeds
from upcycle_news.services.feeds import health
from upcycle_news.storage import feeds as feed_rows
from upcycle_news.storage.feeds import FeedState


@dataclass(frozen=True)
class FeedStatus:
    """A listed feed: when it was asked and answered, its errors in a row, and its health in words.

    `asked_at_address` is where it is asked, `moved_to` where it says it has moved. A `stopped` feed
    is asked by name only. `odd` are sentences about a feed that answers and is not as it should be.
    """

    name: str
    url: str
    active: bool
    tried_at: datetime | None
    succeeded_at: datetime | None
    errors: int
    last_error: str
    next_at: datetime | None
    stopped: bool
    asked_at_address: str
    moved_to: str
    health: str
    odd: tuple[str, ...] = ()

    @property
    def condition(self) -> Literal["stopped", "failing", "ok", "new"]:
        """In one word whether it was stopped, does not answer, answers, or was never asked."""
        if self.stopped:
            return "stopped"
        if self.errors:
            return "failing"
        return "ok" if self.succeeded_at else "new"

    def as_dict(self) -> dict[str, Any]:
        """Return the object that `feeds health --json` prints."""
        times = {
            name: _iso(getattr(self, name)) for name in ("tried_at", "succeeded_at", "next_at")
        }
        return {**asdict(self), **times}


def feeds_health(context: AppContext) -> tuple[FeedStatus, ...]:
    """Return for each listed feed: last success, errors in a row, last error, time of the next try."""
    states = feed_rows.states(context.store)
    feeds = []
    for feed in load_publication_feeds(context):
        known = states.get(feed.url)
        state = known or FeedState(url=feed.url, name=feed.name)
        feeds.append(
            FeedStatus(
                name=feed.name,
                url=feed.url,
                active=feed.active,
                tried_at=state.tried_at,
                succeeded_at=state.succeeded_at,
                errors=state.errors,
                last_error=state.last_error,
                next_at=state.next_at,
                stopped=state.stopped,
                asked_at_address=state.address or feed.url,
                moved_to=state.moved_to,
                health=health.health_summary(feed, known, context.clock()),
                odd=tuple(str(oddity) for oddity in health.oddities(state, context.clock())),
            )
        )
    return tuple(feeds)


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")

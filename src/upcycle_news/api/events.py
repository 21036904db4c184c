"""`app.events`: what happened to subscribers and issues, for other programs."""

from __future__ import annotations

from upcycle_news.app.context import AppContext
from upcycle_news.models import Event, EventKind
from upcycle_news.storage import event_log

__all__ = ["Event", "EventKind", "Events"]


class Events:
    """The log of events, oldest first, never with an address. It is kept for 90 days.

    A position is where a reader stands: 0 before the first event, else that of the last one read.
    """

    def __init__(self, context: AppContext) -> None:
        """Make the group of an open publication; `App.events` is the usual way."""
        self._context = context

    def since(self, position: int, limit: int = 100) -> tuple[Event, ...]:
        """Return at most `limit` events after `position`; going on with the last one's misses none."""
        context = self._context
        return event_log.since(context.store, position, limit, now=context.clock())

    def last_position(self) -> int:
        """Return the position of the newest event: from there only later ones are read."""
        return event_log.last_position(self._context.store, now=self._context.clock())

    def is_known(self, position: int) -> bool:
        """Return whether nothing is missing after `position`.

        False when its event was deleted for its age, or a backup has replaced the store since: then a
        reader has to look at everything anew.
        """
        return event_log.is_known(self._context.store, position)

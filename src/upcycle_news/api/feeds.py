"""`app.feeds`: collecting the feeds of feeds.toml, their health, and the list itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from upcycle_news.app.context import AppContext
from upcycle_news.models import Feed

if TYPE_CHECKING:
    from upcycle_news.services.feeds.collect import FeedRunReport
    from upcycle_news.services.feeds.manage import DiscoveredFeed, FeedPreview, OpmlImport
    from upcycle_news.services.feeds.status import FeedStatus


class Feeds:
    """Collects feeds and edits the list of them."""

    def __init__(self, context: AppContext) -> None:
        self._context = context

    def collect(self, names: Collection[str] = (), *, everything: bool = False) -> FeedRunReport:
        """Ask the active feeds that are due and store their items; return counts and failures.

        `names` selects feeds, also those that have stopped; `everything` asks also those asked a
        short while ago or failing. A feed that fails is in the report and stops nothing. Raises
        `ContentError` for feeds.toml, `UpcycleError` for a name that it does not list.
        """
        from upcycle_news.services.feeds.collect import collect_feeds

        return collect_feeds(self._context, everything=everything, names=names)

    def health(self) -> tuple[FeedStatus, ...]:
        """Return each listed feed's last success, its errors and the time of the next try.

        Raises `ContentError` for feeds.toml.
        """
        from upcycle_news.services.feeds.status import feeds_health

        return feeds_health(self._context)

    def show(self, sources: Sequence[str]) -> Iterator[FeedPreview]:
        """Yield what the program makes of feeds, from files or addresses; nothing is stored.

        A source that cannot be read is a preview with a problem, not an error.
        """
        from upcycle_news.services.feeds.manage import preview_feeds

        return preview_feeds(self._context, sources)

    def discover(self, url: str) -> tuple[DiscoveredFeed, ...]:
        """Return the feeds of a web page: the page itself, those it announces, else the usual places.

        Raises `UpcycleError` when the page cannot be fetched.
        """
        from upcycle_news.services.feeds.manage import discover_feeds

        return tuple(discover_feeds(self._context, url))

    def add(self, url: str, *, name: str = "", topics: Sequence[str] = ()) -> Feed:
        """Add the feed at an address, or the first one of that page, to feeds.toml; return it.

        `name` defaults to the feed's title. Raises `UpcycleError` when there is no feed, or when
        it or its name is listed already; `ContentError` for feeds.toml.
        """
        from upcycle_news.services.feeds.manage import add_feed

        return add_feed(self._context, url, name, topics)

    def import_opml(self, path: Path) -> OpmlImport:
        """Add the feeds of an OPML file to feeds.toml; return those added and why others were not.

        Raises `ContentError` for a file that is no OPML, `UpcycleError` for one that cannot be read.
        """
        from upcycle_news.services.feeds.manage import import_opml

        return import_opml(self._context, path)

    def export_opml(self) -> str:
        """Return the list of feeds as OPML. Raises `ContentError` for feeds.toml."""
        from upcycle_news.services.feeds.manage import export_opml

        return export_opml(self._context)

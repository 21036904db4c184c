"""A publication over several weeks: feeds on loopback that change, and an issue each week."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.errors import NothingNew
from upcycle_news.models import IssueId
from upcycle_news.services.delivery import send
from upcycle_news.services.feeds.collect import FeedRunReport, collect_feeds
from upcycle_news.services.issues import approval, compose
from upcycle_news.services.issues.render import RenderedRevision, render_revision

from ...publications import Publication


def rss(items: Sequence[Mapping[str, Any]], now: datetime) -> bytes:
    """Return a feed of items with title, link, guid, text, and date or age_days; all may be missing."""
    rows = []
    for item in items:
        date = item.get("date")
        if item.get("age_days") is not None:
            date = now - timedelta(days=item["age_days"])
        guid = item.get("guid")
        permalink = "true" if str(guid).startswith("http") else "false"
        rows.append(
            "<item>"
            + (f"<title>{html.escape(item['title'])}</title>" if item.get("title") else "")
            + f"<link>{html.escape(item['link'])}</link>"
            + (f'<guid isPermaLink="{permalink}">{html.escape(guid)}</guid>' if guid else "")
            + (f"<pubDate>{format_datetime(date)}</pubDate>" if date else "")
            + f"<description>{html.escape(html.escape(item.get('text', ''), quote=False))}</description>"
            "</item>"
        )
    return (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>Quelle</title>'
        f"<link>https://hof.example.org/</link>{''.join(rows)}</channel></rss>"
    ).encode()


@dataclass
class ListedFeed:
    """A feed of feeds.toml and the items that its address answers with."""

    name: str
    path: str
    items: Sequence[Mapping[str, Any]]
    language: str = "de"


@dataclass
class Weekly:
    """Collects feeds and sends an issue a week."""

    publication: Publication
    site: Any
    clock: Any
    settings: Mapping[str, str] = field(default_factory=dict)
    last_report: FeedRunReport | None = None

    def context(self, **more: str) -> AppContext:
        environment = {
            "FEEDS__ALLOW_PRIVATE": "true",
            "ISSUE__ITEMS_ONLY": "true",
            "ISSUE__PER_FEED": "100",
            "ISSUE__ITEMS": "100",
            **self.settings,
            **more,
        }
        return self.publication.context(**environment)

    def collect(self, feeds: Sequence[ListedFeed], start: datetime) -> FeedRunReport:
        """List these feeds, with the ages of their items counted back from `start`, and collect them."""
        tables = []
        self.site.pages.clear()
        for feed in feeds:
            self.site.pages[feed.path] = rss(feed.items, start)
            tables.append(
                f'[[feeds]]\nname = "{feed.name}"\nurl = "{self.site.url}{feed.path}"\n'
                f'language = "{feed.language}"\n'
            )
        path = self.publication.home / "content/feeds.toml"
        path.write_text("\n".join(tables), encoding="utf-8")
        with self.context() as context:
            self.last_report = collect_feeds(context, everything=True)
        assert self.last_report.failed == ()
        return self.last_report

    def preview(self, **more: str) -> RenderedRevision | None:
        """Compose and render the issue of today; None when there is nothing new."""
        with self.context(**more) as context:
            try:
                return render_revision(context, compose.compose_issue(context, self.issue))
            except NothingNew:
                return None

    def send(self) -> RenderedRevision | None:
        """Send the issue of today; None when there is nothing new."""
        with self.context() as context:
            try:
                rendered = render_revision(context, compose.compose_issue(context, self.issue))
            except NothingNew:
                return None
            approval.approve(context, rendered, by="test", composed_now=True)
            send.enqueue(context, rendered)
        return rendered

    def explain(self) -> list[dict[str, Any]]:
        with self.context() as context:
            return [candidate.as_dict() for candidate in compose.explain_issue(context, self.issue)]

    @property
    def issue(self) -> IssueId:
        return IssueId(self.clock().date())

"""Checks before an issue is sent that the publication's own URLs in its mails can be loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError
from upcycle_news.feeds.results import Failed, Fetched
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.i18n.recognition import recognise
from upcycle_news.models import Feed, IssueId, Manifest
from upcycle_news.models.archive_paths import page_of


def unreachable_urls(
    context: AppContext, expected: Sequence[tuple[str, bytes | None]]
) -> Iterator[tuple[str, LocalizedText]]:
    """Yield URL and reason of those that do not answer with these bytes (None: with any).

    Private addresses are allowed, for the URLs are the publication's own.
    """
    from upcycle_news.feeds.fetcher import fetch_feeds

    results = fetch_feeds(
        [Feed(name=url, url=url) for url, _ in expected],
        {},
        user_agent=context.user_agent,
        allow_private=True,
        now=context.clock(),
    )
    bodies = dict(expected)
    for result in results:
        url = result.feed.url
        if isinstance(result, Failed):
            yield url, recognise(result.reason, "feeds")
        elif not isinstance(result, Fetched) or bodies[url] not in (None, result.body):
            yield url, localized("page-other-content")


def raise_if_page_unreachable(context: AppContext, issue: IssueId, manifest: Manifest) -> None:
    """Raise `IssueError` when the archive is hosted elsewhere and lacks the page that the issue leads to.

    Nothing is checked when no relay is configured: then mails go to the embedded mailbox only.
    """
    if not context.settings.archive.url or context.configured_relay is None:
        return
    url = manifest.publication.site_address(page_of(issue))
    for _, reason in unreachable_urls(context, [(url, None)]):
        raise IssueError(
            localized(
                "page-not-reachable",
                issue=issue,
                url=url,
                reason=reason,
                folder=context.archive_folder,
            )
        )

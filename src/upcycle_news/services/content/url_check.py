"""Whether what a mail links to answers where readers will look for it, before anybody gets it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError
from upcycle_news.feeds.fetcher import Failed, Fetched, fetch_feeds
from upcycle_news.models import Feed, IssueId, Manifest
from upcycle_news.models.archive_paths import issue_path


def unreachable_urls(
    context: AppContext, wanted: Sequence[tuple[str, bytes | None]]
) -> Iterator[tuple[str, str]]:
    """The addresses that do not answer with these bytes (None: with anything), and why.

    The address is the publication's own, wherever it leads from here.
    """
    answers = fetch_feeds(
        [Feed(name=address, url=address) for address, _ in wanted],
        {},
        user_agent=context.user_agent,
        allow_private=True,
        now=context.clock(),
    )
    bodies = dict(wanted)
    for answer in answers:
        address = answer.feed.url
        if isinstance(answer, Failed):
            yield address, answer.reason
        elif not isinstance(answer, Fetched) or bodies[address] not in (None, answer.body):
            yield address, "something else lies there"


def raise_if_page_unreachable(context: AppContext, issue: IssueId, manifest: Manifest) -> None:
    """Raise `IssueError` when the archive is hosted elsewhere and lacks the issue's page.

    Nobody asks when no relay is configured: then the mail goes to the embedded mailbox only.
    """
    if not context.settings.archive.url or context.configured_relay is None:
        return
    address = manifest.publication.site_address(issue_path(str(issue)))
    for _, why in unreachable_urls(context, [(address, None)]):
        raise IssueError(
            f"issue {issue} would link to a page that does not answer: {address} ({why}); publish "
            f"{context.archive_folder} there, best by 'archive.command' in newsletter.toml"
        )

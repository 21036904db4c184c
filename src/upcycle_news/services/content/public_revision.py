"""Asks the archive's public address which revision of an issue it shows, before our own is put there.

A machine that was set back to a snapshot knows nothing of an issue that it sent since; a host elsewhere
still shows it.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from upcycle_news.app.context import AppContext
from upcycle_news.app.factories import is_sample_host
from upcycle_news.errors import IssueError
from upcycle_news.feeds.fetcher import fetch_feeds
from upcycle_news.feeds.results import Fetched, FetchLimits
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Feed, IssueId, Publication
from upcycle_news.models.archive_paths import revision_path
from upcycle_news.storage import sending_history

_REVISION = re.compile(rb"[0-9a-f]{64}\s*")
_NO_ISSUE = "0000-00-00"
"""No issue has this id: a host that shows a revision there answers everything."""
_LIMITS = FetchLimits(body_bytes=64 * 1024, seconds=15.0, wait_seconds=5.0, spacing_seconds=0.0)


def raise_if_published_elsewhere(
    context: AppContext, issue: IssueId, publication: Publication
) -> None:
    """Raise `IssueError` when the public archive shows an issue that this store never published.

    What it published itself may stand there: a run that died between the archive and the queue left it.
    A host that does not answer, or answers everything, says nothing.
    """
    if (revision := unexplained_revision(context, issue, publication)) is not None:
        url = publication.site_address(revision_path(str(issue)))
        raise IssueError(
            localized(
                "issue-published-elsewhere", issue=str(issue), url=url, revision=revision[:12]
            )
        )


def unexplained_revision(
    context: AppContext, issue: IssueId, publication: Publication
) -> str | None:
    """Return a revision that the public archive shows and this store never published; else None."""
    revision = _published_revision(context, issue, publication)
    known = sending_history.known_issues(context.store, [str(issue)]).get(str(issue))
    if known is not None and revision in {known.revision_id, *known.published}:
        return None
    return revision


def _published_revision(
    context: AppContext, issue: IssueId, publication: Publication
) -> str | None:
    """Return the revision of an issue that the archive's public address shows; None without one.

    Nothing is asked while no relay is set (mails go to the embedded mailbox only) or the address is
    reserved for examples (RFC 2606), which nobody can own.
    """
    site = publication.site_url
    is_reserved = is_sample_host(site) and urlsplit(site).hostname != "localhost"
    if is_reserved or context.configured_relay is None:
        return None
    shown = _ask(context, publication.site_address(revision_path(str(issue))))
    if shown is None or shown == _ask(context, publication.site_address(revision_path(_NO_ISSUE))):
        return None
    return shown


def _ask(context: AppContext, url: str) -> str | None:
    """Return the revision id at an address; None for any other answer, and for none.

    Private addresses are allowed, for the address is the publication's own.
    """
    [answer] = fetch_feeds(
        [Feed(name=url, url=url)],
        {},
        user_agent=context.user_agent,
        allow_private=True,
        now=context.clock(),
        limits=_LIMITS,
    )
    if isinstance(answer, Fetched) and _REVISION.fullmatch(answer.body):
        return answer.body.strip().decode("ascii")
    return None

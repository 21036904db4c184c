"""Look over everything that people wrote, without sending or deciding anything."""

from __future__ import annotations

from upcycle_news.editorial.essays import read_essays
from upcycle_news.errors import NothingNew, PlacedError, UpcycleError
from upcycle_news.model import Finding, IssueId
from upcycle_news.newsroom import Newsroom
from upcycle_news.steps.composing import compose_issue, listed_feeds
from upcycle_news.steps.rendering import render_issue
from upcycle_news.store import issues


def check_everything(room: Newsroom, issue: IssueId) -> tuple[Finding, ...]:
    """Check essays, feeds.toml, templates and the rendered issue; errors become findings."""
    found: list[Finding] = []
    shelf = read_essays(room.content, room.settings.home, room.settings.publication.language)
    found += [_finding("essay", error) for error in shelf.errors]
    try:
        listed_feeds(room)
    except UpcycleError as error:
        found.append(_finding("feeds", error))
    if found:
        return tuple(found)
    row = issues.get(room.store, issue)
    try:
        digest = row.hash if row and row.hash else compose_issue(room, issue).hash
        found += render_issue(room, issue, digest).findings
    except NothingNew as error:
        found.append(Finding("warning", "nothing-new", "content", str(error)))
    except UpcycleError as error:
        found.append(_finding("issue", error))
    return tuple(found)


def _finding(code: str, error: UpcycleError) -> Finding:
    if isinstance(error, PlacedError):
        where = error.where if error.line is None else f"{error.where}:{error.line}"
        return Finding("error", code, where, error.message)
    return Finding("error", code, "publication", str(error))

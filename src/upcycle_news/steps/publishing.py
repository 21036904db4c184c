"""The steps as the flows call them: plain values in and out, ids and counts, never an address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from upcycle_news.errors import IssueError, NothingNew
from upcycle_news.model import IssueId
from upcycle_news.newsroom import Newsroom
from upcycle_news.steps import composing, naming, processes, rendering, sending
from upcycle_news.steps.collecting import collect_feeds
from upcycle_news.store import issues, revisions
from upcycle_news.store.issues import IssueState

NEXT = "next"


@dataclass(frozen=True)
class Told:
    """How a run ended: the name of its state and a sentence."""

    name: str
    message: str


def collect(room: Newsroom) -> dict[str, Any]:
    """Ask the feeds that are due."""
    return collect_feeds(room).as_dict()


@dataclass(frozen=True)
class Composed:
    """The issue and its revision, or in `nothing_new` the sentence why there is none."""

    issue: str
    revision: str = ""
    nothing_new: str = ""


def compose(room: Newsroom, issue: str, essays: Sequence[str]) -> Composed:
    """Compose an issue ('next' or an id); an issue that has begun is taken as it is frozen."""
    chosen = naming.current_issue(room) if issue == NEXT else IssueId.parse(issue)
    row = issues.get(room.store, chosen)
    if row is not None and row.state is not IssueState.OPEN:
        return Composed(str(chosen), row.hash)
    try:
        composed = composing.compose_issue(room, chosen, essays)
    except NothingNew as nothing:
        return Composed(str(chosen), nothing_new=str(nothing))
    return Composed(str(composed.issue), composed.hash)


def render(room: Newsroom, issue: str, revision: str) -> dict[str, Any]:
    """Render a revision and lay out its files; raises `IssueError` when preflight refuses it."""
    rendered = rendering.render_issue(room, IssueId.parse(issue), revision)
    files = rendering.lay_out(room, rendered)
    rendering.refuse_errors(rendered)
    return {
        "subject": rendered.rendered.subject,
        "bytes": rendered.html_bytes,
        "warnings": [finding.message for finding in rendered.findings],
        "files": {kind: str(path) for kind, path in files.items()},
    }


def send_tests(room: Newsroom, issue: str, revision: str, group: str) -> int:
    """Send test mails to a group; how many were accepted."""
    return sending.send_test(
        room, IssueId.parse(issue), revision, sending.group_addresses(room, group)
    )


def enqueue(room: Newsroom, issue: str, revision: str, *, approve: bool) -> int:
    """Queue an approved issue, or approve it first; the audience, 0 while nobody approved it."""
    chosen = IssueId.parse(issue)
    row = issues.get(room.store, chosen)
    if row is not None and row.state is not IssueState.OPEN:
        return row.audience
    if approve:
        sending.approve(room, chosen, revision, by="flow")
    found = revisions.revision(room.store, chosen, revision)
    if found is None or not found.approved:
        return 0
    return sending.enqueue(room, chosen, revision)


def deliver(room: Newsroom, issue: str) -> dict[str, Any]:
    """Deliver what is queued or due; the closing sum."""
    chosen = IssueId.parse(issue)
    with processes.stop_on_signals() as stopping:
        sending.deliver_issue(room, chosen, stopping=stopping)
    status = issues.status(room.store, chosen)
    if status is None:
        raise IssueError(f"there is no issue {issue}")
    return dict(status.as_dict())


def pending(room: Newsroom) -> list[str]:
    """Issues that may go out and have deliveries left; approved ones of today are queued first."""
    found = []
    for row in issues.every(room.store):
        if row.state is IssueState.OPEN and row.id.day == room.today:
            newest = revisions.revision(room.store, row.id)
            if newest is not None and newest.approved:
                sending.enqueue(room, row.id, newest.hash)
                found.append(str(row.id))
        elif row.state is IssueState.SENDING:
            status = issues.status(room.store, row.id)
            if status is not None and not status.closed:
                found.append(str(row.id))
    return found


def how_to_approve(issue: str) -> str:
    """What a person has to do for an issue that waits."""
    return (
        f"issue {issue} is ready and waits: look at it with 'upcycle-news issue preview {issue}', "
        f"then use 'upcycle-news issue approve {issue}'"
    )


def summary(delivered: Mapping[str, Any], collected: Mapping[str, Any]) -> Told:
    """The state of a run that delivered: Degraded when a feed failed."""
    message = f"issue {delivered['issue']}: sent to {delivered['sent']} of {delivered['audience']}"
    for key in ("rejected", "unknown", "suppressed", "cancelled", "deferred", "queued"):
        if delivered[key]:
            message += f", {delivered[key]} {key}"
    if collected and (troubles := _troubles(collected)):
        return Told("Degraded", f"{message}; {troubles}")
    return Told("Completed", message)


def collected_summary(collected: Mapping[str, Any]) -> Told:
    """The state of a run that collected: Degraded when a feed or the pull failed."""
    message = f"{collected['asked']} feeds asked, {collected['items']} new items"
    waiting = [f"{one['feed']} waits: {one['reason']}" for one in collected.get("waiting", [])]
    message = "; ".join([message, *waiting])
    if collected["failed"] or collected.get("pull"):
        told = [f"{one['feed']}: {one['error']}" for one in collected["failed"]]
        told = [collected["pull"], *told] if collected.get("pull") else told
        return Told("Degraded", "; ".join([message, *told]))
    return Told("Completed", message)


def _troubles(collected: Mapping[str, Any]) -> str:
    """What the issue had to do without."""
    silent = [*collected.get("failed", []), *collected.get("waiting", [])]
    told = [collected["pull"]] if collected.get("pull") else []
    if silent:
        told.append(f"without these feeds: {', '.join(one['feed'] for one in silent)}")
    return "; ".join(told)

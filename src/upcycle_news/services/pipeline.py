"""The steps as the flows call them: plain values in and out, ids and counts, never an address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from upcycle_news.app.context import Newsroom
from upcycle_news.errors import IssueError, NothingNew, UpcycleError
from upcycle_news.i18n.messages import counted
from upcycle_news.models import IssueId, IssueStatus
from upcycle_news.models.archive_paths import issue_path
from upcycle_news.models.runs import Told
from upcycle_news.observability.logging import Log
from upcycle_news.services.delivery import process_identity, send
from upcycle_news.services.feeds.collect import collect_feeds
from upcycle_news.services.issues import approval, ids
from upcycle_news.services.issues import compose as compose_service
from upcycle_news.services.issues import render as render_service
from upcycle_news.services.issues.compose import EssayFilter, chosen_essays
from upcycle_news.services.reports import delivery_report
from upcycle_news.storage import (
    approvals,
    coordination,
    issues,
    revisions,
    send_hold,
)
from upcycle_news.storage.issues import IssueState
from upcycle_news.transports.outcomes import RelayUnreachable

NEXT = "next"


@dataclass(frozen=True)
class Begun:
    """The issue a run is about; `ended` when it has nothing to do with it."""

    issue: str
    ended: Told | None = None


def standstill(room: Newsroom) -> Told | None:
    """Why nothing goes out from this store at all; None as long as it may."""
    pause = send_hold.standing(room.store)
    return Told("failed", "Paused", pause.sentence) if pause else None


def begin(
    room: Newsroom, wanted: str, *, planned_at: datetime, run: str, max_lateness_hours: float
) -> Begun:
    """Decide once for each planned time: its issue ('next' or an id), and whether it is too late.

    The answer is written down, so that a second run for the same time, a retry or a run that comes
    back after a slow approval gets the same one.
    """
    if paused := standstill(room):
        return Begun(wanted, paused)
    plan = coordination.plan(room.store, planned_at)
    if plan is None:
        limit = timedelta(hours=max_lateness_hours)
        in_time = not max_lateness_hours or room.clock() - planned_at <= limit
        day = planned_at.astimezone(room.settings.publication.zone).date()
        issue = ids.current_issue(room, day) if wanted == NEXT else IssueId.parse(wanted)
        plan = coordination.remember_plan(room.store, coordination.Plan(planned_at, issue, in_time))
    issue = plan.issue
    if not plan.in_time:
        return Begun(str(issue), _late(room, issue, planned_at))
    row = issues.get(room.store, issue)
    if row is not None and row.state is IssueState.CANCELLED:
        told = f"issue {issue} was cancelled: nothing is sent"
        return Begun(str(issue), Told("cancelled", "Cancelled", told))
    status = issues.status(room.store, issue)
    if status is not None and status.closed:
        sent = status.as_dict()["sent"]
        told = f"issue {issue} went out already: sent to {sent} of {status.audience}"
        return Begun(str(issue), Told("completed", "AlreadySent", told))
    if (row is None or row.state is IssueState.OPEN) and not ids.take(room, issue, run):
        told = f"issue {issue} is in the hands of another run: this one does nothing"
        return Begun(str(issue), Told("completed", "InOtherHands", told))
    return Begun(str(issue))


def _late(room: Newsroom, issue: IssueId, planned_at: datetime) -> Told:
    zone = room.settings.publication.zone
    return Told(
        "cancelled",
        "Late",
        f"issue {issue} was planned for {planned_at.astimezone(zone):%A, %d %B, %H:%M} and this "
        f"run came at {room.clock().astimezone(zone):%A, %d %B, %H:%M}: nothing was sent; to send "
        "it all the same, by hand: 'upcycle-news issue preview', then 'upcycle-news issue send'",
    )


log = Log(__name__)


def collect(room: Newsroom) -> dict[str, Any]:
    """Ask the feeds that are due."""
    return collect_feeds(room).as_dict()


@dataclass(frozen=True)
class Composed:
    """The issue's revision, or in `ended` why there is none."""

    revision: str = ""
    ended: Told | None = None


def compose(room: Newsroom, issue: str, choice: EssayFilter, *, run: str) -> Composed:
    """Compose an issue from what is there now.

    One that has begun is taken as it is frozen, and a run that comes back with an answer takes the
    revision it asked about.
    """
    chosen = IssueId.parse(issue)
    row = issues.get(room.store, chosen)
    if row is not None and row.state is not IssueState.OPEN:
        return Composed(row.hash)
    asked = approvals.asked_by(room.store, run)
    if asked is not None and asked.answer in ("", "send", "reject"):
        return Composed(asked.hash)
    try:
        essays = chosen_essays(room, choice)
        return Composed(compose_service.compose_issue(room, chosen, essays).hash)
    except NothingNew as nothing:
        ids.free(room, chosen, run)
        return Composed(ended=Told("completed", "NothingNew", nothing.in_language(room.language)))


def render(room: Newsroom, issue: str, revision: str) -> dict[str, Any]:
    """Render a revision and lay out its files; raises `IssueError` when preflight refuses it."""
    rendered = render_service.render_issue(room, IssueId.parse(issue), revision)
    files = render_service.lay_out(room, rendered)
    render_service.refuse_errors(rendered)
    return {
        "subject": rendered.rendered.subject,
        "bytes": rendered.html_bytes,
        "warnings": [found.in_language(room.language) for found in rendered.findings],
        "files": {kind: str(path) for kind, path in files.items()},
    }


def send_tests(
    room: Newsroom, issue: str, revision: str, group: str, *, again: bool = False
) -> int:
    """Send test mails to a group, once for each revision unless `again`; how many were accepted."""
    subject = f"{issue} {revision} {group}"
    first = coordination.ring(room.store, "test", subject, now=room.clock())
    if not group or not (first or again):
        return 0
    try:
        return send.send_test(
            room, IssueId.parse(issue), revision, send.group_addresses(room, group)
        )
    except UpcycleError:
        coordination.silence(room.store, "test", subject)  # a retry of the run tries again
        raise


def ask(
    room: Newsroom, issue: str, revision: str, *, run: str, waits: bool, refused: str = ""
) -> approval.Question:
    """What an editor is asked about this revision; nothing when it is decided by now."""
    chosen = IssueId.parse(issue)
    return approval.ask(room, chosen, revision, run=run, waits=waits, refused=refused)


def take_answer(
    room: Newsroom, issue: str, revision: str, question: int, answer: Mapping[str, Any]
) -> approval.Answered:
    """Act on the form an editor sent."""
    return approval.take_answer(room, IssueId.parse(issue), revision, question, answer)


def approve(room: Newsroom, issue: str, revision: str) -> None:
    """Approve what this run composed, because its parameters say so; what a person said stands."""
    chosen = IssueId.parse(issue)
    row = issues.get(room.store, chosen)
    decided = approvals.last_decision(room.store, chosen, revision)
    if decided is None and (row is None or row.state is IssueState.OPEN):
        approval.record_approval(room, chosen, revision, by="flow")


def enqueue(room: Newsroom, issue: str, revision: str, *, run: str, senders: int = 1) -> int:
    """Freeze an approved issue and queue its deliveries; the audience.

    Raises `IssueError` when nobody approved it, or `senders` are more than the store can serve.
    """
    if senders > 1 and room.store.dialect == "sqlite":
        raise IssueError(
            f"SQLite takes one sender, not {senders}: move the store to Postgres "
            "(UPCYCLE_NEWS_STORE=postgresql+psycopg://…), or set senders to 1"
        )
    chosen = IssueId.parse(issue)
    row = issues.get(room.store, chosen)
    if row is not None and row.state is not IssueState.OPEN:
        return row.audience
    audience = send.enqueue(room, chosen, revision)
    ids.free(room, chosen, run)
    return audience


def helpers(senders: int) -> list[int]:
    """The numbers of the further senders beside this run."""
    return list(range(2, senders + 1))


def deliver(
    room: Newsroom, issue: str, show: delivery_report.Show = lambda percent, text: None
) -> dict[str, Any]:
    """Deliver what is queued or due, together with whoever else does; the closing sum.

    Raises `RelayUnreachable` when the relay is away: everything stays queued.
    """
    chosen = IssueId.parse(issue)
    before = _status(room, chosen)
    progress = _progress(room, before, show)
    try:
        with process_identity.stop_on_signals() as stopping:
            send.deliver_issue(room, chosen, stopping=stopping, progress=progress)
            while send.wait_for_others(room, chosen, stopping=stopping):
                send.deliver_issue(room, chosen, stopping=stopping, progress=progress)
    except RelayUnreachable as error:
        left = before.audience - _ended(_status(room, chosen))
        waiting = counted(left, "delivery", "deliveries")
        raise RelayUnreachable(
            f"{error}. Nothing is lost: {waiting} of issue {issue} left to send, and "
            "deliver-pending goes on by itself once the relay answers"
        ) from None
    after = _status(room, chosen)
    ended = _ended(after)
    progress.tell(ended)
    return dict(after.as_dict())


def passes_by(error: object) -> bool:
    """Whether trying again in a minute may help: the relay does not answer just now."""
    return isinstance(error, RelayUnreachable)


def go_on(room: Newsroom, issue: str) -> dict[str, Any]:
    """`deliver`, for a run that comes again in a few minutes: a relay that is away is no failure.

    Then `waits` holds the sentence. A send that gets nowhere for long is told as stalled.
    """
    try:
        return {**deliver(room, issue), "waits": ""}
    except RelayUnreachable as error:
        return {**_status(room, IssueId.parse(issue)).as_dict(), "waits": str(error)}


def _progress(
    room: Newsroom, before: IssueStatus, show: delivery_report.Show
) -> delivery_report.Progress:
    return delivery_report.Progress(before.audience, _ended(before), show, room.language)


def _ended(status: IssueStatus) -> int:
    return status.audience - status.waiting


def _status(room: Newsroom, issue: IssueId) -> IssueStatus:
    status = issues.status(room.store, issue)
    if status is None:
        raise IssueError(f"there is no issue {issue}")
    return status


def pending(room: Newsroom, *, max_lateness_hours: float = 0.0) -> list[str]:
    """Issues with deliveries left; those that are approved and due are queued first.

    An approval that is older than `max_lateness_hours` (0: any age) is left to people. Nothing is
    pending while the store stands still. An issue that cannot be queued keeps no other from going
    on: its `IssueError` is raised where nothing else is pending.
    """
    if send_hold.standing(room.store):
        return []
    found: list[str] = []
    refused: list[IssueError] = []
    for row in issues.every(room.store):
        if row.state is IssueState.OPEN and row.id.day <= room.today:
            newest = revisions.revision(room.store, row.id)
            if newest is None or not newest.approved:
                continue
            decided = approvals.last_decision(room.store, row.id, newest.hash)
            limit = timedelta(hours=max_lateness_hours)
            if decided and max_lateness_hours and room.clock() - decided.at > limit:
                continue
            try:
                send.enqueue(room, row.id, newest.hash)
            except IssueError as error:
                log.error("an approved issue was not queued", issue=row.id, why=error)
                refused.append(error)
                continue
            found.append(str(row.id))
        elif row.state is IssueState.SENDING and not _status(room, row.id).closed:
            found.append(str(row.id))
    if refused and not found:
        raise refused[0]
    return found


def report(room: Newsroom, issue: str, collected: Mapping[str, Any]) -> str:
    """The report of an issue in Markdown."""
    return delivery_report.delivery_report(room, IssueId.parse(issue), collected)


def archive_link(room: Newsroom, issue: str) -> str:
    """Where readers find the issue on the web."""
    return room.publication.site_address(issue_path(issue))


def dry(room: Newsroom, issue: str, subject: str, *, run: str) -> Told:
    """The end of a dry run."""
    ids.free(room, IssueId.parse(issue), run)
    return Told("completed", "DryRun", f"issue {issue}: {subject}; not sent")

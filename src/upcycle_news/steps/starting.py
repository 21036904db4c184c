"""Which issue a run is about, and whether it may work on it now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from upcycle_news.model import IssueId
from upcycle_news.newsroom import Newsroom
from upcycle_news.steps import locking, naming
from upcycle_news.steps.told import Told
from upcycle_news.store import issues, pauses, turns
from upcycle_news.store.issues import IssueState

NEXT = "next"


@dataclass(frozen=True)
class Begun:
    """The issue a run is about; `ended` when it has nothing to do with it."""

    issue: str
    ended: Told | None = None


def standstill(room: Newsroom) -> Told | None:
    """Why nothing goes out from this store at all; None as long as it may."""
    pause = pauses.standing(room.store)
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
    plan = turns.plan(room.store, planned_at)
    if plan is None:
        limit = timedelta(hours=max_lateness_hours)
        in_time = not max_lateness_hours or room.clock() - planned_at <= limit
        day = planned_at.astimezone(room.settings.publication.zone).date()
        issue = naming.current_issue(room, day) if wanted == NEXT else IssueId.parse(wanted)
        plan = turns.remember_plan(room.store, turns.Plan(planned_at, issue, in_time))
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
    if (row is None or row.state is IssueState.OPEN) and not locking.take(room, issue, run):
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

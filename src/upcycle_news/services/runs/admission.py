"""Which issue a flow run is about, decided once per scheduled time, and whether it may work on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from upcycle_news.app.context import AppContext
from upcycle_news.errors import SendHoldError, StoreMismatchError
from upcycle_news.models import IssueId, IssueState
from upcycle_news.models.runs import RunResult
from upcycle_news.services.issues.ids import current_issue
from upcycle_news.services.issues.lock import acquire_lock
from upcycle_news.services.issues.mailbox import is_unsent, mailbox_text
from upcycle_news.services.journal.consistency import raise_if_sending_refused
from upcycle_news.services.journal.files import JournalError
from upcycle_news.storage import issues, scheduled_runs

NEXT = "next"


@dataclass(frozen=True)
class RunAdmission:
    """The issue of a flow run; with `ended` the run ends with that result instead."""

    issue: str
    ended: RunResult | None = None


def send_hold_result(context: AppContext) -> RunResult | None:
    """Return the result of a run while nothing may be sent from the store, else None.

    That is during a send hold, and while the store does not know what went out.
    """
    try:
        raise_if_sending_refused(context)
    except (SendHoldError, StoreMismatchError, JournalError) as error:
        return RunResult("failed", "SendHold", error.in_language(context.language))
    return None


def name_of_issue(context: AppContext, wanted: str, planned_at: datetime) -> str:
    """Return the id of the issue that a run is about, as `admit_run` decides; records nothing."""
    if wanted != NEXT:
        return wanted
    scheduled = scheduled_runs.find_run(context.store, planned_at)
    if scheduled is not None:
        return str(scheduled.issue)
    return str(current_issue(context, _day(context, planned_at)))


def admit_run(
    context: AppContext, wanted: str, *, planned_at: datetime, run: str, max_lateness_hours: float
) -> RunAdmission:
    """Decide once per scheduled time which issue it is ('next' or an id) and whether it is too late.

    The decision is stored, so that a second run for the same time, a retry or a run that resumes
    after a slow approval gets the same one. Another run at the same issue, a cancelled and a sent
    issue end the run.
    """
    if hold := send_hold_result(context):
        return RunAdmission(wanted, hold)
    scheduled = scheduled_runs.find_run(context.store, planned_at)
    if scheduled is None:
        limit = timedelta(hours=max_lateness_hours)
        on_time = not max_lateness_hours or context.clock() - planned_at <= limit
        day = _day(context, planned_at)
        issue = current_issue(context, day) if wanted == NEXT else IssueId.parse(wanted)
        scheduled = scheduled_runs.record_run(
            context.store, scheduled_runs.ScheduledRun(planned_at, issue, on_time)
        )
    issue = scheduled.issue
    if not scheduled.on_time:
        return RunAdmission(str(issue), _late(context, issue, planned_at))
    row = issues.get(context.store, issue)
    if row is not None and row.state is IssueState.CANCELLED:
        message = f"issue {issue} was cancelled: nothing is sent"
        return RunAdmission(str(issue), RunResult("cancelled", "Cancelled", message))
    status = issues.status(context.store, issue)
    if status is not None and status.closed and not is_unsent(context, issue):
        sent = status.as_dict()["sent"]
        message = f"issue {issue} went out already: sent to {sent} of {status.audience}"
        if (mailbox := mailbox_text(context, issue)) is not None:
            message = mailbox.in_language(context.language)
        return RunAdmission(str(issue), RunResult("completed", "AlreadySent", message))
    if (row is None or not row.frozen) and not acquire_lock(context, issue, run):
        message = f"issue {issue} is being prepared by another run: this one does nothing"
        return RunAdmission(str(issue), RunResult("completed", "InOtherHands", message))
    return RunAdmission(str(issue))


def _day(context: AppContext, planned_at: datetime) -> date:
    return planned_at.astimezone(context.settings.publication.zone).date()


def _late(context: AppContext, issue: IssueId, planned_at: datetime) -> RunResult:
    zone = context.settings.publication.zone
    return RunResult(
        "cancelled",
        "CameTooLate",
        f"issue {issue} was planned for {planned_at.astimezone(zone):%A, %d %B, %H:%M} and this "
        f"run came at {context.clock().astimezone(zone):%A, %d %B, %H:%M}: nothing was sent; to send "
        "it all the same, by hand: 'upcycle-news issue preview', then 'upcycle-news issue send'",
    )

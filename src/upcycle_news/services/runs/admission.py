"""Which issue a flow run is about, decided once per scheduled time, and whether it may work on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from upcycle_news.app.context import AppContext
from upcycle_news.errors import NothingNew, SendHoldError, StoreMismatchError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import IssueId, IssueState
from upcycle_news.models.runs import RunResult
from upcycle_news.prefect_api.client import PrefectClient
from upcycle_news.services.issues.ids import current_issue
from upcycle_news.services.issues.lock import acquire_lock, lock_holder
from upcycle_news.services.issues.mailbox import is_unsent, mailbox_text
from upcycle_news.services.issues.waiting_runs import release_ended_runs, run_page
from upcycle_news.services.journal.consistency import raise_if_sending_refused
from upcycle_news.services.journal.files import JournalError
from upcycle_news.storage import approvals, issues, scheduled_runs
from upcycle_news.text.escaped_markdown import Translator

NEXT = "next"
DIGEST = "digest"
"""What runs are told to make: the next issue, or the digest that is due."""


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
    if wanted not in (NEXT, DIGEST):
        return wanted
    makes_digest = wanted == DIGEST
    scheduled = scheduled_runs.find_run(context.store, planned_at, makes_digest=makes_digest)
    if scheduled is not None:
        return str(scheduled.issue)
    return str(_wanted_issue(context, wanted, planned_at))


def _wanted_issue(context: AppContext, wanted: str, planned_at: datetime) -> IssueId:
    """Return the issue that a run is to make; raises `NothingNew` when no digest is due."""
    if wanted == DIGEST:
        from upcycle_news.services.issues.digest import digest_id

        return digest_id(context, rejected=False)
    if wanted == NEXT:
        return current_issue(context, _day(context, planned_at))
    return IssueId.parse(wanted)


def admit_run(
    context: AppContext, wanted: str, *, planned_at: datetime, run: str, max_lateness_hours: float
) -> RunAdmission:
    """Decide once per scheduled time which issue it is ('next', 'digest' or an id) and whether it is too late.

    The decision is stored, so that a second run for the same time, a retry or a run that resumes
    after a slow approval gets the same one. That no digest is due, another run at the same issue, a
    cancelled and a sent issue end the run.
    """
    if hold := send_hold_result(context):
        return RunAdmission(wanted, hold)
    makes_digest = wanted == DIGEST
    scheduled = scheduled_runs.find_run(context.store, planned_at, makes_digest=makes_digest)
    if scheduled is None:
        limit = timedelta(hours=max_lateness_hours)
        on_time = not max_lateness_hours or context.clock() - planned_at <= limit
        try:
            issue = _wanted_issue(context, wanted, planned_at)
        except NothingNew as error:
            message = error.in_language(context.language)
            return RunAdmission(wanted, RunResult("completed", "NothingDue", message))
        new = scheduled_runs.ScheduledRun(planned_at, issue, on_time)
        scheduled = scheduled_runs.record_run(context.store, new, makes_digest=makes_digest)
    issue = scheduled.issue
    if not scheduled.on_time:
        return RunAdmission(str(issue), _late(context, issue, planned_at))
    row = issues.get(context.store, issue)
    if row is not None and row.state is IssueState.CANCELLED:
        message = localized("run-issue-cancelled", issue=str(issue)).in_language(context.language)
        return RunAdmission(str(issue), RunResult("cancelled", "Cancelled", message))
    status = issues.status(context.store, issue)
    if status is not None and status.closed and not is_unsent(context, issue):
        message = localized(
            "run-already-sent",
            issue=str(issue),
            sent=status.as_dict()["sent"],
            audience=status.audience,
        ).in_language(context.language)
        if (mailbox := mailbox_text(context, issue)) is not None:
            message = mailbox.in_language(context.language)
        return RunAdmission(str(issue), RunResult("completed", "AlreadySent", message))
    if (row is None or not row.frozen) and not _acquire(context, issue, run):
        return RunAdmission(str(issue), _in_other_hands(context, issue, run))
    return RunAdmission(str(issue))


def _acquire(context: AppContext, issue: IssueId, run: str) -> bool:
    """Lock the issue; take it over from a run that Prefect says has ended."""
    if acquire_lock(context, issue, run):
        return True
    client = PrefectClient.find(context.settings.state / "prefect")
    if client is None or not release_ended_runs(context, client, issue).runs:
        return False
    return acquire_lock(context, issue, run)


def _in_other_hands(context: AppContext, issue: IssueId, run: str) -> RunResult:
    others = [
        request.run
        for request in approvals.open_requests(context.store, issue)
        if request.run != run
    ]
    name = str(issue)
    if others:
        text = localized("other-run-waits", issue=name, run=run_page(context, others[-1]))
    elif holder := lock_holder(context, issue):
        text = localized("other-run-prepares", issue=name, run=run_page(context, holder))
    else:
        text = localized("other-run-queues", issue=name)
    return RunResult("completed", "InOtherHands", text.in_language(context.language))


def _day(context: AppContext, planned_at: datetime) -> date:
    return planned_at.astimezone(context.settings.publication.zone).date()


def _late(context: AppContext, issue: IssueId, planned_at: datetime) -> RunResult:
    zone, translate = context.settings.publication.zone, Translator(context.language)
    text = localized(
        "run-too-late",
        issue=str(issue),
        planned=translate.format_time(planned_at.astimezone(zone)),
        came=translate.format_time(context.clock().astimezone(zone)),
    )
    return RunResult("cancelled", "CameTooLate", translate(text))

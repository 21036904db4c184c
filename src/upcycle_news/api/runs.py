"""`app.runs`: the steps of flow runs, for Prefect's flows and for one's own.

A run names an issue and a revision by id, since that is what travels between its tasks; each step
loads what it needs once. The results of runs are functions of values: `publish_result` and others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from upcycle_news.app.context import AppContext, utc_now
from upcycle_news.models import IssueId, IssueStatus
from upcycle_news.models.archive_paths import page_of
from upcycle_news.models.runs import RunResult, StaleRun
from upcycle_news.observability.logging import Log
from upcycle_news.prefect_api.client import PrefectApiError, PrefectClient
from upcycle_news.services.feeds.collect import FeedRunReport, collect_feeds
from upcycle_news.services.issues import approval
from upcycle_news.services.issues.approval import ApprovalForm, ApprovalOutcome
from upcycle_news.services.issues.essay_filter import EssayFilter
from upcycle_news.services.monitoring import (
    alerts,
    closed_issues,
    notifications,
    operators,
    stale_runs,
)
from upcycle_news.services.monitoring.alerts import Event, watch_result
from upcycle_news.services.monitoring.operators import NoticeReport, notification_result
from upcycle_news.services.monitoring.stale_runs import ResolvedRuns
from upcycle_news.services.reports.delivery_report import delivery_report
from upcycle_news.services.runs import admission, form_parameters, steps, watching
from upcycle_news.services.runs import deliver as delivering
from upcycle_news.services.runs.admission import NEXT, RunAdmission
from upcycle_news.services.runs.deliver import ResumedDelivery, is_transient
from upcycle_news.services.runs.pending import (
    PendingIssues,
    due_issues,
    find_pending,
    halted_issues,
    pending_issues,
    waiting_issues,
)
from upcycle_news.services.runs.results import collection_result, delivery_result, publish_result
from upcycle_news.services.runs.steps import ComposeResult, RenderResult
from upcycle_news.services.runs.watching import WatchRun

log = Log(__name__)

__all__ = [
    "NEXT",
    "ApprovalForm",
    "ApprovalOutcome",
    "ComposeResult",
    "EssayFilter",
    "Event",
    "FeedRunReport",
    "NoticeReport",
    "PendingIssues",
    "RenderResult",
    "ResolvedRuns",
    "ResumedDelivery",
    "RunAdmission",
    "RunResult",
    "Runs",
    "StaleRun",
    "WatchRun",
    "collection_result",
    "delivery_result",
    "is_transient",
    "notification_result",
    "publish_result",
    "stay",
    "watch_result",
]


def stay(watch: WatchRun, look: Callable[[], bool], check: Callable[[], object]) -> None:
    """Call `look` every 20 seconds and `check` every ten minutes, until the run's time is up or `look` is False.

    What fails with a sentence is tried again; `problem` and `check_problem` of `watch` hold it meanwhile.
    """
    watching.stay(watch, look, check, clock=utc_now, sleep=time.sleep)


class Runs:
    """The steps of flow runs. `run` is the id of the flow run, `issue` an issue's id as text."""

    def __init__(self, context: AppContext) -> None:
        """Make the group of an open publication; `App.runs` is the usual way."""
        self._context = context

    # --- the form of a custom run

    def describe_parameters(
        self, flow: str, properties: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, dict[str, Any]]:
        """Return a flow's parameters as JSON schema properties, described in the publication's language.

        Topics, groups and essays that are ready are suggested as examples, which no one has to follow.
        """
        return form_parameters.describe_parameters(self._context, flow, properties)

    def renew_forms(self, api_url: str, login: str = "") -> int:
        """Describe the parameters of the deployments that Prefect has; return how many changed.

        A Prefect that does not answer, or answers with an error, leaves the forms as they are: 0.
        """
        if not api_url:
            return 0  # a temporary server has no forms
        try:
            return PrefectClient(api_url, login).renew_parameters(self.describe_parameters)
        except PrefectApiError as error:
            log.warning("forms not renewed", why=error)
            return 0

    # --- before an issue is queued

    def admit(
        self, issue: str, *, planned_at: datetime, run: str, max_lateness_hours: float
    ) -> RunAdmission:
        """Decide once per scheduled time which issue it is ('next', 'digest' or an id), and whether to go on.

        A second run for the same time, a retry and a run that resumes get the same answer. A run
        that is later than `max_lateness_hours` (0: any lateness is fine), another run at the same
        issue, a cancelled and a sent issue, that no digest is due, and a send hold end the run.
        """
        return admission.admit_run(
            self._context,
            issue,
            planned_at=planned_at,
            run=run,
            max_lateness_hours=max_lateness_hours,
        )

    def name_of_issue(self, issue: str, *, planned_at: datetime) -> str:
        """Return the id of the issue that a run for this time is about ('next', 'digest' or an id); records nothing."""
        return admission.name_of_issue(self._context, issue, planned_at)

    def send_hold(self) -> RunResult | None:
        """Return the result that ends a run while nothing may be sent (after a restore), else None."""
        return admission.send_hold_result(self._context)

    def collect(self) -> FeedRunReport:
        """Fetch the feeds that are due; one that fails is in the report and stops nothing.

        Raises `ContentError` for feeds.toml.
        """
        return collect_feeds(self._context)

    def compose(self, issue: str, essay_filter: EssayFilter, *, run: str) -> ComposeResult:
        """Compose an issue from the present content, and store it as its newest revision.

        An issue whose deliveries began keeps its revision, unless it lies in the mailbox and a relay is set;
        a run that resumes gets that of its approval request. Without new content the run ends. Raises
        `ContentError`.
        """
        return steps.compose(self._context, IssueId.parse(issue), essay_filter, run=run)

    def render(self, issue: str, revision_id: str) -> RenderResult:
        """Render and check a revision, and write its preview files.

        Raises `IssueError` when preflight refuses it, and `TemplateError`.
        """
        return steps.render(self._context, IssueId.parse(issue), revision_id)

    def send_tests(self, issue: str, revision_id: str, group: str, *, again: bool = False) -> int:
        """Send test mails to a group, once a revision unless `again`; return the number accepted.

        Raises `IssueError` when nobody is in the group, and `RelayError`.
        """
        return steps.send_tests(
            self._context, IssueId.parse(issue), revision_id, group, again=again
        )

    def send_tests_again(self, issue: str, revision_id: str, group: str) -> str:
        """Send test mails to a group, or to `cockpit.editors` without one, as often as asked.

        Returns why none went out, in the publication's language; empty when they did.
        """
        return steps.send_tests_again(self._context, IssueId.parse(issue), revision_id, group)

    def finish_dry_run(self, issue: str, subject: str, *, run: str) -> RunResult:
        """Release the issue for other runs, and return the result of a dry run."""
        return steps.finish_dry_run(self._context, IssueId.parse(issue), subject, run=run)

    # --- approval

    def ask(
        self,
        issue: str,
        revision_id: str,
        *,
        run: str,
        waits: bool = True,
        refused: str = "",
        approve: bool = False,
    ) -> ApprovalForm:
        """Ask editors to approve a revision: return the form, or that none is needed.

        A run that cannot wait (`waits` false) ends with a sentence that says how to approve.
        `refused` is why the last answer was not accepted. With `approve` no form is needed unless somebody
        rejected the revision; `enqueue` with `approve` records the approval then. A run that is about an
        issue of a day to come ends: deliver-pending sends it on its day if a person has approved it.
        """
        return approval.request_approval(
            self._context,
            IssueId.parse(issue),
            revision_id,
            run=run,
            waits=waits,
            refused=refused,
            approve=approve,
        )

    def apply_answer(
        self, issue: str, revision_id: str, request: int, answer: Mapping[str, Any]
    ) -> ApprovalOutcome:
        """Apply the form of approval `request`: `decision`, `leave_out`, `name`, `subject` and `greeting`.

        A changed subject or greeting makes another revision, which is not approved with it.
        """
        return approval.apply_decision(
            self._context, IssueId.parse(issue), revision_id, request, answer
        )

    def approve(self, issue: str, revision_id: str) -> None:
        """Approve the revision that the run composed, unless somebody has decided about it already.

        The approval stays when the issue cannot be queued afterwards; `enqueue` with `approve` keeps it only
        with the queue. Raises `IssueError` when preflight refuses it, and for an issue of a day to come.
        """
        approval.approve_if_undecided(self._context, IssueId.parse(issue), revision_id, by="flow")

    # --- delivery

    def enqueue(
        self, issue: str, revision_id: str, *, run: str, senders: int = 1, approve: bool = False
    ) -> int:
        """Freeze an approved issue, queue its deliveries, and return the size of the audience.

        `approve`: what nobody has decided about is approved with it, and only if it is queued. Raises
        `IssueError` when it is not approved, is of a day to come, has no audience, or SQLite is to serve
        several `senders`; and `SendHoldError`.
        """
        return steps.enqueue_once(
            self._context,
            IssueId.parse(issue),
            revision_id,
            run=run,
            senders=senders,
            approve=approve,
        )

    def deliver(
        self, issue: str, show: Callable[[float, str], None] = lambda percent, text: None
    ) -> IssueStatus:
        """Deliver what is queued or due, beside other workers; return the delivery counts.

        `show` gets per cent and a sentence every few seconds. Raises `RelayUnreachable` when the
        relay does not answer (see `is_transient`) and `RelayError` when it stops the issue; what is
        not sent stays queued.
        """
        return delivering.deliver_with_progress(self._context, IssueId.parse(issue), show)

    def resume_delivery(self, issue: str) -> ResumedDelivery:
        """Deliver as `deliver` does; an unreachable relay is a sentence in the result, no error."""
        return delivering.resume_delivery(self._context, IssueId.parse(issue))

    def pending(self, *, max_lateness_hours: float = 0.0) -> list[str]:
        """Return the issues with deliveries left; queue those that are approved and due first.

        An approval older than `max_lateness_hours` (0: any age) is left to people. Raises
        `IssueError` for an issue that cannot be queued, if nothing else is pending.
        """
        return pending_issues(self._context, max_lateness_hours=max_lateness_hours)

    def find_pending(self, *, max_lateness_hours: float = 0.0) -> PendingIssues:
        """Return what `pending` returns, and sentences about approved issues that could not be queued."""
        return find_pending(self._context, max_lateness_hours=max_lateness_hours)

    def waiting(self) -> tuple[str, ...]:
        """Return a sentence for each approved issue that waits for its day, or for its hour."""
        texts = waiting_issues(self._context)
        return tuple(text.in_language(self._context.language) for text in texts)

    def halted(self, *, max_lateness_hours: float = 0.0) -> tuple[str, ...]:
        """Return a sentence for each issue that `pending` leaves to people, and what they can do.

        It is stopped or paused with deliveries left, or lies in the mailbox while a relay is set, or its
        approval is older than `max_lateness_hours` (0: any age is fine).
        """
        halted = halted_issues(self._context, max_lateness_hours=max_lateness_hours)
        return tuple(issue.text.in_language(self._context.language) for issue in halted)

    def due(self, *, max_lateness_hours: float = 0.0) -> list[str]:
        """Return the issues for which a run of deliver-pending would do something now; changes nothing.

        None of those that a living worker is sending. `max_lateness_hours` as for `pending`.
        """
        return due_issues(self._context, max_lateness_hours=max_lateness_hours)

    # --- a run that stays and looks at the store again and again

    def look(self, watch: WatchRun, api_url: str, login: str = "") -> bool:
        """Start deliver-pending if something is due, and keep a successor of this run in Prefect.

        The first look takes the watch over. Returns False when the run shall end: another has taken over, or its deployment was paused.
        """
        return watching.look(self._context, PrefectClient(api_url, login), watch)

    def begin_serving(self, api_url: str, login: str = "", *, served: Collection[str]) -> None:
        """Start a run that watches, for a runner that has just been started and serves these deployments (ids).

        Deployments of the program's flows without a work pool that are not served are removed: an older
        prefect.yaml had them, and their schedules would go on producing runs that nobody starts. A
        Prefect that refuses it is logged: the next full hour starts a run that watches.
        """
        client = PrefectClient(api_url, login)
        try:
            watching.remove_deployments(client, served)
            watching.start_if_missing(self._context, client)
        except PrefectApiError as error:
            log.warning("no watch started", why=error)

    # --- afterwards

    def report(self, issue: str, collected: FeedRunReport | None = None) -> str:
        """Return the delivery report of an issue in Markdown, without addresses."""
        return delivery_report(self._context, IssueId.parse(issue), collected)

    def closing_summary(self, issue: str) -> str:
        """Return the closing sum of an issue as a sentence; empty while it is not closed."""
        return closed_issues.closing_summary(self._context, IssueId.parse(issue))

    def unreported_issues(self) -> list[str]:
        """Return the issues closed in the last two weeks whose report nobody has written since."""
        return closed_issues.unreported_issues(self._context)

    def mark_reported(self, issue: str) -> None:
        """Record that the report of a closed issue was written; closed again, it needs another."""
        closed_issues.mark_reported(self._context, IssueId.parse(issue))

    def archive_link(self, issue: str) -> str:
        """Return the URL of the issue in the archive, of a digest that of the start page; empty without a public address."""
        return self._context.publication.site_address(page_of(IssueId.parse(issue)))

    def alert_events(self) -> list[Event]:
        """Evaluate all alert rules; return the events that were not returned before."""
        return alerts.new_events(self._context)

    def tell_editors(self, run: str = "") -> list[Event]:
        """Mail the group `cockpit.editors` once that this run waits for an approval; return the event.

        With a preview and the run's address. If the relay is away, the next call tries again: without `run`
        it is about every run that waits and of which nobody was told.
        """
        return notifications.tell_editors(self._context, run)

    def send_reminders(self) -> list[Event]:
        """Remind editors by mail, once, of each approval request that expires soon.

        Returns an event for each; one whose mails were not accepted is tried again the next time.
        """
        return notifications.send_reminders(self._context)

    def resolve_stale_runs(self, api_url: str, login: str = "") -> ResolvedRuns:
        """End the runs whose approval request expired, and resume those that were decided elsewhere.

        A run that has ended itself, or was deleted, holds its issue no more. Returns how many were settled,
        and a sentence for each that could not be. `api_url` is Prefect's, `login` ``user:password`` or empty.
        """
        return stale_runs.resolve_stale_runs(self._context, PrefectClient(api_url, login))

    def notify_operators(self, event: str, message: str, run: str = "") -> NoticeReport:
        """Mail a sentence to the group `cockpit.operators`, and post it to `cockpit.webhook`.

        `run` is the id or the address of the flow run that it is about.

        What the relay or the webhook does not take now waits for `deliver_notices`. An empty group
        is no error.
        """
        return operators.notify_operators(self._context, event, message, run)

    def deliver_notices(self) -> NoticeReport:
        """Mail and post the notices to operators that have waited and are due again."""
        return operators.deliver_notices(self._context)

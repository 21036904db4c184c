"""Queue and deliver an issue; safe to call twice, concurrently, or after a crash."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from upcycle_news.app.context import AppContext
from upcycle_news.app.factories import raise_without_password
from upcycle_news.delivery.ports import DeliveryReport
from upcycle_news.errors import IssueError, RelayError
from upcycle_news.i18n.messages import localized
from upcycle_news.i18n.recognition import recognise
from upcycle_news.models import DeliveryState, IssueId, IssueState, IssueStatus, Relay
from upcycle_news.observability.logging import Log
from upcycle_news.services.archive import build
from upcycle_news.services.bounces import soft_bounces
from upcycle_news.services.delivery import lateness, worker_identity
from upcycle_news.services.delivery.issue_relay import (
    AwayRecorder,
    away_text,
    raise_if_other_relay,
)
from upcycle_news.services.delivery.worker_job import (
    Mailing,
    WorkerJob,
    combine_reports,
    load_mailing,
    run_job,
)
from upcycle_news.services.delivery.worker_pool import (
    MIN_QUEUED_FOR_POOL,
    MIN_SIGNED_FOR_POOL,
    WorkerPool,
)
from upcycle_news.services.issues.mailbox import relay_name
from upcycle_news.services.issues.render import RenderedRevision, raise_on_errors
from upcycle_news.services.journal import record as journal
from upcycle_news.services.journal.consistency import raise_if_sending_refused
from upcycle_news.storage import approvals, issues
from upcycle_news.storage import workers as worker_rows
from upcycle_news.storage.issue_lifecycle import SYSTEM
from upcycle_news.storage.issues import IssueRow
from upcycle_news.transports.outcomes import RelayUnreachable

log = Log(__name__)


def enqueue(
    context: AppContext,
    rendered: RenderedRevision,
    *,
    by: str = SYSTEM,
    approval: issues.NewApproval | None = None,
    ahead: bool = False,
) -> int:
    """Freeze an approved revision, queue a delivery to each subscriber, return their number.

    `approval` is given with it, and kept only if the issue is queued. `ahead`: a person wants an issue of
    a day to come now. Its pages are in the archive before. Raises `IssueError` when the revision is not
    approved, is of a day to come, has errors, there is nobody to send to, or the archive cannot be
    written, and `SendHoldError` during a send hold.
    """
    revision, issue = rendered.revision, rendered.issue
    raise_if_sending_refused(context)
    decision = approvals.last_decision(context.store, issue, revision.revision_id)
    if approval is None and (decision is None or not decision.approved):
        raise IssueError(localized("issue-not-approved", issue=str(issue)))
    lateness.raise_if_late(context, revision)
    if not ahead:
        lateness.raise_if_ahead(context, issue)
    raise_on_errors(rendered)
    now, relay = context.clock(), relay_name(context)
    if (settings := context.configured_relay) is not None:
        raise_without_password(f"relays.{relay}", settings.username, settings.password)
    journal.raise_unless_writable(context)
    with build.with_issue_published(context, revision, now):
        audience = issues.enqueue(
            context.store,
            revision,
            by=by,
            now=now,
            relay=relay,
            approval=approval,
            interval=context.settings.digest.interval or None,
        )
    log.info("issue queued", issue=issue, revision=revision.revision_id[:12], audience=audience)
    return audience


def deliver_issue(
    context: AppContext,
    issue: IssueId,
    *,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[DeliveryReport], None] = lambda _: None,
    wait_seconds: float | None = None,
    rendered: RenderedRevision | None = None,
) -> DeliveryReport:
    """Deliver what is queued or due, after reclaiming the deliveries of dead workers.

    `wait_seconds` for deferred deliveries; default: ``retry.patience_seconds``. `rendered` is the
    issue's revision if this step has it already, else it is loaded. When the relay
    cannot be reached and has a failover relay, that one takes what was never on the wire. Raises
    `RelayUnreachable` when no relay can be reached, or the relay went away for longer than
    ``retry.patience_seconds``: what is left waits for the next run, and the issue is not stopped.
    Raises `RelayError` when the relay stops the issue, and `IssueError` when the issue was queued for a
    relay and none is configured, or for the mailbox and one is. What is not sent stays queued.
    """
    row = _load_deliverable(context, issue)
    if row.state is IssueState.CLOSED or close_if_done(context, issue):
        return DeliveryReport()
    before = _status(context, issue)
    sent = before.counts.get(DeliveryState.SENT, 0) > 0
    if wait_seconds is None:
        wait_seconds = context.settings.retry.patience_seconds
    if rendered is not None and rendered.revision_id == row.revision_id:
        mailing = Mailing.of(row, rendered)
    else:  # not loaded yet, or another process queued another revision meanwhile
        mailing = load_mailing(context, row)
    away = AwayRecorder(context, issue, progress)
    run = SendRun(context, mailing, wait_seconds, stopping, away, probing=away.was_away)
    try:
        with context.relay() as relay:
            report = _send_with_failover(run, relay, accepted_before=sent and not away.was_away)
    finally:
        journal.record_progress(context, issue)
    away.finish(report)
    _raise_if_stopped(context, issue, report)
    if report.away is not None:
        log.raised("relay unreachable", issue=issue, relay=relay.name, why=report.away)
        raise RelayUnreachable(away_text(context, _status(context, issue), report.away))
    close_if_done(context, issue)
    soft_bounces.suppress_refused(context, issue)
    return report


def _send_with_failover(run: SendRun, relay: Relay, *, accepted_before: bool) -> DeliveryReport:
    """Send over `relay`; when no connection can be had, over its failover relay, if it has one.

    Raises `RelayError` when there is none and the relay refuses the very first connection for good.
    """
    context = run.context
    try:
        report = run.execute(relay, accepted_before=accepted_before)
    except RelayUnreachable as error:
        report = DeliveryReport(
            relay_gone=True, away=error.localized_text, away_since=context.clock()
        )
    except RelayError as error:
        if context.failover(relay) is None:
            log.raised("relay unreachable", issue=run.mailing.issue, relay=relay.name, why=error)
            raise
        report = DeliveryReport(relay_gone=True)
    second = context.failover(relay) if report.relay_gone else None
    if second is None:
        return report
    log.warning("failover relay used", issue=run.mailing.issue, relay=second.name)
    accepted_before = accepted_before or report.sent > 0
    before = replace(report, stopped=None, relay_gone=False, away=None, away_since=None)
    try:
        after = run.execute(second, accepted_before=accepted_before, fresh_only=True)
    except RelayUnreachable as error:
        after = DeliveryReport(
            relay_gone=True, away=error.localized_text, away_since=context.clock()
        )
    return combine_reports(before, after)


def _raise_if_stopped(context: AppContext, issue: IssueId, report: DeliveryReport) -> None:
    """Raise `RelayError` when this run stopped the issue, or a wave of refusals anywhere did."""
    row = issues.get(context.store, issue)
    if row is not None and row.state is IssueState.STOPPED:
        log.raised("issue stopped", issue=issue, why=row.stop_reason)
        why = recognise(row.stop_reason, "reasons")
        raise RelayError(localized("issue-stopped", issue=str(issue), why=why))
    if report.stopped:
        log.raised("issue stopped", issue=issue, why=report.stopped)
        issues.stop(context.store, issue, reason=report.stopped, now=context.clock())
        why = recognise(report.stopped, "reasons")
        raise RelayError(localized("issue-stopped", issue=str(issue), why=why))


def _load_deliverable(context: AppContext, issue: IssueId) -> IssueRow:
    """Return the issue if it may be delivered, after reclaiming from dead workers."""
    raise_if_sending_refused(context)
    row = issues.get(context.store, issue)
    if row is None or not row.frozen:
        raise IssueError(localized("deliver-not-queued", issue=issue))
    if reclaim_from_dead_workers(context, issue):
        row = issues.get(context.store, issue) or row  # that may have closed it
    if row.state is IssueState.CANCELLED:
        raise IssueError(localized("deliver-cancelled", issue=issue))
    if row.state not in (IssueState.SENDING, IssueState.CLOSED):
        if row.state is IssueState.PAUSED:
            raise IssueError(localized("standstill-paused", issue=str(issue)))
        why = recognise(row.stop_reason, "reasons")
        raise IssueError(localized("standstill-stopped", issue=str(issue), why=why))
    if row.state is IssueState.SENDING:
        raise_if_other_relay(context, issue)
    build.rebuild_if_missing(context, issue)
    if row.state is IssueState.SENDING:
        journal.record_start(context, row)
    return row


def close_if_done(context: AppContext, issue: IssueId) -> bool:
    """Close an issue if none of its deliveries is queued, deferred or on the wire any more."""
    closed = issues.close_if_done(context.store, issue, now=context.clock())
    if closed:
        journal.record_progress(context, issue)
    return closed


@dataclass(frozen=True)
class SendRun:
    """One run of an issue: this process, and for a long list further ones."""

    context: AppContext
    mailing: Mailing
    wait_seconds: float
    stopping: Callable[[], bool]
    progress: Callable[[DeliveryReport], None]
    probing: bool = False

    def execute(
        self, relay: Relay, *, accepted_before: bool, fresh_only: bool = False
    ) -> DeliveryReport:
        """Send over `relay` until nothing is left to do now, or it went away for too long.

        Raises `RelayError` when the very first connection cannot be opened.
        """
        processes = self._process_count(relay)
        connections = -(-relay.connections // processes)
        job = WorkerJob(
            relay,
            connections,
            self.wait_seconds,
            accepted_before,
            fresh_only,
            relay_wait=self.context.settings.retry.patience_seconds,
            probing=self.probing,
        )
        own_report = DeliveryReport()
        pool = WorkerPool(
            self.context,
            self.mailing.issue,
            job,
            processes - 1,
            on_report=lambda: self.progress(pool.total_with(own_report)),
        )

        def progress(report: DeliveryReport) -> None:
            nonlocal own_report
            if report.sent or accepted_before:
                pool.send_job()
            own_report = report
            self.progress(pool.total_with(report))

        pool.spawn()
        stop = True
        try:
            report = self._run_job(job, progress)
            stop = report.stopped is not None or report.away is not None
        finally:
            pool.join(lambda: stop or self.stopping())
        failed = pool.crashed or (pool.errors and not report.stopped and not report.away)
        if failed:
            # Their deliveries are sent here, or what stopped them stops this process too.
            reclaim_from_dead_workers(self.context, self.mailing.issue)
        # A worker that was told to stop released its leases, perhaps after this process was done.
        released = processes > 1 and not stop and not self.stopping() and self._queued() > 0
        if failed or released:
            rest = self._run_job(replace(job, accepted_before=True), progress)
            report = combine_reports(report, rest)
        return pool.total_with(report)

    def _process_count(self, relay: Relay) -> int:
        """Return how many processes send: as set, or for a long list as many as there are CPUs."""
        least = MIN_SIGNED_FOR_POOL if self.context.dkim_signers else MIN_QUEUED_FOR_POOL
        fitting = (os.cpu_count() or 1) if self._queued() >= least else 1
        return min(relay.connections, relay.processes or fitting)

    def _queued(self) -> int:
        return _status(self.context, self.mailing.issue).counts.get(DeliveryState.QUEUED, 0)

    def _run_job(
        self, job: WorkerJob, progress: Callable[[DeliveryReport], None]
    ) -> DeliveryReport:
        return run_job(self.context, self.mailing, job, stopping=self.stopping, progress=progress)


def wait_for_other_workers(
    context: AppContext,
    issue: IssueId,
    *,
    stopping: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Wait while other workers that are alive have deliveries of this issue leased or in flight.

    Returns True when one died and left some of an issue that may go on: deliver it again.
    """
    while not stopping():
        holding = worker_rows.workers_in_flight(context.store, issue)
        if not any(worker_identity.is_alive(worker, context.clock()) for worker in holding):
            row = issues.get(context.store, issue)
            return bool(holding) and row is not None and row.state is IssueState.SENDING
        sleep(1.0)
    return False


def reclaim_from_dead_workers(context: AppContext, issue: IssueId) -> int:
    """Settle the deliveries that dead workers had on the wire; return how many those were.

    They become unknown, or are queued again if ``retry.unknown`` is ``resend``; in a cancelled issue
    they are always unknown.
    """
    dead = [
        worker
        for worker in worker_rows.workers_in_flight(context.store, issue)
        if not worker_identity.is_alive(worker, context.clock())
    ]
    if not dead:
        return 0
    row = issues.get(context.store, issue)
    may_resend = row is not None and row.state is not IssueState.CANCELLED
    resend = may_resend and context.settings.retry.unknown == "resend"
    count = worker_rows.reclaim_deliveries(
        context.store, issue, dead, resend=resend, now=context.clock()
    )
    log.warning(
        "workers died", issue=issue, workers=[worker.id for worker in dead], on_the_wire=count
    )
    return count


def _status(context: AppContext, issue: IssueId) -> IssueStatus:
    status = issues.status(context.store, issue)
    assert status is not None
    return status

"""Approve, queue and deliver an issue; safe to call twice, at once, or after a crash."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from upcycle_news.app.context import AppContext
from upcycle_news.delivery.engine import DeliveryReport
from upcycle_news.errors import IssueError, RelayError
from upcycle_news.mail.message import MessageTemplate
from upcycle_news.models import (
    Claim,
    DeliveryState,
    EmailAddress,
    IssueId,
    IssueStatus,
    Relay,
)
from upcycle_news.observability.logging import Log
from upcycle_news.services.archive import build
from upcycle_news.services.bounces import soft_bounces
from upcycle_news.services.delivery import lateness, process_identity
from upcycle_news.services.delivery.process_pool import MANY, Workers, merged
from upcycle_news.services.delivery.worker_share import Share, composer, send_share
from upcycle_news.services.issues.render import refuse_errors, render_issue
from upcycle_news.storage import (
    deliveries,
    issues,
    revisions,
    send_hold,
    subscribers,
)
from upcycle_news.storage import workers as worker_rows
from upcycle_news.storage.issues import IssueRow, IssueState
from upcycle_news.transports.outcomes import Accepted, Refused
from upcycle_news.transports.smtp import open_connection

log = Log(__name__)


def enqueue(context: AppContext, issue: IssueId, revision_id: str) -> int:
    """Freeze an approved revision and queue a delivery for everybody; the audience's size.

    Its pages are in the archive before. Raises `IssueError` when the revision is not approved,
    there is nobody to send to, or the archive cannot be written, and `PausedError` while the whole
    store stands still.
    """
    send_hold.refuse_while_paused(context.store)
    revision = revisions.revision(context.store, issue, revision_id)
    if revision is None or not revision.approved:
        raise IssueError(f"issue {issue} is not approved: see 'upcycle-news issue approve {issue}'")
    lateness.refuse_what_is_late(context, issue)
    refuse_errors(render_issue(context, issue, revision_id))
    now = context.clock()
    with build.published(context, issue, revision.manifest, now):
        audience = issues.enqueue(context.store, issue, revision_id, now=now)
    log.info("an issue was queued", issue=issue, revision=revision_id[:12], audience=audience)
    return audience


def deliver_issue(
    context: AppContext,
    issue: IssueId,
    *,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[DeliveryReport], None] = lambda _: None,
    patience: float | None = None,
) -> DeliveryReport:
    """Deliver what is queued or due, after settling what a dead sender left behind.

    `patience`: seconds to wait for deferred deliveries; default: the setting's. When the relay is
    away and another one stands in for it, that one takes what was never on the wire. Raises
    `RelayUnreachable` when the relay cannot be reached: the issue waits for the next run; and
    `RelayError` when the relay stops the issue. Everything not sent stays queued.
    """
    row = _ready(context, issue)
    before = _status(context, issue)
    if before.closed:
        return DeliveryReport()
    sent = before.counts.get(DeliveryState.SENT, 0) > 0
    if not sent:
        deliveries.requeue_refused(context.store, issue, now=context.clock())
    told = context.settings.retry.patience_seconds if patience is None else patience
    run = _Run(context, row, told, stopping, progress)
    with context.relay() as relay:
        try:
            report = run.over(relay, passed=sent)
        except RelayError as error:
            report = DeliveryReport(stopped=str(error), relay_gone=True)
            if (second := context.failover(relay)) is None:
                log.raised("the relay is away", issue=issue, relay=relay.name, why=error)
                raise
        else:
            second = context.failover(relay) if report.relay_gone else None
    if second is not None:
        log.warning("another relay takes over", issue=issue, relay=second.name)
        sent = sent or report.sent > 0
        report = merged(
            replace(report, stopped=None), run.over(second, passed=sent, fresh_only=True)
        )
    if report.stopped:
        log.raised("an issue stopped", issue=issue, why=report.stopped)
        issues.set_state(
            context.store, issue, IssueState.STOPPED, because=report.stopped, now=context.clock()
        )
        raise RelayError(f"issue {issue} stopped: {report.stopped}")
    soft_bounces.suppress_refused(context, issue)
    return report


def _ready(context: AppContext, issue: IssueId) -> IssueRow:
    """The issue, if it may be delivered; what dead senders left behind is settled."""
    row = issues.get(context.store, issue)
    if row is None or row.state is IssueState.OPEN:
        raise IssueError(f"issue {issue} has not been queued: send it first")
    settle_the_dead(context, issue)
    if row.state is IssueState.CANCELLED:
        raise IssueError(f"issue {issue} was cancelled")
    if row.state is not IssueState.SENDING:
        because = f" ({row.stopped_because})" if row.stopped_because else ""
        raise IssueError(
            f"issue {issue} is {row.state}{because}: 'upcycle-news issue resume {issue}' goes on"
        )
    build.ensure(context, issue)
    return row


@dataclass(frozen=True)
class _Run:
    """One run of an issue: this process, and for a long list further ones."""

    context: AppContext
    row: IssueRow
    patience: float
    stopping: Callable[[], bool]
    progress: Callable[[DeliveryReport], None]

    def over(self, relay: Relay, *, passed: bool, fresh_only: bool = False) -> DeliveryReport:
        """Send over this relay until nothing is left to do now."""
        fitting = (os.cpu_count() or 1) if self._queued() >= MANY else 1
        count = min(relay.connections, relay.processes or fitting)
        each = -(-relay.connections // count)
        share = Share(relay, each, self.patience, passed, fresh_only)
        mine = [DeliveryReport()]
        workers = Workers(
            self.context,
            self.row,
            share,
            count - 1,
            heard=lambda: self.progress(workers.added_to(mine[0])),
        )

        def progress(report: DeliveryReport) -> None:
            if report.sent or passed:
                workers.start()
            mine[0] = report
            self.progress(workers.added_to(report))

        workers.ready()
        stop = True
        try:
            report = self._share(share, progress)
            stop = report.stopped is not None
        finally:
            workers.join(lambda: stop or self.stopping())
        broke = workers.died or (workers.errors and not report.stopped)
        if broke:
            # What they had is settled and taken over here, or says the same to us.
            settle_the_dead(self.context, self.row.id)
        # A worker that was told to stop gave back what it had, perhaps after we were through.
        given_back = count > 1 and not stop and not self.stopping() and self._queued() > 0
        if broke or given_back:
            report = merged(report, self._share(replace(share, passed=True), progress))
        return workers.added_to(report)

    def _queued(self) -> int:
        return _status(self.context, self.row.id).counts.get(DeliveryState.QUEUED, 0)

    def _share(self, share: Share, progress: Callable[[DeliveryReport], None]) -> DeliveryReport:
        return send_share(self.context, self.row, share, stopping=self.stopping, progress=progress)


def wait_for_others(
    context: AppContext,
    issue: IssueId,
    *,
    stopping: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Wait while other living senders have deliveries of this issue in hand.

    Returns whether one died and left some of an issue that may go on: deliver it again.
    """
    while not stopping():
        holding = worker_rows.senders_in_flight(context.store, issue)
        if not any(process_identity.is_alive(sender, context.clock()) for sender in holding):
            row = issues.get(context.store, issue)
            return bool(holding) and row is not None and row.state is IssueState.SENDING
        sleep(1.0)
    return False


def settle_the_dead(context: AppContext, issue: IssueId) -> int:
    """What dead senders had on the wire becomes unknown, or is queued again by the policy.

    In a cancelled issue it is always unknown. Returns how many deliveries that were.
    """
    dead = [
        sender
        for sender in worker_rows.senders_in_flight(context.store, issue)
        if not process_identity.is_alive(sender, context.clock())
    ]
    if not dead:
        return 0
    row = issues.get(context.store, issue)
    going = row is not None and row.state is not IssueState.CANCELLED
    resend = going and context.settings.retry.unknown == "resend"
    found = worker_rows.abandon(context.store, issue, dead, resend=resend, now=context.clock())
    log.warning(
        "senders died", issue=issue, senders=[sender.id for sender in dead], on_the_wire=found
    )
    return found


def resume(context: AppContext, issue: IssueId) -> None:
    """Let a paused or stopped issue go on; raises `IssueError` for one that cannot.

    `PausedError`, before anything is changed, while the whole store stands still.
    """
    send_hold.refuse_while_paused(context.store)
    row = issues.get(context.store, issue)
    if row is None or row.state is IssueState.OPEN:
        raise IssueError(f"issue {issue} has not been queued: there is nothing to resume")
    if row.state is IssueState.CANCELLED:
        raise IssueError(f"issue {issue} was cancelled: there is nothing to resume")
    issues.set_state(context.store, issue, IssueState.SENDING, now=context.clock())
    log.info("an issue goes on", issue=issue)


def send_test(
    context: AppContext, issue: IssueId, revision_id: str, recipients: Sequence[EmailAddress]
) -> int:
    """Send a revision, marked as a test, to these addresses; the ledger does not know of it.

    Returns how many were accepted; raises `RelayError` at the first refusal.
    """
    rendered = render_issue(context, issue, revision_id)
    revision = revisions.revision(context.store, issue, revision_id)
    assert revision is not None
    marked = replace(rendered.rendered, subject=f"[Test] {rendered.rendered.subject}")
    template = MessageTemplate.compose(
        marked,
        context.letterhead(revision.manifest.publication),
        revision=revision_id,
        signers=context.dkim_signers,
    )
    # Not the issue's own Message-ID: mailboxes drop a second message with the same one, and an
    # editor who saw the test would never get the issue.
    mailing = f"{issue}/test/{revision_id}/{context.clock().isoformat()}"
    compose_for = composer(context, template, mailing, 0)
    with context.relay() as relay:
        connection = open_connection(relay)
        try:
            for number, address in enumerate(recipients, start=1):
                person = subscribers.find(context.store, address)
                name, known = (person.name, person.id) if person else ("", 0)
                claim = Claim(0, known, address, name, 1, context.clock())
                outcome = connection.send(*compose_for(claim))
                if not isinstance(outcome, Accepted):
                    raise RelayError(
                        f"test mail {number} of {len(recipients)} was not accepted: {_why(outcome)}"
                    )
        finally:
            connection.close()
    return len(recipients)


def _why(outcome: object) -> str:
    if isinstance(outcome, Refused):
        reply = outcome.reply
        return " ".join(part for part in (str(reply.code), reply.enhanced, reply.text) if part)
    return str(getattr(outcome, "reason", "the connection was lost"))


def group_addresses(context: AppContext, group: str) -> tuple[EmailAddress, ...]:
    """The addresses of a test group's confirmed members; raises `IssueError` when it is empty."""
    members = subscribers.group_members(context.store, group)
    if not members:
        raise IssueError(
            f"nobody is in the test group '{group}': mark somebody with "
            f"'upcycle-news subscribers add ADDRESS --group {group} --consent …'"
        )
    return tuple(member.email for member in members)


def _status(context: AppContext, issue: IssueId) -> IssueStatus:
    status = issues.status(context.store, issue)
    assert status is not None
    return status

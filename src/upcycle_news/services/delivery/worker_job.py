"""A process's share of sending an issue: its connections, its ledger, its messages."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from upcycle_news.app.context import AppContext
from upcycle_news.delivery.engine import deliver
from upcycle_news.delivery.ports import DeliveryReport, SendLimits, WaitLimits
from upcycle_news.delivery.retry_policy import CanaryGuard
from upcycle_news.mail.dot_stuffing import DotStuffedMessage
from upcycle_news.mail.message import MessageTemplate, RecipientFields, message_hash
from upcycle_news.models import (
    Envelope,
    IssueId,
    LeasedDelivery,
    Relay,
)
from upcycle_news.observability.logging import Log
from upcycle_news.services.delivery import worker_identity
from upcycle_news.services.delivery.latency import LatencyRecorder
from upcycle_news.storage import revisions, workers
from upcycle_news.storage.issues import IssueRow
from upcycle_news.storage.ledger import Ledger
from upcycle_news.subscribers.link_tokens import Purpose
from upcycle_news.transports.smtp import open_connection

log = Log(__name__)


@dataclass(frozen=True)
class WorkerJob:
    """What one process does of an issue. `patience` in seconds, as in `Patience.deferred`."""

    relay: Relay
    connections: int
    wait_seconds: float
    passed: bool
    fresh_only: bool = False


def run_job(
    context: AppContext,
    row: IssueRow,
    job: WorkerJob,
    *,
    stopping: Callable[[], bool],
    progress: Callable[[DeliveryReport], None],
) -> DeliveryReport:
    """Send what the queue has for this process; what it does not send stays queued."""
    rendered = revisions.rendering(context.store, row.id, row.revision_id)
    revision = revisions.revision(context.store, row.id, row.revision_id)
    assert rendered is not None and revision is not None, "queued without a rendering"
    publication = revision.manifest.publication
    template = MessageTemplate.compose(
        rendered,
        context.sender_headers(publication),
        revision=row.revision_id,
        signers=context.dkim_signers,
    )
    sender = worker_identity.register(context)
    watch = LatencyRecorder(context, row.id, job.relay.name, sender.id)
    named = {"sender": sender.id, "issue": row.id, "relay": job.relay.name}
    log.info("a sender signed on", **named, connections=job.connections)
    gc.freeze()  # what was loaded stays: no need to look through it again every thousand messages
    report = None  # until it is over, and for good when something breaks
    try:
        report = deliver(
            ledger=Ledger(
                context.store,
                row.id,
                sender,
                quotas=context.quotas(job.relay.name, publication.sender_address),
                fresh_only=job.fresh_only,
            ),
            connect=watch.timed(lambda: open_connection(job.relay)),
            compose_message=message_composer(context, template, row.id, row.number),
            policy=context.retry_policy,
            wait_limits=WaitLimits(deferred=job.wait_seconds),
            send_limits=SendLimits(
                connections=job.connections,
                messages_per_connection=job.relay.messages_per_connection,
                next_opening=context.send_window(publication.timezone),
                expires_at=expiry(context, row.enqueued_at),
            ),
            canary_guard=CanaryGuard(passed=job.passed),
            clock=context.clock,
            stopping=stopping,
            progress=progress,
        )
        return report
    finally:
        gc.unfreeze()
        workers.sign_off(context.store, sender, now=context.clock())
        watch.save()
        log.info("a sender signed off", **named, **_told(report))


def _told(report: DeliveryReport | None) -> dict[str, int | str]:
    if report is None:
        return {"broke": "yes"}
    counts = {name: getattr(report, name) for name in ("sent", "deferred", "rejected", "unknown")}
    return {**counts, **({"stopped": report.stopped} if report.stopped else {})}


def expiry(context: AppContext, queued_at: datetime | None) -> datetime | None:
    """When an issue is too old to be sent; None when it never is."""
    hours = context.settings.retry.max_lateness_hours
    return queued_at + timedelta(hours=hours) if hours and queued_at is not None else None


def message_composer(
    context: AppContext, template: MessageTemplate, mailing: IssueId | str, number: int
) -> Callable[[LeasedDelivery], tuple[Envelope, DotStuffedMessage]]:
    """Make the envelope and the message for one reader, ready for the wire."""
    bounces, message_id_key = context.bounce_addresses, context.message_id_key

    def compose_message(claim: LeasedDelivery) -> tuple[Envelope, DotStuffedMessage]:
        message = template.dot_stuffed_for(
            RecipientFields(
                address=claim.address,
                name=claim.name,
                unsubscribe_url=context.subscriber_link(
                    Purpose.UNSUBSCRIBE, claim.subscriber, number
                ),
                preferences_url=context.subscriber_link(
                    Purpose.PREFERENCES, claim.subscriber, number
                ),
                message_hash=message_hash(message_id_key, mailing, claim.subscriber),
                date=context.clock(),
            )
        )
        envelope = template.envelope_for(claim.address)
        if bounces is not None:
            sender = bounces.address_for(number, claim.subscriber)
            envelope = Envelope(sender=sender, recipient=envelope.recipient)
        return envelope, message

    return compose_message

"""Send an issue with the connections of one process: in the process of the run, or in a further one.

The job and the reports of a further process travel as lines of JSON over its standard input and
output (`encode_job`, `encode_report`).
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from upcycle_news.app.context import AppContext
from upcycle_news.bounces.outgoing import outgoing_for
from upcycle_news.delivery.engine import deliver
from upcycle_news.delivery.ports import DeliveryReport, SendLimits, WaitLimits
from upcycle_news.mail.dot_stuffing import DotStuffedMessage
from upcycle_news.mail.message import MessageTemplate, RecipientFields, message_hash
from upcycle_news.models import (
    Envelope,
    IssueId,
    LeasedDelivery,
    Manifest,
    Publication,
    Relay,
    RenderedIssue,
)
from upcycle_news.observability.logging import Log
from upcycle_news.services.delivery import worker_identity
from upcycle_news.services.delivery.issue_relay import raise_if_other_relay
from upcycle_news.services.delivery.latency import LatencyRecorder
from upcycle_news.storage import issue_relays, revisions, workers
from upcycle_news.storage.issues import IssueRow
from upcycle_news.storage.ledger import Ledger
from upcycle_news.subscribers.link_tokens import Purpose
from upcycle_news.transports.smtp import open_connection

if (
    TYPE_CHECKING
):  # a further process renders nothing, and starts in half the time without what does
    from upcycle_news.services.issues.render import RenderedRevision

log = Log(__name__)


@dataclass(frozen=True)
class WorkerJob:
    """The part of a run that one process does.

    `wait_seconds`, `relay_wait` and `probing` as in `WaitLimits` (`deferred`, `relay`, `probing`),
    `accepted_before` as in `delivery.engine.deliver`, `fresh_only` as in `storage.ledger.Ledger`.
    """

    relay: Relay
    connections: int
    wait_seconds: float
    accepted_before: bool
    fresh_only: bool = False
    relay_wait: float = 0.0
    probing: bool = False


@dataclass(frozen=True)
class Mailing:
    """What a worker sends: an issue that was queued, its rendering, and the settings in its mails."""

    issue: IssueId
    number: int
    revision_id: str
    queued_at: datetime | None
    content: RenderedIssue
    manifest: Manifest

    @property
    def publication(self) -> Publication:
        """The settings that show in its mails."""
        return self.manifest.publication

    @classmethod
    def of(cls, row: IssueRow, rendered: RenderedRevision) -> Mailing:
        """Return the mailing of an issue whose frozen revision is loaded already."""
        manifest = rendered.revision.manifest
        return cls(row.id, row.number, row.revision_id, row.enqueued_at, rendered.content, manifest)


def load_mailing(context: AppContext, row: IssueRow) -> Mailing:
    """Load the mailing of an issue that was queued: its stored rendering, nothing is checked."""
    content = revisions.load_rendering(context.store, row.id, row.revision_id)
    revision = revisions.load_revision(context.store, row.id, row.revision_id)
    assert content is not None and revision is not None, "queued without a rendering"
    return Mailing(row.id, row.number, row.revision_id, row.enqueued_at, content, revision.manifest)


KEPT_TEMPLATES = 32
"""Variants whose encoded message a worker keeps. Deliveries are queued in the order of their variants."""


def variant_templates(
    context: AppContext, mailing: Mailing, relay: Relay
) -> Callable[[int], MessageTemplate]:
    """Return what gives the message of a variant over `relay`, by its number; the last ones are kept."""
    stored = revisions.StoredRenderings(context.store, mailing.issue, mailing.revision_id)

    @lru_cache(maxsize=KEPT_TEMPLATES)
    def template_of(variant: int) -> MessageTemplate:
        content: RenderedIssue | None = mailing.content
        if variant:
            content = stored.load(variant)
        assert content is not None, "queued without a rendering"
        publication = mailing.publication.in_language(content.language)
        return compose_template(
            context, content, publication, relay, revision_id=mailing.revision_id
        )

    return template_of


def run_job(
    context: AppContext,
    mailing: Mailing,
    job: WorkerJob,
    *,
    stopping: Callable[[], bool],
    progress: Callable[[DeliveryReport], None],
) -> DeliveryReport:
    """Register as a worker and send what the queue has; what is not sent stays queued.

    Raises `IssueError` when the issue was queued for another relay (`raise_if_other_relay`).
    """
    publication = mailing.publication
    template_of = variant_templates(context, mailing, job.relay)
    template_of(0)  # what is wrong with it is known before a connection is opened
    issue_relays.record_first(context.store, mailing.issue, job.relay.name)
    raise_if_other_relay(context, mailing.issue, job.relay.name)
    worker = worker_identity.register(context)
    latency = LatencyRecorder(context, mailing.issue, job.relay.name, worker.id)
    log_fields = {"worker": worker.id, "issue": mailing.issue, "relay": job.relay.name}
    log.info("worker started", **log_fields, connections=job.connections)
    gc.freeze()  # what was loaded stays: no need to look through it again every thousand messages
    report = None  # until the run is over, and for good when something breaks
    try:
        report = deliver(
            ledger=Ledger(
                context.store,
                mailing.issue,
                worker,
                queued_at=mailing.queued_at,
                quotas=context.quotas(job.relay.name, publication.sender_address),
                fresh_only=job.fresh_only,
                language=context.language,
            ),
            connect=latency.instrument(lambda: open_connection(job.relay)),
            compose_message=message_composer(
                context, template_of, mailing.issue, mailing.number, job.relay
            ),
            policy=context.retry_policy,
            wait_limits=WaitLimits(
                deferred=job.wait_seconds, relay=job.relay_wait, probing=job.probing
            ),
            send_limits=SendLimits(
                connections=job.connections,
                messages_per_connection=job.relay.messages_per_connection,
                next_opening=context.send_window(publication.timezone),
                expires_at=_expires_at(context, mailing.queued_at),
            ),
            accepted_before=job.accepted_before,
            clock=context.clock,
            wait=context.wait,
            stopping=stopping,
            progress=progress,
        )
        return report
    finally:
        gc.unfreeze()
        workers.deregister_worker(context.store, worker, now=context.clock())
        latency.save()
        log.info("worker stopped", **log_fields, **_report_fields(report))


def _report_fields(report: DeliveryReport | None) -> dict[str, int | str]:
    if report is None:
        return {"broke": "yes"}
    counts = {name: getattr(report, name) for name in ("sent", "deferred", "rejected", "unknown")}
    return {**counts, **({"stopped": report.stopped} if report.stopped else {})}


def _expires_at(context: AppContext, queued_at: datetime | None) -> datetime | None:
    """Return when an issue is too old to be sent; None when it never is."""
    hours = context.settings.retry.max_lateness_hours
    return queued_at + timedelta(hours=hours) if hours and queued_at is not None else None


def compose_template(
    context: AppContext,
    content: RenderedIssue,
    publication: Publication,
    relay: Relay,
    *,
    revision_id: str,
) -> MessageTemplate:
    """Return the template of an issue's mails over `relay`, as the provider behind it wants them."""
    outgoing = outgoing_for(relay)
    return MessageTemplate.compose(
        outgoing.mark_links(content, signed=bool(context.dkim_signers)),
        context.sender_headers(publication),
        revision_id=revision_id,
        signers=context.dkim_signers,
        unsigned=outgoing.replaced_headers,
    )


def recipient_fields(
    context: AppContext, mailing: IssueId | str, number: int, relay: Relay
) -> Callable[[LeasedDelivery], RecipientFields]:
    """Return the function that makes the fields of one delivery; `mailing` and `number` as below."""
    message_id_key, delivery_keys = context.message_id_key, context.delivery_keys
    outgoing = outgoing_for(relay)

    def fields(claim: LeasedDelivery) -> RecipientFields:
        key = delivery_keys.key_for(number, claim.subscriber) if outgoing.provider else ""
        return RecipientFields(
            address=claim.address,
            name=claim.name,
            unsubscribe_url=context.subscriber_link(Purpose.UNSUBSCRIBE, claim.subscriber, number),
            preferences_url=context.subscriber_link(Purpose.PREFERENCES, claim.subscriber, number),
            message_hash=message_hash(message_id_key, mailing, claim.subscriber),
            date=context.clock(),
            relay_headers=outgoing.headers(key),
        )

    return fields


def message_composer(
    context: AppContext,
    template_of: Callable[[int], MessageTemplate],
    mailing: IssueId | str,
    number: int,
    relay: Relay,
) -> Callable[[LeasedDelivery], tuple[Envelope, DotStuffedMessage]]:
    """Return the function that makes the envelope and the message of one delivery over `relay`.

    `template_of` returns the message of a variant. `mailing` goes into the Message-ID, `number` is the
    issue's in links, bounce addresses and delivery keys.
    """
    bounces, fields = context.bounce_addresses, recipient_fields(context, mailing, number, relay)

    def compose_message(claim: LeasedDelivery) -> tuple[Envelope, DotStuffedMessage]:
        template = template_of(claim.variant)
        message = template.dot_stuffed_for(fields(claim))
        envelope = template.envelope_for(claim.address)
        if bounces is not None:
            sender = bounces.address_for(number, claim.subscriber)
            envelope = Envelope(sender=sender, recipient=envelope.recipient)
        return envelope, message

    return compose_message


# --- the lines between a run and its further processes


def encode_job(issue: IssueId, job: WorkerJob) -> str:
    """Return the job of a further process as a line of JSON; it starts once the relay has accepted a message."""
    return json.dumps(
        {
            "issue": str(issue),
            "relay": asdict(job.relay),
            "connections": job.connections,
            "fresh_only": job.fresh_only,
            "relay_wait": job.relay_wait,
        }
    )


def decode_job(line: str) -> tuple[IssueId, WorkerJob]:
    """Read a line of `encode_job`. A further process leaves deferred deliveries to the next run."""
    fields: dict[str, Any] = json.loads(line)
    return IssueId.parse(fields["issue"]), WorkerJob(
        Relay(**fields["relay"]),
        fields["connections"],
        wait_seconds=0.0,
        accepted_before=True,
        fresh_only=fields["fresh_only"],
        relay_wait=fields["relay_wait"],
    )


def encode_report(report: DeliveryReport, error: str = "") -> str:
    """Return a report, and what broke, as a line of JSON.

    That the relay is away is left out: the first process finds that out itself, or the relay is back.
    """
    if report.away_since is not None:
        report = replace(report, relay_gone=False, away=None, away_since=None)
    due = report.next_due.isoformat() if report.next_due else None
    return json.dumps({**asdict(report), "next_due": due, "error": error})


def decode_report(line: str) -> tuple[DeliveryReport, str]:
    """Read a line of `encode_report`; the second value is the error, or empty."""
    fields: dict[str, Any] = json.loads(line)
    error, due = fields.pop("error", ""), fields.pop("next_due", None)
    return DeliveryReport(**fields, next_due=datetime.fromisoformat(due) if due else None), error


def combine_reports(report: DeliveryReport, other: DeliveryReport) -> DeliveryReport:
    """Return the sum of two reports; the first reason to stop counts."""
    dues = [at for at in (report.next_due, other.next_due) if at is not None]
    return DeliveryReport(
        sent=report.sent + other.sent,
        deferred=report.deferred + other.deferred,
        rejected=report.rejected + other.rejected,
        unknown=report.unknown + other.unknown,
        stopped=report.stopped or other.stopped,
        relay_gone=report.relay_gone or other.relay_gone,
        away=report.away or other.away,
        away_since=report.away_since or other.away_since,
        next_due=min(dues, default=None),
    )

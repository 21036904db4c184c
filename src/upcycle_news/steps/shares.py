"""A process's share of sending an issue: its connections, its ledger, its messages."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from upcycle_news.audience.links import Purpose
from upcycle_news.logs import Log
from upcycle_news.model import Claim, Envelope, IssueId, Relay
from upcycle_news.newsroom import Newsroom
from upcycle_news.postroom.contract import DeliveryReport, Patience, Terms
from upcycle_news.postroom.dispatch import deliver
from upcycle_news.postroom.message import MessageTemplate, ReaderFields, message_hash
from upcycle_news.postroom.rules import FirstTen
from upcycle_news.postroom.smtp import open_connection
from upcycle_news.postroom.stuffing import Stuffed
from upcycle_news.steps import processes
from upcycle_news.steps.stopwatch import Stopwatch
from upcycle_news.store import revisions, senders
from upcycle_news.store.issues import IssueRow
from upcycle_news.store.ledger import Ledger

log = Log(__name__)


@dataclass(frozen=True)
class Share:
    """What one process does of an issue. `patience` in seconds, as in `Patience.deferred`."""

    relay: Relay
    connections: int
    patience: float
    passed: bool
    fresh_only: bool = False


def send_share(
    room: Newsroom,
    row: IssueRow,
    share: Share,
    *,
    stopping: Callable[[], bool],
    progress: Callable[[DeliveryReport], None],
) -> DeliveryReport:
    """Send what the queue has for this process; what it does not send stays queued."""
    rendered = revisions.rendering(room.store, row.id, row.hash)
    revision = revisions.revision(room.store, row.id, row.hash)
    assert rendered is not None and revision is not None, "queued without a rendering"
    publication = revision.manifest.publication
    template = MessageTemplate.compose(
        rendered, room.letterhead(publication), revision=row.hash, signers=room.dkim_signers
    )
    sender = processes.register(room)
    watch = Stopwatch(room, row.id, share.relay.name, sender.id)
    named = {"sender": sender.id, "issue": row.id, "relay": share.relay.name}
    log.info("a sender signed on", **named, connections=share.connections)
    gc.freeze()  # what was loaded stays: no need to look through it again every thousand messages
    report = None  # until it is over, and for good when something breaks
    try:
        report = deliver(
            ledger=Ledger(
                room.store,
                row.id,
                sender,
                quotas=room.quotas(share.relay.name, publication.sender_address),
                fresh_only=share.fresh_only,
            ),
            connect=watch.timed(lambda: open_connection(share.relay)),
            compose_for=composer(room, template, row.id, row.number),
            policy=room.retry_policy,
            patience=Patience(deferred=share.patience),
            terms=Terms(
                connections=share.connections,
                messages_per_connection=share.relay.messages_per_connection,
                opens=room.window(publication.timezone),
                too_late=too_late(room, row.enqueued_at),
            ),
            first_ten=FirstTen(passed=share.passed),
            clock=room.clock,
            stopping=stopping,
            progress=progress,
        )
        return report
    finally:
        gc.unfreeze()
        senders.sign_off(room.store, sender, now=room.clock())
        watch.save()
        log.info("a sender signed off", **named, **_told(report))


def _told(report: DeliveryReport | None) -> dict[str, int | str]:
    if report is None:
        return {"broke": "yes"}
    counts = {name: getattr(report, name) for name in ("sent", "deferred", "rejected", "unknown")}
    return {**counts, **({"stopped": report.stopped} if report.stopped else {})}


def too_late(room: Newsroom, queued_at: datetime | None) -> datetime | None:
    """When an issue is too old to be sent; None when it never is."""
    hours = room.settings.retry.max_lateness_hours
    return queued_at + timedelta(hours=hours) if hours and queued_at is not None else None


def composer(
    room: Newsroom, template: MessageTemplate, mailing: IssueId | str, number: int
) -> Callable[[Claim], tuple[Envelope, Stuffed]]:
    """Make the envelope and the message for one reader, ready for the wire."""
    bounces, message_id_key = room.bounce_addresses, room.message_id_key

    def compose_for(claim: Claim) -> tuple[Envelope, Stuffed]:
        message = template.on_the_wire(
            ReaderFields(
                address=claim.address,
                name=claim.name,
                unsubscribe_url=room.reader_link(Purpose.UNSUBSCRIBE, claim.subscriber, number),
                preferences_url=room.reader_link(Purpose.PREFERENCES, claim.subscriber, number),
                message_hash=message_hash(message_id_key, mailing, claim.subscriber),
                date=room.clock(),
            )
        )
        envelope = template.envelope_for(claim.address)
        if bounces is not None:
            sender = bounces.address_for(number, claim.subscriber)
            envelope = Envelope(sender=sender, recipient=envelope.recipient)
        return envelope, message

    return compose_for

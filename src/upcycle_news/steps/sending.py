"""Approve, queue and deliver an issue; safe to call twice, at once, or after a crash."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from upcycle_news.audience.links import Purpose
from upcycle_news.errors import IssueError, RelayError
from upcycle_news.model import Claim, DeliveryState, EmailAddress, Envelope, IssueId, IssueStatus
from upcycle_news.newsroom import Newsroom
from upcycle_news.postroom.dispatch import DeliveryReport, Patience, deliver
from upcycle_news.postroom.message import MessageTemplate, ReaderFields, message_hash
from upcycle_news.postroom.outcomes import Accepted, Refused
from upcycle_news.postroom.rules import FirstTen
from upcycle_news.postroom.smtp import open_connection
from upcycle_news.steps import processes
from upcycle_news.steps.rendering import refuse_errors, render_issue
from upcycle_news.store import deliveries, issues, people, revisions
from upcycle_news.store.issues import IssueState


def approve(room: Newsroom, issue: IssueId, digest: str, *, by: str) -> None:
    """Record that this revision may go out; raises `IssueError` when preflight refuses it."""
    refuse_errors(render_issue(room, issue, digest))
    revisions.decide(room.store, issue, digest, approved=True, by=by, now=room.clock())


def reject(room: Newsroom, issue: IssueId, digest: str, *, by: str) -> None:
    """Record that this revision must not go out."""
    revisions.decide(room.store, issue, digest, approved=False, by=by, now=room.clock())


def enqueue(room: Newsroom, issue: IssueId, digest: str) -> int:
    """Freeze an approved revision and queue a delivery for everybody; the audience's size.

    Raises `IssueError` when the revision is not approved or there is nobody to send to.
    """
    revision = revisions.revision(room.store, issue, digest)
    if revision is None or not revision.approved:
        raise IssueError(f"issue {issue} is not approved: see 'upcycle-news issue approve {issue}'")
    refuse_errors(render_issue(room, issue, digest))
    return issues.enqueue(room.store, issue, digest, now=room.clock())


def deliver_issue(
    room: Newsroom,
    issue: IssueId,
    *,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[DeliveryReport], None] = lambda _: None,
    patience: float | None = None,
) -> DeliveryReport:
    """Deliver what is queued or due, after settling what a dead sender left behind.

    `patience`: seconds to wait for deferred deliveries; default: the setting's. Raises
    `RelayError` when the relay refuses us: everything not sent stays queued.
    """
    row = issues.get(room.store, issue)
    if row is None or row.state is IssueState.OPEN:
        raise IssueError(f"issue {issue} has not been queued: send it first")
    settle_the_dead(room, issue)
    if row.state is IssueState.CANCELLED:
        raise IssueError(f"issue {issue} was cancelled")
    if row.state is not IssueState.SENDING:
        because = f" ({row.stopped_because})" if row.stopped_because else ""
        raise IssueError(
            f"issue {issue} is {row.state}{because}: 'upcycle-news issue resume {issue}' goes on"
        )
    before = _status(room, issue)
    if before.closed:
        return DeliveryReport()
    rendered = revisions.rendering(room.store, issue, row.hash)
    revision = revisions.revision(room.store, issue, row.hash)
    assert rendered is not None and revision is not None, "queued without a rendering"
    template = MessageTemplate.compose(
        rendered, room.letterhead(revision.manifest.publication), revision=row.hash
    )
    sender = processes.register(room)
    with room.relay() as relay:
        report = deliver(
            ledger=deliveries.Ledger(room.store, issue, sender),
            connect=lambda: open_connection(relay),
            compose_for=_composer(room, template, str(issue), row.number),
            policy=room.retry_policy,
            patience=Patience(
                deferred=room.settings.retry.patience_seconds if patience is None else patience
            ),
            first_ten=FirstTen(passed=before.counts.get(DeliveryState.SENT, 0) > 0),
            clock=room.clock,
            stopping=stopping,
            progress=progress,
        )
    if report.stopped:
        issues.set_state(
            room.store, issue, IssueState.STOPPED, because=report.stopped, now=room.clock()
        )
        raise RelayError(f"issue {issue} stopped: {report.stopped}")
    return report


def _composer(
    room: Newsroom, template: MessageTemplate, mailing: str, number: int
) -> Callable[[Claim], tuple[Envelope, bytes]]:
    """Make the envelope and the bytes for one reader; the Message-ID follows from `mailing`."""

    def compose_for(claim: Claim) -> tuple[Envelope, bytes]:
        message = template.for_reader(
            ReaderFields(
                address=claim.address,
                name=claim.name,
                unsubscribe_url=room.reader_link(Purpose.UNSUBSCRIBE, claim.subscriber, number),
                preferences_url=room.reader_link(Purpose.PREFERENCES, claim.subscriber, number),
                message_hash=message_hash(room.message_id_key, mailing, claim.subscriber),
                date=room.clock(),
            )
        )
        return template.envelope_for(claim.address), message

    return compose_for


def settle_the_dead(room: Newsroom, issue: IssueId) -> int:
    """What dead senders had on the wire becomes unknown, or is queued again by the policy.

    In a cancelled issue it is always unknown. Returns how many deliveries that were.
    """
    dead = [
        sender
        for sender in deliveries.senders_in_flight(room.store, issue)
        if not processes.is_alive(sender, room.clock())
    ]
    if not dead:
        return 0
    row = issues.get(room.store, issue)
    going = row is not None and row.state is not IssueState.CANCELLED
    resend = going and room.settings.retry.unknown == "resend"
    return deliveries.abandon(room.store, issue, dead, resend=resend, now=room.clock())


def resume(room: Newsroom, issue: IssueId) -> None:
    """Let a paused or stopped issue go on; raises `IssueError` for one that cannot."""
    row = issues.get(room.store, issue)
    if row is None or row.state is IssueState.OPEN:
        raise IssueError(f"issue {issue} has not been queued: there is nothing to resume")
    if row.state is IssueState.CANCELLED:
        raise IssueError(f"issue {issue} was cancelled: there is nothing to resume")
    issues.set_state(room.store, issue, IssueState.SENDING, now=room.clock())


def send_test(
    room: Newsroom, issue: IssueId, digest: str, recipients: Sequence[EmailAddress]
) -> int:
    """Send a revision, marked as a test, to these addresses; the ledger does not know of it.

    Returns how many were accepted; raises `RelayError` at the first refusal.
    """
    rendered = render_issue(room, issue, digest)
    revision = revisions.revision(room.store, issue, digest)
    assert revision is not None
    marked = replace(rendered.rendered, subject=f"[Test] {rendered.rendered.subject}")
    template = MessageTemplate.compose(
        marked, room.letterhead(revision.manifest.publication), revision=digest
    )
    # Not the issue's own Message-ID: mailboxes drop a second message with the same one, and an
    # editor who saw the test would never get the issue.
    mailing = f"{issue}/test/{digest}/{room.clock().isoformat()}"
    compose_for = _composer(room, template, mailing, 0)
    with room.relay() as relay:
        connection = open_connection(relay)
        try:
            for number, address in enumerate(recipients, start=1):
                person = people.find(room.store, address)
                name, known = (person.name, person.id) if person else ("", 0)
                claim = Claim(0, known, address, name, 1, room.clock())
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


def group_addresses(room: Newsroom, group: str) -> tuple[EmailAddress, ...]:
    """The addresses of a test group's confirmed members; raises `IssueError` when it is empty."""
    members = people.group_members(room.store, group)
    if not members:
        raise IssueError(
            f"nobody is in the test group '{group}': mark somebody with "
            f"'upcycle-news subscribers add ADDRESS --group {group} --consent …'"
        )
    return tuple(member.email for member in members)


def _status(room: Newsroom, issue: IssueId) -> IssueStatus:
    status = issues.status(room.store, issue)
    assert status is not None
    return status

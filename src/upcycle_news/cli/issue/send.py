"""The commands that send an issue, or keep it from being sent."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from upcycle_news.cli.completion import issue_ids
from upcycle_news.cli.issue.common import (
    Collect,
    Essays,
    composed_issue,
    me,
    say_status,
)
from upcycle_news.cli.output import (
    AsJson,
    IssueArgument,
    delivery_progress,
    issue_id,
    newsroom,
    note,
)
from upcycle_news.i18n.messages import counted

if TYPE_CHECKING:
    from upcycle_news.app.context import Newsroom
    from upcycle_news.models import IssueId
    from upcycle_news.services.issues.compose import Composed

Named = Annotated[
    str,
    typer.Argument(metavar="ISSUE", help="Such as 2026-11-26.", autocompletion=issue_ids),
]


def send(
    issue: IssueArgument = None,
    essay: Essays = None,
    collect: Collect = True,
    test: Annotated[
        str | None,
        typer.Option("--test", metavar="ADDRESS", help="Send one test mail to this address only."),
    ] = None,
    test_group: Annotated[
        str | None, typer.Option(metavar="NAME", help="Send test mails to this group only.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do everything but send, and say who would get it.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Approve the current state and send it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send an issue to everybody who subscribed; goes on where it stopped.

    Without --yes the newest revision must be approved, and nothing may have changed since.
    Example: upcycle-news issue send --test redaktion@example.org
    """
    from upcycle_news.errors import IssueError
    from upcycle_news.models import EmailAddress
    from upcycle_news.services.delivery import send as send_service
    from upcycle_news.services.issues.render import refuse_errors, render_issue
    from upcycle_news.storage import issues

    with newsroom() as room:
        address = EmailAddress.parse(test) if test else None
        chosen = issue_id(room, issue)
        row = issues.get(room.store, chosen)
        begun = row is not None and row.state is not issues.IssueState.OPEN
        if test or test_group or dry_run:
            composed = composed_issue(room, chosen, essay, collect, as_json)
            digest = composed.hash
            rendered = render_issue(room, chosen, digest)
            refuse_errors(rendered)
            if dry_run:
                left = issues.status(room.store, chosen) if begun else None
                count = _audience(room, composed) if left is None else left.waiting
                whom = counted(count, "subscriber")
                would = "would go" if left is None else "has begun and would go on"
                note(f"issue {chosen} {would} to {whom}; nothing was sent")
                if as_json:
                    say_status(room, chosen, as_json)
                return
            to = (address,) if address else send_service.group_addresses(room, test_group or "")
            accepted = send_service.send_test(room, chosen, digest, to)
            note(f"issue {chosen}: {accepted} test mail{'s' * (accepted != 1)} sent")
            if as_json:
                say_status(room, chosen, as_json)
            return
        if not begun:
            try:
                digest = _approved_hash(room, chosen, essay, collect, yes, as_json)
                send_service.enqueue(room, chosen, digest)
            except IssueError:
                row = issues.get(room.store, chosen)
                if row is None or row.state is issues.IssueState.OPEN:
                    raise
                note(f"issue {chosen}: somebody else began to send it; going on together")
        elif row is not None and row.state is not issues.IssueState.CANCELLED:
            send_service.resume(room, chosen)
        _deliver(room, chosen, as_json)


def resume(issue: Named, as_json: AsJson = False) -> None:
    """Go on with an issue that was paused, stopped or interrupted.

    Example: upcycle-news issue resume 2026-11-26
    """
    from upcycle_news.services.delivery import send as send_service

    with newsroom() as room:
        chosen = issue_id(room, issue)
        send_service.resume(room, chosen)
        _deliver(room, chosen, as_json)


def pause(issue: Named) -> None:
    """Stop giving out mails of an issue until it is resumed; a running sender stops by itself.

    Example: upcycle-news issue pause 2026-11-26
    """
    from upcycle_news.storage.issues import IssueState

    _change(issue, IssueState.PAUSED, "was paused by hand")


def cancel(
    issue: Named,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """End an issue: who has not got it yet will not get it.

    After a restore also one that went out before, as far as you know: its essays are not sent again.
    Example: upcycle-news issue cancel 2026-11-26
    """
    from upcycle_news.storage.issues import IssueState

    if not yes:
        typer.confirm(f"Cancel issue {issue} for everybody who has not got it?", abort=True)
    _change(issue, IssueState.CANCELLED, "was cancelled by hand")


def resend(
    issue: Named,
    state: Annotated[
        str, typer.Option(help="Only 'unknown': deliveries whose answer was lost.")
    ] = "unknown",
    as_json: AsJson = False,
) -> None:
    """Send again what may or may not have arrived; a second copy has the same Message-ID.

    Example: upcycle-news issue resend 2026-11-26 --state unknown
    """
    from upcycle_news.models import DeliveryState
    from upcycle_news.services.delivery import send as send_service
    from upcycle_news.storage import deliveries

    if state != DeliveryState.UNKNOWN:
        raise typer.BadParameter("only deliveries in the state 'unknown' can be sent again")
    with newsroom() as room:
        chosen = issue_id(room, issue)
        send_service.resume(room, chosen)
        count = deliveries.requeue(room.store, chosen, DeliveryState.UNKNOWN, now=room.clock())
        note(f"issue {chosen}: {counted(count, 'delivery', 'deliveries')} queued again")
        _deliver(room, chosen, as_json)


def _approved_hash(
    room: Newsroom,
    issue: IssueId,
    essays: list[str] | None,
    collect: bool,
    yes: bool,
    as_json: bool,
) -> str:
    """The revision that may go out; asks on a terminal, refuses elsewhere."""
    from upcycle_news.errors import IssueError
    from upcycle_news.services.issues.approval import record_approval
    from upcycle_news.services.issues.compose import changes_since
    from upcycle_news.storage import revisions, send_hold

    # Before the approval: one that is written down while nothing may go out would outlive the refusal.
    send_hold.refuse_while_paused(room.store)
    if not yes:
        newest = revisions.revision(room.store, issue)
        if newest is not None and newest.approved:
            if changed := changes_since(room, newest):
                raise IssueError(
                    f"issue {issue} has changed since it was approved ({', '.join(changed)}): "
                    "preview it and approve it again"
                )
            return newest.hash
    composed = composed_issue(room, issue, essays, collect, as_json)
    if not yes:
        if not sys.stdin.isatty():
            raise IssueError(
                f"issue {issue} is not approved: look at it with 'upcycle-news issue preview', "
                "then use 'upcycle-news issue approve', or send it with --yes"
            )
        people = counted(_audience(room, composed), "person", "people")
        subject = composed.manifest.issue.subject
        typer.confirm(f"Send issue {issue} „{subject}“ to {people}?", abort=True)
    record_approval(room, issue, composed.hash, by=me())
    return composed.hash


def _audience(room: Newsroom, composed: Composed) -> int:
    from upcycle_news.storage import issues

    return issues.count_audience(room.store, composed.manifest.publication.readers_of)


def _deliver(room: Newsroom, issue: IssueId, as_json: bool) -> None:
    from upcycle_news.errors import IssueError
    from upcycle_news.services.delivery import process_identity
    from upcycle_news.services.delivery import send as send_service
    from upcycle_news.storage import issues

    with (
        process_identity.stop_on_signals() as stopping,
        delivery_progress(issues.status(room.store, issue)) as progress,
    ):
        try:
            report = send_service.deliver_issue(room, issue, stopping=stopping, progress=progress)
        finally:
            if as_json:
                say_status(room, issue, as_json)
    status = issues.status(room.store, issue)
    if stopping() and status is not None and not status.closed:
        raise IssueError(
            f"stopped on request: what is left is queued; 'upcycle-news issue resume {issue}' goes on"
        )
    if report.next_due is not None:
        when = report.next_due.astimezone(room.settings.publication.zone)
        note(
            f"issue {issue}: {report.deferred} deferred, due again at {when:%H:%M:%S}; "
            f"'upcycle-news issue resume {issue}' goes on"
        )
    if not as_json:
        say_status(room, issue, as_json)


def _change(issue: str, state: Any, because: str) -> None:
    from upcycle_news.errors import IssueError
    from upcycle_news.observability.logging import Log
    from upcycle_news.services.archive.build import build_archive
    from upcycle_news.services.delivery import send as send_service
    from upcycle_news.storage import issues

    with newsroom() as room:
        chosen = issue_id(room, issue)
        send_service.settle_the_dead(room, chosen)
        row = issues.get(room.store, chosen)
        ends = state is issues.IssueState.CANCELLED
        if ends and issues.cancel_lost(room.store, chosen):
            typer.echo(f"issue {chosen} is cancelled: what it holds counts as published")
            return
        if row is None or row.state in (issues.IssueState.OPEN, issues.IssueState.CANCELLED):
            raise IssueError(f"issue {chosen} is not being sent")
        issues.set_state(room.store, chosen, state, because=because, now=room.clock())
        if ends:
            build_archive(room)  # what nobody has got is not shown
        Log(__name__).info(f"an issue was {state}", issue=chosen)
        say_status(room, chosen, as_json=False)

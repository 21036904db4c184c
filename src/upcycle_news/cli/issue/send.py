"""`upcycle-news issue send|resume|pause|cancel|resend`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from upcycle_news.cli.completion import issue_ids
from upcycle_news.cli.issue.common import (
    CollectOption,
    EssayOption,
    collect_and_compose,
    current_user,
    print_status,
)
from upcycle_news.cli.output import (
    IssueArgument,
    JsonOption,
    delivery_progress,
    issue_id,
    note,
    open_context,
)
from upcycle_news.errors import IssueError
from upcycle_news.i18n.messages import format_count
from upcycle_news.models import DeliveryState, EmailAddress
from upcycle_news.observability.logging import Log

if TYPE_CHECKING:
    from upcycle_news.app.context import AppContext
    from upcycle_news.models import IssueId
    from upcycle_news.services.issues.compose import RevisionRef

IssueIdArgument = Annotated[
    str,
    typer.Argument(metavar="ISSUE", help="Such as 2026-11-26.", autocompletion=issue_ids),
]


def send(
    issue: IssueArgument = None,
    essay: EssayOption = None,
    collect: CollectOption = True,
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
    as_json: JsonOption = False,
) -> None:
    """Send an issue to all its subscribers; goes on where it stopped.

    Without --yes the newest revision must be approved, and nothing may have changed since.
    Example: upcycle-news issue send --test redaktion@example.org
    """
    from upcycle_news.services.delivery import send as send_service
    from upcycle_news.services.issues.render import raise_on_errors, render_issue
    from upcycle_news.storage import issues

    with open_context() as context:
        address = EmailAddress.parse(test) if test else None
        chosen = issue_id(context, issue)
        row = issues.get(context.store, chosen)
        begun = row is not None and row.state is not issues.IssueState.OPEN
        if test or test_group or dry_run:
            composed = collect_and_compose(context, chosen, essay, collect, as_json)
            revision_id = composed.revision_id
            rendered = render_issue(context, chosen, revision_id)
            raise_on_errors(rendered)
            if dry_run:
                left = issues.status(context.store, chosen) if begun else None
                count = _count_audience(context, composed) if left is None else left.waiting
                whom = format_count(count, "subscriber")
                would = "would go" if left is None else "has begun and would go on"
                note(f"issue {chosen} {would} to {whom}; nothing was sent")
                if as_json:
                    print_status(context, chosen, as_json)
                return
            to = (address,) if address else send_service.group_addresses(context, test_group or "")
            accepted = send_service.send_test(context, chosen, revision_id, to)
            note(f"issue {chosen}: {accepted} test mail{'s' * (accepted != 1)} sent")
            if as_json:
                print_status(context, chosen, as_json)
            return
        if not begun:
            try:
                revision_id = _approved_revision(context, chosen, essay, collect, yes, as_json)
                send_service.enqueue(context, chosen, revision_id)
            except IssueError:
                row = issues.get(context.store, chosen)
                if row is None or row.state is issues.IssueState.OPEN:
                    raise
                note(f"issue {chosen}: another process began to send it; sending together")
        elif row is not None and row.state is not issues.IssueState.CANCELLED:
            send_service.resume(context, chosen)
        _deliver_and_report(context, chosen, as_json)


def resume(issue: IssueIdArgument, as_json: JsonOption = False) -> None:
    """Go on with an issue that was paused, stopped or interrupted.

    Example: upcycle-news issue resume 2026-11-26
    """
    from upcycle_news.services.delivery import send as send_service

    with open_context() as context:
        chosen = issue_id(context, issue)
        send_service.resume(context, chosen)
        _deliver_and_report(context, chosen, as_json)


def pause(issue: IssueIdArgument) -> None:
    """Pause an issue until it is resumed; running workers stop by themselves.

    Example: upcycle-news issue pause 2026-11-26
    """
    from upcycle_news.storage.issues import IssueState

    _change_state(issue, IssueState.PAUSED, "was paused by hand")


def cancel(
    issue: IssueIdArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """End an issue: who has not got it yet will not get it.

    After a restore also one that went out before, as far as you know: its essays are not sent again.
    Example: upcycle-news issue cancel 2026-11-26
    """
    from upcycle_news.storage.issues import IssueState

    if not yes:
        typer.confirm(f"Cancel issue {issue} for all subscribers who have not got it?", abort=True)
    _change_state(issue, IssueState.CANCELLED, "was cancelled by hand")


def resend(
    issue: IssueIdArgument,
    state: Annotated[
        str, typer.Option(help="Only 'unknown': deliveries whose answer was lost.")
    ] = "unknown",
    as_json: JsonOption = False,
) -> None:
    """Send again what may or may not have arrived; a second copy has the same Message-ID.

    Example: upcycle-news issue resend 2026-11-26 --state unknown
    """
    from upcycle_news.services.delivery import send as send_service
    from upcycle_news.storage import deliveries

    if state != DeliveryState.UNKNOWN:
        raise typer.BadParameter("only deliveries in the state 'unknown' can be sent again")
    with open_context() as context:
        chosen = issue_id(context, issue)
        send_service.resume(context, chosen)
        count = deliveries.requeue(
            context.store, chosen, DeliveryState.UNKNOWN, now=context.clock()
        )
        note(f"issue {chosen}: {format_count(count, 'delivery', 'deliveries')} queued again")
        _deliver_and_report(context, chosen, as_json)


def _approved_revision(
    context: AppContext,
    issue: IssueId,
    essays: list[str] | None,
    collect: bool,
    yes: bool,
    as_json: bool,
) -> str:
    """Return the id of the approved revision; asks for approval on a terminal, raises elsewhere."""
    from upcycle_news.services.issues.approval import record_approval
    from upcycle_news.services.issues.compose import edits_since
    from upcycle_news.storage import revisions, send_hold

    # Before the approval: one recorded during a send hold would outlive the refusal.
    send_hold.raise_if_store_held(context.store)
    if not yes:
        newest = revisions.load_revision(context.store, issue)
        if newest is not None and newest.approved:
            if changed := edits_since(context, newest):
                raise IssueError(
                    f"issue {issue} has changed since it was approved ({', '.join(changed)}): "
                    "preview it and approve it again"
                )
            return newest.revision_id
    composed = collect_and_compose(context, issue, essays, collect, as_json)
    if not yes:
        if not sys.stdin.isatty():
            raise IssueError(
                f"issue {issue} is not approved: look at it with 'upcycle-news issue preview', "
                "then use 'upcycle-news issue approve', or send it with --yes"
            )
        audience = format_count(_count_audience(context, composed), "subscriber")
        subject = composed.manifest.issue.subject
        typer.confirm(f"Send issue {issue} „{subject}“ to {audience}?", abort=True)
    record_approval(context, issue, composed.revision_id, by=current_user())
    return composed.revision_id


def _count_audience(context: AppContext, composed: RevisionRef) -> int:
    from upcycle_news.storage import issues

    return issues.count_audience(context.store, composed.manifest.publication.readers_of)


def _deliver_and_report(context: AppContext, issue: IssueId, as_json: bool) -> None:
    from upcycle_news.services.delivery import send as send_service
    from upcycle_news.services.delivery.stop_signals import stop_on_signals
    from upcycle_news.storage import issues

    with (
        stop_on_signals() as stopping,
        delivery_progress(issues.status(context.store, issue)) as progress,
    ):
        try:
            report = send_service.deliver_issue(
                context, issue, stopping=stopping, progress=progress
            )
        finally:
            if as_json:
                print_status(context, issue, as_json)
    status = issues.status(context.store, issue)
    if stopping() and status is not None and not status.closed:
        raise IssueError(
            f"stopped on request: what is left is queued; 'upcycle-news issue resume {issue}' goes on"
        )
    if report.next_due is not None:
        when = report.next_due.astimezone(context.settings.publication.zone)
        note(
            f"issue {issue}: {report.deferred} deferred, due again at {when:%H:%M:%S}; "
            f"'upcycle-news issue resume {issue}' goes on"
        )
    if not as_json:
        print_status(context, issue, as_json)


def _change_state(issue: str, state: Any, because: str) -> None:
    from upcycle_news.services.archive.build import build_archive
    from upcycle_news.services.delivery import send as send_service
    from upcycle_news.storage import issues

    with open_context() as context:
        chosen = issue_id(context, issue)
        send_service.reclaim_from_dead_workers(context, chosen)
        row = issues.get(context.store, chosen)
        ends = state is issues.IssueState.CANCELLED
        if ends and issues.cancel_sent_before_restore(context.store, chosen):
            typer.echo(f"issue {chosen} is cancelled: what it holds counts as published")
            return
        if row is None or row.state in (issues.IssueState.OPEN, issues.IssueState.CANCELLED):
            raise IssueError(f"issue {chosen} is not being sent")
        issues.set_state(context.store, chosen, state, reason=because, now=context.clock())
        if ends:
            build_archive(context)  # the archive shows only what was sent
        Log(__name__).info(f"issue {state}", issue=chosen)
        print_status(context, chosen, as_json=False)

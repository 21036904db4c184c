"""`upcycle-news issue send|resume|pause|cancel|resend`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from upcycle_news.cli.completion import issue_ids
from upcycle_news.cli.issue.common import (
    CollectOption,
    EssayOption,
    chosen_issue,
    current_user,
    note_feed_failures,
    print_latest_as_json,
    print_status,
)
from upcycle_news.cli.output import (
    IssueArgument,
    JsonOption,
    delivery_progress,
    note,
    open_publication,
)
from upcycle_news.errors import NothingNew
from upcycle_news.i18n.messages import format_count
from upcycle_news.models import DeliveryState, EmailAddress, IssueId

if TYPE_CHECKING:
    from upcycle_news.api import App
    from upcycle_news.api.issues import Progress, Revision, SendResult

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
    with open_publication() as app:
        address = EmailAddress.parse(test) if test else None
        chosen = chosen_issue(app, issue)
        try:
            if dry_run:
                _dry_run(app, chosen, essay, collect)
            elif address or test_group:
                mails = app.issues.send_test(
                    chosen,
                    essay or (),
                    to=address,
                    group=test_group or "",
                    collect=collect,
                    on_collected=note_feed_failures,
                )
                count = format_count(mails.accepted, "test mail")
                note(f"issue {chosen}: {count} sent")
            else:
                _send(app, chosen, essay, collect, yes, as_json)
                return
        except NothingNew:
            if as_json:
                print_latest_as_json(app)
            raise
        if as_json:
            print_status(app.issues.status(chosen), as_json)


def _dry_run(app: App, issue: IssueId, essay: list[str] | None, collect: bool) -> None:
    plan = app.issues.dry_run(issue, essay or (), collect=collect, on_collected=note_feed_failures)
    would = "has begun and would go on" if plan.begun else "would go"
    note(
        f"issue {issue} {would} to {format_count(plan.recipients, 'subscriber')}; nothing was sent"
    )


def _send(
    app: App,
    issue: IssueId,
    essay: list[str] | None,
    collect: bool,
    yes: bool,
    as_json: bool,
) -> None:
    ask = _ask if sys.stdin.isatty() else None

    def send_issue(progress: Progress) -> SendResult:
        return app.issues.send(
            issue,
            essay or (),
            by=current_user(),
            ask=ask,
            approve=yes,
            collect=collect,
            on_collected=note_feed_failures,
            progress=progress,
        )

    _watch(app, issue, send_issue, as_json)


def _ask(revision: Revision, audience: int) -> bool:
    subject, count = revision.manifest.issue.subject, format_count(audience, "subscriber")
    return typer.confirm(f"Send issue {revision.issue} „{subject}“ to {count}?", abort=True)


def resume(issue: IssueIdArgument, as_json: JsonOption = False) -> None:
    """Go on with an issue that was paused, stopped or interrupted.

    Example: upcycle-news issue resume 2026-11-26
    """
    with open_publication() as app:
        _watch(
            app,
            IssueId.parse(issue),
            lambda progress: app.issues.resume(issue, by=current_user(), progress=progress),
            as_json,
        )


def pause(issue: IssueIdArgument) -> None:
    """Pause an issue until it is resumed; running workers stop by themselves.

    Example: upcycle-news issue pause 2026-11-26
    """
    with open_publication() as app:
        print_status(app.issues.pause(issue, by=current_user()), as_json=False)


def cancel(
    issue: IssueIdArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """End an issue: who has not got it yet will not get it.

    After a restore also one that went out before, as far as you know: its essays are not sent again.
    Example: upcycle-news issue cancel 2026-11-26
    """
    if not yes:
        typer.confirm(f"Cancel issue {issue} for all subscribers who have not got it?", abort=True)
    with open_publication() as app:
        if app.issues.cancel(issue, by=current_user()).sent_before_restore:
            typer.echo(f"issue {issue} is cancelled: what it holds counts as published")
        else:
            print_status(app.issues.status(issue), as_json=False)


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
    if state != DeliveryState.UNKNOWN:
        raise typer.BadParameter("only deliveries in the state 'unknown' can be sent again")

    def note_queued(count: int) -> None:
        note(f"issue {issue}: {format_count(count, 'delivery', 'deliveries')} queued again")

    with open_publication() as app:
        _watch(
            app,
            IssueId.parse(issue),
            lambda progress: (
                app.issues.resend(
                    issue, by=current_user(), on_queued=note_queued, progress=progress
                ).result
            ),
            as_json,
        )


def _watch(
    app: App, issue: IssueId, send_issue: Callable[[Progress], SendResult], as_json: bool
) -> None:
    """Send with a bar on a terminal; print the counts, as JSON also when the delivery failed."""
    with delivery_progress() as bar:
        try:
            result = send_issue(bar.show)
        except BaseException:
            if as_json and bar.began:
                print_status(app.issues.status(issue), as_json)
            raise
    if result.joined:
        note(f"issue {issue}: another process began to send it; both sent it together")
    if result.report.next_due is not None:
        when = result.report.next_due.astimezone(app.settings.publication.zone)
        note(
            f"issue {issue}: {result.report.deferred} deferred, due again at {when:%H:%M:%S}; "
            f"'upcycle-news issue resume {issue}' goes on"
        )
    print_status(result.status, as_json)

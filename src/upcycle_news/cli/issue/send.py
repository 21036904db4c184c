"""`upcycle-news issue send|resume|pause|cancel|resend`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from upcycle_news.cli.completion import issue_ids
from upcycle_news.cli.issue.common import (
    CollectOption,
    EssayOption,
    chosen_issue,
    current_user,
    note_feed_failures,
    note_pending_suppressions,
    print_latest_as_json,
    print_status,
)
from upcycle_news.cli.output import (
    IssueArgument,
    JsonOption,
    confirm,
    delivery_progress,
    note,
    open_publication,
    say,
    usage_error,
)
from upcycle_news.errors import IssueError, NothingNew
from upcycle_news.i18n.messages import localized
from upcycle_news.models import MAILBOX, DeliveryState, EmailAddress, IssueId

if TYPE_CHECKING:
    from upcycle_news.api import App
    from upcycle_news.api.issues import Progress, Revision, SendResult, TestMails

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
    variant: Annotated[
        str,
        typer.Option(
            "--variant",
            metavar="KEY",
            help="With --test or --test-group: what readers of these topics get, by the number or key in the list of variants.",
        ),
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do everything but send, and say who would get it.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Approve the current state and send it.")
    ] = False,
    ahead: Annotated[
        bool, typer.Option("--ahead", help="Send an issue of a day to come now, not on its day.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Send an issue to all its subscribers; goes on where it stopped.

    Without --yes the newest revision must be approved, and nothing may have changed since. Without a relay
    it goes into the embedded mailbox, and can be sent for real later.
    Example: upcycle-news issue send --test redaktion@example.org
    """
    with open_publication() as app:
        if variant and not (test or test_group):
            raise usage_error(localized("variant-without-test"))
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
                    variant=variant,
                )
                _note_tests(app, mails)
            else:
                _send(app, chosen, essay, collect, yes, ahead, as_json)
                return
        except NothingNew:
            if as_json:
                print_latest_as_json(app)
            raise
        if as_json:
            print_status(app, app.issues.status(chosen), as_json)


def _note_tests(app: App, mails: TestMails) -> None:
    issue, count = str(mails.issue), mails.accepted
    if mails.folder:
        text = localized("test-in-mailbox", issue=issue, count=count, folder=mails.folder)
    else:
        text = localized("test-sent", issue=issue, count=count)
    note(text.in_language(app.language))


def _dry_run(app: App, issue: IssueId, essay: list[str] | None, collect: bool) -> None:
    plan = app.issues.dry_run(issue, essay or (), collect=collect, on_collected=note_feed_failures)
    number, readers = str(issue), localized("send-readers", count=plan.recipients)
    if plan.relay == MAILBOX and plan.begun:
        text = localized("dry-run-mailbox-begun", issue=number, readers=readers)
    elif plan.relay == MAILBOX:
        text = localized("dry-run-mailbox", issue=number, readers=readers)
    elif plan.begun:
        text = localized("dry-run-begun", issue=number, readers=readers, relay=plan.relay)
    else:
        text = localized("dry-run", issue=number, readers=readers, relay=plan.relay)
    note(text.in_language(app.language))


def _send(
    app: App,
    issue: IssueId,
    essay: list[str] | None,
    collect: bool,
    yes: bool,
    ahead: bool,
    as_json: bool,
) -> None:
    ask = partial(_ask, app) if sys.stdin.isatty() else None

    def send_issue(progress: Progress) -> SendResult:
        return app.issues.send(
            issue,
            essay or (),
            by=current_user(),
            ask=ask,
            approve=yes,
            ahead=ahead,
            collect=collect,
            on_collected=note_feed_failures,
            progress=progress,
        )

    _watch(app, issue, send_issue, as_json)


def _ask(app: App, revision: Revision, audience: int) -> bool:
    if waiting := app.suppressions.pending_sentence():
        note(waiting)
    return confirm(app.issues.send_question(revision, audience))


def resume(
    issue: IssueIdArgument,
    past_guard: Annotated[
        bool,
        typer.Option(
            "--past-guard",
            help="The refusals that stopped it are right: put those off, go on with the others.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Go on with an issue that was paused, stopped or interrupted.

    Example: upcycle-news issue resume 2026-11-26
    """
    with open_publication() as app:
        _watch(
            app,
            IssueId.parse(issue),
            lambda progress: app.issues.resume(
                issue, by=current_user(), past_guard=past_guard, progress=progress
            ),
            as_json,
        )


def pause(issue: IssueIdArgument) -> None:
    """Pause an issue until it is resumed; running workers stop by themselves.

    Example: upcycle-news issue pause 2026-11-26
    """
    with open_publication() as app:
        print_status(app, app.issues.pause(issue, by=current_user()), as_json=False)


def cancel(
    issue: IssueIdArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """End an issue: who has not got it yet will not get it.

    After a restore also one that went out before, as far as you know: its essays are not sent again.
    Example: upcycle-news issue cancel 2026-11-26
    """
    with open_publication() as app:
        question = localized("cancel-question", issue=issue)
        if not yes and not confirm(question):
            raise IssueError(localized("cancel-declined", issue=issue))
        if app.issues.cancel(issue, by=current_user()).sent_before_restore:
            say(localized("sent-before-restore", issue=issue))
        else:
            print_status(app, app.issues.status(issue), as_json=False)


def resend(
    issue: IssueIdArgument,
    state: Annotated[
        str,
        typer.Option(
            help="'unknown': deliveries whose answer was lost, or 'rejected': those that were "
            "refused wrongly."
        ),
    ] = "unknown",
    code: Annotated[
        str, typer.Option(help="Only those with this reply code (550) or status code (5.7.1).")
    ] = "",
    since: Annotated[
        str,
        typer.Option(metavar="TIME", help="Only those of this time or later: 2026-11-26T06:30."),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Send again what may or may not have arrived; a second copy has the same Message-ID.

    Nobody who is suppressed or has left gets one. A closed issue is opened again.
    Example: upcycle-news issue resend 2026-11-26 --state rejected --code 550
    """
    if state not in (DeliveryState.UNKNOWN, DeliveryState.REJECTED):
        raise usage_error(localized("resend-states"))

    def note_queued(count: int) -> None:
        note(
            localized(
                "resend-queued", issue=issue, deliveries=localized("count-deliveries", count=count)
            )
        )

    def send_again(progress: Progress) -> SendResult:
        resent = app.issues.resend(
            issue,
            state=DeliveryState(state),
            code=code,
            since=_moment(app, since) if since else None,
            by=current_user(),
            on_queued=note_queued,
            progress=progress,
        )
        if resent.left_out:
            count = localized("count-deliveries", count=resent.left_out)
            note(localized("resend-left-out", issue=issue, deliveries=count))
        return resent.result

    with open_publication() as app:
        _watch(app, IssueId.parse(issue), send_again, as_json)


def _moment(app: App, text: str) -> datetime:
    """Read a time of the publication's zone; raises `BadParameter`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise usage_error(localized("since-time")) from None
    zone = app.settings.publication.zone
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _watch(
    app: App, issue: IssueId, send_issue: Callable[[Progress], SendResult], as_json: bool
) -> None:
    """Send with a bar on a terminal; print the counts, as JSON also when the delivery failed."""
    with delivery_progress() as bar:
        try:
            result = send_issue(bar.show)
        except BaseException:
            if as_json and bar.began:
                print_status(app, app.issues.status(issue), as_json)
            raise
    if result.joined:
        note(localized("send-joined", issue=str(issue)).in_language(app.language))
    if result.report.next_due is not None:
        at = result.report.next_due.astimezone(app.settings.publication.zone)
        count = result.report.deferred
        text = localized("send-deferred", issue=str(issue), count=count, at=at)
        note(text.in_language(app.language))
    note_pending_suppressions(app, result.status.issue)
    print_status(app, result.status, as_json)

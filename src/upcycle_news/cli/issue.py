"""`upcycle-news issue …`: look at an issue, approve it, send it, follow it."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from upcycle_news.cli.output import (
    AsJson,
    IssueArgument,
    delivery_progress,
    issue_id,
    newsroom,
    note,
    say_json,
    shown,
    status_lines,
)

if TYPE_CHECKING:
    from upcycle_news.model import Finding, IssueId
    from upcycle_news.newsroom import Newsroom
    from upcycle_news.steps.composing import Composed

app = typer.Typer(no_args_is_help=True, help="Look at an issue, approve it, send it, follow it.")

Essays = Annotated[
    list[str] | None,
    typer.Option("--essay", metavar="SLUG", help="Only this essay; may be given several times."),
]
Collect = Annotated[
    bool, typer.Option("--collect/--no-collect", help="Ask feeds that are due before composing.")
]
Named = Annotated[str, typer.Argument(metavar="ISSUE", help="Such as 2026-11-26.")]


@app.command()
def preview(
    issue: IssueArgument = None,
    essay: Essays = None,
    collect: Collect = True,
    open_it: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in the browser.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Compose and render an issue; files lie under var/issues/ISSUE/.

    Example: upcycle-news issue preview 2026-11-26 --no-open
    """
    from upcycle_news.steps.rendering import lay_out, render_issue

    with newsroom() as room:
        composed = _compose(room, issue, essay, collect)
        rendered = render_issue(room, composed.issue, composed.hash)
        files = lay_out(room, rendered)
        content = composed.manifest.issue
        if as_json:
            say_json(
                {
                    "issue": str(composed.issue),
                    "hash": composed.hash,
                    "subject": rendered.rendered.subject,
                    "essays": [essay.slug for essay in content.essays],
                    "items": len(content.related),
                    "bytes": rendered.html_bytes,
                    "files": {
                        kind: str(path) for kind, path in files.items() if kind != "preview"
                    },
                    "findings": [_finding(finding) for finding in rendered.findings],
                }
            )
            return
        typer.echo(f"issue {composed.issue}  {rendered.rendered.subject}")
        for number, one in enumerate(content.essays):
            typer.echo(f"  {'leads' if number == 0 else 'then '}  {one.title}")
        for related in content.related:
            because = f" ({', '.join(related.reasons)})" if related.reasons else ""
            typer.echo(f"  item   {related.story.lead.title}{because}")
        for finding in rendered.findings:
            typer.echo(f"  {finding.where}: {finding.level} {finding.code} {finding.message}")
        typer.echo(f"  size   {rendered.html_bytes / 1000:.0f} kB of HTML, revision {_short(composed)}")
        typer.echo(f"  look   {shown(files['preview'])}")
        if open_it and sys.stdout.isatty():
            typer.launch(files["preview"].as_uri())


@app.command()
def approve(issue: IssueArgument = None) -> None:
    """Approve the revision that was previewed last; any change afterwards needs a new approval.

    Example: upcycle-news issue approve 2026-11-26
    """
    from upcycle_news.steps import sending

    with newsroom() as room:
        chosen, digest = _newest(room, issue)
        sending.approve(room, chosen, digest, by=_me())
        typer.echo(f"issue {chosen}: revision {digest[:12]} is approved")


@app.command()
def reject(issue: IssueArgument = None) -> None:
    """Reject the revision that was previewed last.

    Example: upcycle-news issue reject 2026-11-26
    """
    from upcycle_news.steps import sending

    with newsroom() as room:
        chosen, digest = _newest(room, issue)
        sending.reject(room, chosen, digest, by=_me())
        typer.echo(f"issue {chosen}: revision {digest[:12]} is rejected")


@app.command()
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
    from upcycle_news.model import EmailAddress
    from upcycle_news.steps import sending
    from upcycle_news.steps.rendering import refuse_errors, render_issue
    from upcycle_news.store import issues, people

    with newsroom() as room:
        address = EmailAddress.parse(test) if test else None
        chosen = issue_id(room, issue)
        row = issues.get(room.store, chosen)
        begun = row is not None and row.state is not issues.IssueState.OPEN
        if test or test_group or dry_run:
            if begun and row is not None:
                digest = row.hash
            else:
                digest = _composed(room, chosen, essay, collect, as_json).hash
            rendered = render_issue(room, chosen, digest)
            refuse_errors(rendered)
            if dry_run:
                count = people.count_confirmed(room.store)
                note(f"issue {chosen} would go to {count} subscribers; nothing was sent")
                if as_json:
                    _say_status(room, chosen, as_json)
                return
            to = (address,) if address else sending.test_group(room, test_group or "")
            accepted = sending.send_test(room, chosen, digest, to)
            note(f"issue {chosen}: {accepted} test mail{'s' * (accepted != 1)} sent")
            if as_json:
                _say_status(room, chosen, as_json)
            return
        if not begun:
            digest = _approved_hash(room, chosen, essay, collect, yes, as_json)
            sending.enqueue(room, chosen, digest)
        elif row is not None and row.state is not issues.IssueState.CANCELLED:
            sending.resume(room, chosen)
        _deliver(room, chosen, as_json)


@app.command()
def resume(issue: Named, as_json: AsJson = False) -> None:
    """Go on with an issue that was paused, stopped or interrupted.

    Example: upcycle-news issue resume 2026-11-26
    """
    from upcycle_news.steps import sending

    with newsroom() as room:
        chosen = issue_id(room, issue)
        sending.resume(room, chosen)
        _deliver(room, chosen, as_json)


@app.command()
def pause(issue: Named) -> None:
    """Stop giving out mails of an issue until it is resumed; a running sender stops by itself.

    Example: upcycle-news issue pause 2026-11-26
    """
    from upcycle_news.store.issues import IssueState

    _change(issue, IssueState.PAUSED, "was paused by hand")


@app.command()
def cancel(
    issue: Named,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """End an issue: who has not got it yet will not get it.

    Example: upcycle-news issue cancel 2026-11-26
    """
    from upcycle_news.store.issues import IssueState

    if not yes:
        typer.confirm(f"Cancel issue {issue} for everybody who has not got it?", abort=True)
    _change(issue, IssueState.CANCELLED, "was cancelled by hand")


@app.command()
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
    from upcycle_news.model import DeliveryState
    from upcycle_news.steps import sending
    from upcycle_news.store import deliveries

    if state != DeliveryState.UNKNOWN:
        raise typer.BadParameter("only deliveries in the state 'unknown' can be sent again")
    with newsroom() as room:
        chosen = issue_id(room, issue)
        count = deliveries.requeue(room.store, chosen, DeliveryState.UNKNOWN, now=room.clock())
        note(f"issue {chosen}: {count} deliveries queued again")
        sending.resume(room, chosen)
        _deliver(room, chosen, as_json)


@app.command()
def status(
    issue: Annotated[
        str | None,
        typer.Argument(metavar="[ISSUE]", help="Such as 2026-11-26; default: the newest."),
    ] = None,
    state: Annotated[
        str | None,
        typer.Option("--list", metavar="STATE", help="List the deliveries in this state."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the closing sum of an issue, or who stands in one state (with addresses).

    Example: upcycle-news issue status 2026-11-26 --list rejected
    """
    from upcycle_news.errors import IssueError
    from upcycle_news.model import DeliveryState, IssueId
    from upcycle_news.steps.naming import latest_issue

    if state is not None and state not in list(DeliveryState):
        raise typer.BadParameter(f"--list takes one of {', '.join(DeliveryState)}")
    with newsroom() as room:
        chosen = IssueId.parse(issue) if issue else latest_issue(room)
        if chosen is None:
            raise IssueError("there is no issue yet: see 'upcycle-news issue preview'")
        if state is None:
            _say_status(room, chosen, as_json)
        else:
            _list(room, chosen, DeliveryState(state), as_json)


# --- what the commands share ----------------------------------------------------------------------


def _compose(room: Newsroom, issue: str | None, essays: list[str] | None, collect: bool) -> Composed:
    return _composed(room, issue_id(room, issue), essays, collect, as_json=False)


def _composed(
    room: Newsroom, issue: IssueId, essays: list[str] | None, collect: bool, as_json: bool
) -> Composed:
    """Collect what is due and compose; says which feeds failed, and why there is no issue."""
    from upcycle_news.errors import NothingNew
    from upcycle_news.steps.collecting import collect_feeds
    from upcycle_news.steps.composing import compose_issue
    from upcycle_news.steps.naming import latest_issue

    if collect:
        report = collect_feeds(room)
        for name, sentence in report.failed:
            note(f"feed {name}: {sentence}")
    try:
        return compose_issue(room, issue, essays or ())
    except NothingNew:
        last = latest_issue(room)
        if as_json and last is not None:
            _say_status(room, last, as_json)
        raise


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
    from upcycle_news.steps import sending
    from upcycle_news.steps.composing import changes_since
    from upcycle_news.store import people, revisions

    if not yes:
        newest = revisions.revision(room.store, issue)
        if newest is not None and newest.approved:
            if changed := changes_since(room, newest):
                raise IssueError(
                    f"issue {issue} has changed since it was approved ({', '.join(changed)}): "
                    "preview it and approve it again"
                )
            return newest.hash
    composed = _composed(room, issue, essays, collect, as_json)
    if not yes:
        if not sys.stdin.isatty():
            raise IssueError(
                f"issue {issue} is not approved: look at it with 'upcycle-news issue preview', "
                "then use 'upcycle-news issue approve', or send it with --yes"
            )
        count = people.count_confirmed(room.store)
        typer.confirm(
            f"Send issue {issue} „{composed.manifest.issue.subject}“ to {count} people?", abort=True
        )
    sending.approve(room, issue, composed.hash, by=_me())
    return composed.hash


def _deliver(room: Newsroom, issue: IssueId, as_json: bool) -> None:
    from upcycle_news.steps import processes, sending
    from upcycle_news.store import issues

    before = issues.status(room.store, issue)
    with (
        processes.stop_on_signals() as stopping,
        delivery_progress(before.audience if before else 0) as progress,
    ):
        try:
            report = sending.deliver_issue(room, issue, stopping=stopping, progress=progress)
        finally:
            if as_json:
                _say_status(room, issue, as_json)
    if report.next_due is not None:
        when = report.next_due.astimezone(room.settings.publication.zone)
        note(
            f"issue {issue}: {report.deferred} deferred, due again at {when:%H:%M:%S}; "
            f"'upcycle-news issue resume {issue}' goes on"
        )
    if not as_json:
        _say_status(room, issue, as_json)


def _say_status(room: Newsroom, issue: IssueId, as_json: bool) -> None:
    from upcycle_news.errors import IssueError
    from upcycle_news.store import issues

    found = issues.status(room.store, issue)
    if found is None:
        raise IssueError(f"there is no issue {issue}: see 'upcycle-news issue preview {issue}'")
    if as_json:
        say_json(found.as_dict())
    else:
        typer.echo(status_lines(found))


def _list(room: Newsroom, issue: IssueId, state: Any, as_json: bool) -> None:
    from upcycle_news.store import deliveries

    for one in deliveries.listed(room.store, issue, state):
        email = one.address.address if one.address else None
        if as_json:
            say_json(
                {
                    "subscriber": one.subscriber,
                    "email": email,
                    "state": one.state.value,
                    "code": one.code,
                    "reason": one.reason,
                    "at": one.at.isoformat(timespec="seconds"),
                }
            )
        else:
            why = " ".join(part for part in (str(one.code or ""), one.reason) if part)
            typer.echo(f"{one.subscriber:>8}  {email or '(forgotten)'}  {why}")


def _change(issue: str, state: Any, because: str) -> None:
    from upcycle_news.errors import IssueError
    from upcycle_news.store import issues

    with newsroom() as room:
        chosen = issue_id(room, issue)
        row = issues.get(room.store, chosen)
        if row is None or row.state in (issues.IssueState.OPEN, issues.IssueState.CANCELLED):
            raise IssueError(f"issue {chosen} is not being sent")
        issues.set_state(room.store, chosen, state, because=because, now=room.clock())
        _say_status(room, chosen, as_json=False)


def _newest(room: Newsroom, issue: str | None) -> tuple[IssueId, str]:
    from upcycle_news.errors import IssueError
    from upcycle_news.store import revisions

    chosen = issue_id(room, issue)
    newest = revisions.revision(room.store, chosen)
    if newest is None:
        raise IssueError(f"there is no issue {chosen} yet: see 'upcycle-news issue preview'")
    return chosen, newest.hash


def _finding(finding: Finding) -> dict[str, str]:
    return {
        "level": finding.level,
        "code": finding.code,
        "where": finding.where,
        "message": finding.message,
    }


def _short(composed: Composed) -> str:
    return composed.hash[:12]


def _me() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "command line"

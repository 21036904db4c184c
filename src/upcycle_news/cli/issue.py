"""`upcycle-news issue …`: look at an issue, approve it, follow it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from upcycle_news.cli import issue_approve, issue_explain, issue_send
from upcycle_news.cli.issue_shared import Collect, Essays, composed_issue, say_status
from upcycle_news.cli.output import AsJson, IssueArgument, issue_id, newsroom, say_json, shown

if TYPE_CHECKING:
    from upcycle_news.model import Finding, IssueId
    from upcycle_news.newsroom import Newsroom
    from upcycle_news.steps.composing import Composed

app = typer.Typer(no_args_is_help=True, help="Look at an issue, approve it, send it, follow it.")


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
        composed = composed_issue(room, issue_id(room, issue), essay, collect, as_json)
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
                    "files": {kind: str(path) for kind, path in files.items() if kind != "preview"},
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
        typer.echo(
            f"  size   {rendered.html_bytes / 1000:.0f} kB of HTML, revision {_short(composed)}"
        )
        typer.echo(f"  look   {shown(files['preview'])}")
        if open_it and sys.stdout.isatty():
            typer.launch(files["preview"].as_uri())


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
    from upcycle_news.store import issues

    if state is not None and state not in list(DeliveryState):
        raise typer.BadParameter(f"--list takes one of {', '.join(DeliveryState)}")
    with newsroom() as room:
        chosen = IssueId.parse(issue) if issue else latest_issue(room)
        if chosen is None:
            raise IssueError("there is no issue yet: see 'upcycle-news issue preview'")
        if state is None or issues.get(room.store, chosen) is None:
            say_status(room, chosen, as_json)
        else:
            _list(room, chosen, DeliveryState(state), as_json)


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


def _finding(finding: Finding) -> dict[str, str]:
    return {
        "level": finding.level,
        "code": finding.code,
        "where": finding.where,
        "message": finding.message,
    }


def _short(composed: Composed) -> str:
    return composed.hash[:12]


for _command in (
    issue_approve.approve,
    issue_approve.reject,
    issue_approve.show,
    issue_explain.explain,
    issue_send.send,
    issue_send.resume,
    issue_send.pause,
    issue_send.cancel,
    issue_send.resend,
):
    app.command()(_command)

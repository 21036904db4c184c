"""`upcycle-news issue status`: deliveries by state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from upcycle_news.cli.completion import issue_ids
from upcycle_news.cli.issue.common import print_status
from upcycle_news.cli.output import (
    JsonOption,
    note,
    open_context,
    print_json,
)
from upcycle_news.errors import IssueError
from upcycle_news.models import DeliveryState, IssueId

if TYPE_CHECKING:
    from upcycle_news.app.context import AppContext
    from upcycle_news.models import IssueId


def status(
    issue: Annotated[
        str | None,
        typer.Argument(
            metavar="[ISSUE]",
            help="Such as 2026-11-26; default: the newest.",
            autocompletion=issue_ids,
        ),
    ] = None,
    state: Annotated[
        str | None,
        typer.Option("--list", metavar="STATE", help="List the deliveries in this state."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Count an issue's deliveries by state, or list those in one state (with addresses).

    Example: upcycle-news issue status 2026-11-26 --list rejected
    """
    from upcycle_news.services.delivery.lateness import stalled_since
    from upcycle_news.services.issues.ids import latest_issue
    from upcycle_news.storage import issues

    if state is not None and state not in list(DeliveryState):
        raise typer.BadParameter(f"--list takes one of {', '.join(DeliveryState)}")
    with open_context() as context:
        chosen = IssueId.parse(issue) if issue else latest_issue(context)
        if chosen is None:
            raise IssueError("there is no issue yet: see 'upcycle-news issue preview'")
        row = issues.get(context.store, chosen)
        if state is None or row is None:
            print_status(context, chosen, as_json)
            if row and row.state in (issues.IssueState.PAUSED, issues.IssueState.STOPPED):
                # The counts alone do not tell an issue in progress from one that is paused or stopped.
                stopped = row.state is issues.IssueState.STOPPED
                why = f": {row.stop_reason}" if stopped else ""
                goes_on = f"'upcycle-news issue resume {chosen}' goes on with it"
                note(f"issue {chosen} is {row.state}{why}; {goes_on}")
            if since := stalled_since(context, chosen):
                note(
                    f"issue {chosen} stalls: nothing has gone out since {since:%Y-%m-%d %H:%M} UTC"
                )
        else:
            _list(context, chosen, DeliveryState(state), as_json)


def _list(context: AppContext, issue: IssueId, state: Any, as_json: bool) -> None:
    from upcycle_news.storage import deliveries

    for delivery in deliveries.list_deliveries(context.store, issue, state):
        email = delivery.address.address if delivery.address else None
        if as_json:
            print_json(
                {
                    "subscriber": delivery.subscriber,
                    "email": email,
                    "state": delivery.state.value,
                    "code": delivery.code,
                    "reason": delivery.reason,
                    "at": delivery.at.isoformat(timespec="seconds"),
                }
            )
        else:
            why = " ".join(part for part in (str(delivery.code or ""), delivery.reason) if part)
            typer.echo(f"{delivery.subscriber:>8}  {email or '(forgotten)'}  {why}")

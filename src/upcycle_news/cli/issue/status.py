"""`upcycle-news issue status`: deliveries by state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from upcycle_news.cli.completion import issue_ids
from upcycle_news.cli.issue.common import (
    approved_ahead,
    note_pending_suppressions,
    print_status,
)
from upcycle_news.cli.output import JsonOption, note, open_publication, print_json
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Delivery, DeliveryState, IssueId, IssueState

if TYPE_CHECKING:
    from upcycle_news.api import App
    from upcycle_news.api.issues import RecordedEvent, Standstill


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
    history: Annotated[
        bool,
        typer.Option("--history", help="List what happened to the issue, by whom and when."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Count an issue's deliveries by state, or list those in one state (with addresses).

    Example: upcycle-news issue status 2026-11-26 --list rejected
    """
    if state is not None and state not in list(DeliveryState):
        raise typer.BadParameter(f"--list takes one of {', '.join(DeliveryState)}")
    if history and state is not None:
        raise typer.BadParameter("--history and --list are two lists: give one of them")
    with open_publication() as app:
        if history:
            for event in app.issues.history(issue):
                _print_event(event, as_json)
            return
        if state is not None:
            for delivery in app.issues.deliveries(issue, state=DeliveryState(state)):
                _print_delivery(delivery, as_json)
            return
        counts = app.issues.status(issue)
        print_status(app, counts, as_json)
        if counts.state is IssueState.APPROVED and IssueId.parse(counts.issue).day > app.today:
            note(approved_ahead(counts.issue).in_language(app.language))
        # The counts alone do not tell an issue in progress from one that is paused or stopped.
        if (halt := app.issues.standstill(counts.issue)) is not None:
            _note_standstill(app, counts.issue, halt)
        note_pending_suppressions(app)


def _note_standstill(app: App, issue: str, halt: Standstill) -> None:
    if halt.away:
        text = halt.away
    elif halt.stalled_since:
        since = halt.stalled_since.astimezone(app.settings.publication.zone)
        text = localized("standstill-stalled", issue=issue, since=f"{since:%Y-%m-%d %H:%M}")
    elif halt.reason:
        text = localized("standstill-stopped", issue=issue, why=halt.reason)
    else:
        text = localized("standstill-paused", issue=issue)
    note(text.in_language(app.language))


def _print_event(event: RecordedEvent, as_json: bool) -> None:
    if as_json:
        print_json(event.as_dict())
        return
    at = f"{event.at:%Y-%m-%d %H:%M:%S} UTC"
    revision = f"revision {event.revision_id[:12]}" if event.revision_id else ""
    parts = (f"by {event.by}", f"now {event.to_state}", revision, event.reason)
    typer.echo(f"{at}  {event.event:<12}  {'; '.join(part for part in parts if part)}")


def _print_delivery(delivery: Delivery, as_json: bool) -> None:
    if as_json:
        print_json(delivery.as_dict())
        return
    email = delivery.address.address if delivery.address else "(forgotten)"
    why = " ".join(part for part in (str(delivery.code or ""), delivery.reason) if part)
    typer.echo(f"{delivery.subscriber:>8}  {email}  {why}")

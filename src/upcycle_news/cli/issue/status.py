"""`upcycle-news issue status`: deliveries by state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from upcycle_news.cli.completion import issue_ids
from upcycle_news.cli.issue.common import (
    note_pending_suppressions,
    print_status,
)
from upcycle_news.cli.output import (
    JsonOption,
    in_language,
    note,
    open_publication,
    print_json,
    tells_contradiction,
    usage_error,
)
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.i18n.recognition import recognise
from upcycle_news.models import Delivery, DeliveryState, IssueState

if TYPE_CHECKING:
    from upcycle_news.api import App
    from upcycle_news.api.issues import RecordedEvent, Standstill


_STATES: Mapping[str, LocalizedText] = {
    "open": localized("word-open"),
    "awaiting approval": localized("word-awaiting"),
    "approved": localized("word-approved"),
    "sending": localized("word-sending"),
    "paused": localized("word-paused"),
    "stopped": localized("word-stopped"),
    "closed": localized("word-closed"),
    "cancelled": localized("word-cancelled"),
}
_EVENTS: Mapping[str, LocalizedText] = {
    "composed": localized("word-composed"),
    "asked": localized("word-asked"),
    "withdrawn": localized("word-withdrawn"),
    "approved": localized("word-approved"),
    "rejected": localized("word-rejected"),
    "sent before restore": localized("word-sent-before-restore"),
    "queued": localized("word-queued"),
    "paused": localized("word-paused"),
    "stopped": localized("word-stopped"),
    "resumed": localized("word-resumed"),
    "resumed past guard": localized("word-resumed-past-guard"),
    "closed": localized("word-closed"),
    "reopened": localized("word-reopened"),
    "cancelled": localized("word-cancelled"),
    "taken back": localized("word-taken-back"),
}


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
        raise usage_error(localized("status-list", states=", ".join(DeliveryState)))
    if history and state is not None:
        raise usage_error(localized("status-two-lists"))
    with open_publication() as app:
        if history:
            for event in app.issues.history(issue):
                _print_event(event, as_json)
            return
        if state is not None:
            for delivery in app.issues.deliveries(issue, state=DeliveryState(state)):
                _print_delivery(delivery, as_json)
            return
        contradicted = tells_contradiction(app)
        counts = app.issues.status(issue)
        print_status(app, counts, as_json)
        waits = app.issues.waits_until(counts.issue)
        if counts.state is IssueState.APPROVED and waits is not None:
            note(waits)
        # The counts alone do not tell an issue in progress from one that is paused or stopped.
        under_way = counts.state.is_frozen and not counts.state.is_ended
        if under_way and (halt := app.issues.standstill(counts.issue)) is not None:
            _note_standstill(app, counts.issue, halt)
        note_pending_suppressions(app)
    if contradicted:
        raise typer.Exit(1)


def _note_standstill(app: App, issue: str, halt: Standstill) -> None:
    if halt.away:
        text = halt.away
    elif halt.stalled_since:
        since = halt.stalled_since.astimezone(app.settings.publication.zone)
        text = localized("standstill-stalled", issue=issue, since=f"{since:%Y-%m-%d %H:%M}")
    elif halt.reason:
        text = localized("standstill-stopped", issue=issue, why=recognise(halt.reason, "reasons"))
    else:
        text = localized("standstill-paused", issue=issue)
    note(text.in_language(app.language))


def _print_event(event: RecordedEvent, as_json: bool) -> None:
    if as_json:
        print_json(event.as_dict())
        return
    at = f"{event.at:%Y-%m-%d %H:%M:%S} UTC"
    parts = [
        localized("history-by", by=recognise(event.by, "subjects")),
        localized("history-now", state=_STATES[event.to_state]),
    ]
    if event.revision_id:
        parts.append(localized("history-revision", revision=event.revision_id[:12]))
    if event.reason:
        parts.append(recognise(event.reason, "reasons"))
    name = in_language(_EVENTS[event.event])
    typer.echo(f"{at}  {name:<12}  {'; '.join(map(in_language, parts))}")


def _print_delivery(delivery: Delivery, as_json: bool) -> None:
    if as_json:
        print_json(delivery.as_dict())
        return
    email = (
        delivery.address.address
        if delivery.address
        else in_language(localized("subscriber-forgotten"))
    )
    why = " ".join(filter(None, (str(delivery.code or ""), _reason(delivery))))
    typer.echo(f"{delivery.subscriber:>8}  {email}  {why}")


def _reason(delivery: Delivery) -> str:
    """Return why a delivery ended so: a sentence of ours, or the relay's own words as a quotation."""
    if not delivery.reason:
        return ""
    text = recognise(delivery.reason, "reasons")
    if text.key == "untranslated" and delivery.code:
        text = localized("server-said", text=delivery.reason)
    return in_language(text)

"""`upcycle-news issue explain`: why each candidate is in an issue or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from upcycle_news.cli.issue.common import EssayOption
from upcycle_news.cli.output import IssueArgument, JsonOption, open_publication, print_json
from upcycle_news.i18n.messages import LocalizedText, localized

if TYPE_CHECKING:
    from upcycle_news.api.issues import ReaderExplanation


def explain(
    issue: IssueArgument = None,
    essay: EssayOption = None,
    subscriber: Annotated[
        int | None,
        typer.Option(
            "--subscriber",
            metavar="ID",
            min=1,
            help="Show what this subscriber gets of the issue, or got; default: the newest issue.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show every candidate with its score, the words it shares, and why it is in or out.

    Example: upcycle-news issue explain 2026-11-26
    """
    with open_publication() as app:
        if subscriber is not None:
            _print_reader(app.issues.explain_reader(subscriber, issue), app.language, as_json)
            return
        candidates = app.issues.explain(issue, essay or ())
    for candidate in candidates:
        if as_json:
            print_json(candidate.as_dict())
            continue
        lead = candidate.story.lead
        belongs = f" [{candidate.essay}]" if candidate.essay else ""
        place = localized("explain-in") if candidate.chosen else localized("explain-out")
        marked = f"{place.in_language(app.language):<4}{candidate.score:6.2f}"
        typer.echo(f"{marked}  {lead.title}{belongs}")
        parts: list[LocalizedText | None] = [candidate.why_not]
        if candidate.pinned and candidate.chosen:
            parts = [localized("explain-pinned")]
        if candidate.words:
            parts.append(localized("explain-shares", words=", ".join(candidate.words)))
        if candidate.identity:
            parts.append(localized("explain-identity", identity=candidate.identity))
        said = [part.in_language(app.language) for part in parts if part is not None]
        typer.echo("            " + "; ".join([lead.feed, *said]))


def _print_reader(explained: ReaderExplanation, language: str, as_json: bool) -> None:
    """Print which variant a subscriber gets, and each item with the reason why it is in it or not."""
    if as_json:
        print_json(explained.as_dict(language))
        return
    typer.echo(explained.text().in_language(language))
    for item in explained.items:
        place = localized("explain-in") if item.gets else localized("explain-out")
        typer.echo(f"{place.in_language(language):<4}  {item.related.story.lead.title}")
        typer.echo(f"      {item.why.in_language(language)}")

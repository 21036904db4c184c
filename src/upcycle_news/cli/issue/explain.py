"""`upcycle-news issue explain`: why each candidate is in an issue or not."""

from __future__ import annotations

import typer

from upcycle_news.cli.issue.common import EssayOption
from upcycle_news.cli.output import IssueArgument, JsonOption, open_publication, print_json


def explain(
    issue: IssueArgument = None, essay: EssayOption = None, as_json: JsonOption = False
) -> None:
    """Show every candidate with its score, the words it shares, and why it is in or out.

    Example: upcycle-news issue explain 2026-11-26
    """
    with open_publication() as app:
        candidates = app.issues.explain(issue, essay or ())
    for candidate in candidates:
        if as_json:
            print_json(candidate.as_dict())
            continue
        lead = candidate.story.lead
        belongs = f" [{candidate.essay}]" if candidate.essay else ""
        typer.echo(
            f"{'in ' if candidate.chosen else 'out'} {candidate.score:6.2f}  {lead.title}{belongs}"
        )
        because = "pinned" if candidate.pinned and candidate.chosen else candidate.why_not
        words = f"shares {', '.join(candidate.words)}" if candidate.words else ""
        known_by = f"known by {candidate.identity}" if candidate.identity else ""
        parts = filter(None, (lead.feed, because, words, known_by))
        typer.echo("            " + "; ".join(parts))

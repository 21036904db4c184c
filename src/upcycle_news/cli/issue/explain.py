"""`upcycle-news issue explain`: why each candidate is in an issue or not."""

from __future__ import annotations

import typer

from upcycle_news.cli.issue.common import EssayOption
from upcycle_news.cli.output import (
    IssueArgument,
    JsonOption,
    issue_id,
    open_context,
    print_json,
)


def explain(
    issue: IssueArgument = None, essay: EssayOption = None, as_json: JsonOption = False
) -> None:
    """Show every candidate with its score, the words it shares, and why it is in or out.

    Example: upcycle-news issue explain 2026-11-26
    """
    from upcycle_news.services.issues.compose import explain_issue

    with open_context() as context:
        for candidate in explain_issue(context, issue_id(context, issue), essay or ()):
            lead = candidate.story.lead
            if as_json:
                print_json(
                    {
                        "essay": candidate.essay or None,
                        "item": lead.link,
                        "title": lead.title,
                        "score": round(candidate.score, 4),
                        "chosen": candidate.chosen,
                        "reasons": list(candidate.words),
                        "why_not": candidate.why_not or None,
                        "pinned": candidate.pinned,
                        "feed": lead.feed,
                        "also": [item.feed for item in candidate.story.items[1:]],
                    }
                )
                continue
            belongs = f" [{candidate.essay}]" if candidate.essay else ""
            typer.echo(
                f"{'in ' if candidate.chosen else 'out'} {candidate.score:6.2f}  {lead.title}{belongs}"
            )
            because = "pinned" if candidate.pinned and candidate.chosen else candidate.why_not
            words = f"shares {', '.join(candidate.words)}" if candidate.words else ""
            typer.echo("            " + "; ".join(filter(None, (lead.feed, because, words))))

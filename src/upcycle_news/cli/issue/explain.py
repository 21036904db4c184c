"""`upcycle-news issue explain`: why an item is in an issue, and why the others are not."""

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


def explain(issue: IssueArgument = None, essay: EssayOption = None, as_json: JsonOption = False) -> None:
    """Show every candidate with its score, the words it shares, and why it is in or out.

    Example: upcycle-news issue explain 2026-11-26
    """
    from upcycle_news.services.issues.compose import explain_issue

    with open_context() as context:
        for one in explain_issue(context, issue_id(context, issue), essay or ()):
            lead = one.story.lead
            if as_json:
                print_json(
                    {
                        "essay": one.essay or None,
                        "item": lead.link,
                        "title": lead.title,
                        "score": round(one.score, 4),
                        "chosen": one.chosen,
                        "reasons": list(one.words),
                        "why_not": one.why_not or None,
                        "pinned": one.pinned,
                        "feed": lead.feed,
                        "also": [item.feed for item in one.story.items[1:]],
                    }
                )
                continue
            belongs = f" [{one.essay}]" if one.essay else ""
            typer.echo(f"{'in ' if one.chosen else 'out'} {one.score:6.2f}  {lead.title}{belongs}")
            because = "pinned" if one.pinned and one.chosen else one.why_not
            words = f"shares {', '.join(one.words)}" if one.words else ""
            typer.echo("            " + "; ".join(filter(None, (lead.feed, because, words))))

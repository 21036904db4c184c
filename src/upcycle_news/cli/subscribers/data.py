"""`upcycle-news subscribers forget|stats|links|tidy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from upcycle_news.cli.output import JsonOption, open_publication, print_json
from upcycle_news.cli.subscribers.manage import show_list


def forget(
    address: Annotated[str, typer.Argument(metavar="ADDRESS")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Erase a subscriber; only a keyed hash stays, so that no list brings them back.

    Example: upcycle-news subscribers forget a@example.org
    """
    with open_publication() as app:
        if not yes:
            typer.confirm("Erase everything about this person? It cannot be undone", abort=True)
        app.subscribers.forget(address)
    typer.echo("forgotten")


def stats(as_json: JsonOption = False) -> None:
    """Count subscribers, suppressions, and what each issue did to the list.

    Example: upcycle-news subscribers stats --json
    """
    with open_publication() as app:
        statistics = app.subscribers.statistics()
    if as_json:
        print_json(statistics.as_dict())
        return
    for status, count in statistics.counts.by_status.items():
        typer.echo(f"{status:<14} {count}")
    for topic, count in statistics.counts.by_topic.items():
        typer.echo(f"topic {topic}: {count}")
    for reason, count in statistics.counts.suppressions.items():
        typer.echo(f"suppressed, {reason}: {count}")
    for issue in statistics.issues:
        typer.echo(str(issue.sentence()))
        for alert in issue.alerts:
            typer.echo(f"  ALARM: {alert}")


def links(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE.csv]", help="Default: standard output.")
    ] = None,
    leave: Annotated[
        Path | None, typer.Option(help="Links or tokens of those who left, one a line.")
    ] = None,
) -> None:
    """Write each subscriber's own links as CSV, or with --leave unsubscribe those who used theirs.

    For an install without a public address: a page elsewhere collects the tokens.
    Example: upcycle-news subscribers links --leave left.txt
    """
    with open_publication() as app:
        if leave is None:
            show_list(app.subscribers.links_csv(file), file)
            return
        counts = app.subscribers.unsubscribe_by_links(leave)
    typer.echo(f"{counts.valid} left, {counts.foreign} lines are no links of ours")


def tidy(as_json: JsonOption = False) -> None:
    """Delete unconfirmed sign-ups and old reports; send confirmation mails that are pending.

    Example: upcycle-news subscribers tidy
    """
    with open_publication() as app:
        report = app.subscribers.tidy()
    if as_json:
        print_json(report.as_dict())
    else:
        typer.echo(str(report))

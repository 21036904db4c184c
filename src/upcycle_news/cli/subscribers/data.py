"""`upcycle-news subscribers forget|stats|links|tidy`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from upcycle_news.cli.output import (
    JsonOption,
    note,
    open_context,
    print_json,
)
from upcycle_news.errors import ContentError, UpcycleError
from upcycle_news.fileio import write_atomically
from upcycle_news.models import EmailAddress
from upcycle_news.services.subscribers.export import links_csv
from upcycle_news.services.subscribers.list_health import list_health
from upcycle_news.services.subscribers.subscriptions import purge_expired, unsubscribe_by_links
from upcycle_news.storage import personal_data, statistics


def forget(
    address: Annotated[str, typer.Argument(metavar="ADDRESS")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Erase a subscriber; only a keyed hash stays, so that no list brings them back.

    Example: upcycle-news subscribers forget a@example.org
    """
    email = EmailAddress.parse(address)
    with open_context() as context:
        if not yes:
            typer.confirm("Erase everything about this person? It cannot be undone", abort=True)
        if not personal_data.erase_subscriber(context.store, email, now=context.clock()):
            raise UpcycleError("no subscriber has this address")
    typer.echo("forgotten")


def stats(as_json: JsonOption = False) -> None:
    """Count subscribers, suppressions, and what each issue did to the list.

    Example: upcycle-news subscribers stats --json
    """
    with open_context() as context:
        counts = statistics.count_subscribers(context.store)
        issues = list_health(context)
    if as_json:
        print_json({**counts, "issues": [issue.as_dict() for issue in issues]})
        return
    for status, count in counts["subscribers"].items():
        typer.echo(f"{status:<14} {count}")
    for topic, count in counts["topics"].items():
        typer.echo(f"topic {topic}: {count}")
    for reason, count in counts["suppressions"].items():
        typer.echo(f"suppressed, {reason}: {count}")
    for issue in issues:
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
    with open_context() as context:
        if leave is not None:
            try:
                lines = leave.read_text(encoding="utf-8", errors="replace").splitlines()
            except OSError as error:
                raise ContentError(leave, None, f"cannot be read ({error.strerror})") from None
            counts = unsubscribe_by_links(context, lines)
            typer.echo(f"{counts.valid} left, {counts.foreign} lines are no links of ours")
            return
        text = links_csv(context)
    if file is None:
        sys.stdout.write(text)
    else:
        write_atomically(file, text.encode(), private=True)
        note(f"written to {file}")


def tidy(as_json: JsonOption = False) -> None:
    """Delete unconfirmed sign-ups and old reports; send confirmation mails that are pending.

    Example: upcycle-news subscribers tidy
    """
    with open_context() as context:
        counts = asdict(purge_expired(context))
    if as_json:
        print_json(counts)
    else:
        typer.echo(
            f"{counts['unconfirmed']} unconfirmed sign-ups and {counts['reports']} old reports "
            f"deleted, {counts['mailed']} confirmations mailed"
        )

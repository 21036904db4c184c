"""`upcycle-news subscribers …`: erasing, counting, and links for pages elsewhere."""

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
from upcycle_news.services.bounces import process
from upcycle_news.services.subscribers.export import links_csv
from upcycle_news.services.subscribers.list_health import list_health
from upcycle_news.services.subscribers.subscriptions import purge_expired
from upcycle_news.storage import personal_data, statistics


def forget(
    address: Annotated[str, typer.Argument(metavar="ADDRESS")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Erase a person; only a keyed hash stays, so that no list brings them back.

    Example: upcycle-news subscribers forget a@example.org
    """
    email = EmailAddress.parse(address)
    with open_context() as context:
        if not yes:
            typer.confirm("Erase everything about this person? It cannot be undone", abort=True)
        if not personal_data.erase(context.store, email, now=context.clock()):
            raise UpcycleError("nobody with this address is in the store")
    typer.echo("forgotten")


def stats(as_json: JsonOption = False) -> None:
    """Count subscribers, suppressions, and what each issue did to the list.

    Example: upcycle-news subscribers stats --json
    """
    with open_context() as context:
        counts = statistics.counts(context.store)
        issues = list_health(context)
    if as_json:
        print_json({**counts, "issues": [one.as_dict() for one in issues]})
        return
    for status, count in counts["subscribers"].items():
        typer.echo(f"{status:<14} {count}")
    for topic, count in counts["topics"].items():
        typer.echo(f"topic {topic}: {count}")
    for reason, count in counts["suppressions"].items():
        typer.echo(f"suppressed, {reason}: {count}")
    for one in issues:
        typer.echo(str(one.sentence()))
        for alert in one.alerts:
            typer.echo(f"  ALARM: {alert}")


def links(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE.csv]", help="Default: standard output.")
    ] = None,
    leave: Annotated[
        Path | None, typer.Option(help="Links or tokens of those who left, one a line.")
    ] = None,
) -> None:
    """Write each reader's own links as CSV, or with --leave let those go who used theirs elsewhere.

    For an install without a public address: a page elsewhere collects the tokens.
    Example: upcycle-news subscribers links --leave left.txt
    """
    with open_context() as context:
        if leave is not None:
            try:
                lines = leave.read_text(encoding="utf-8", errors="replace").splitlines()
            except OSError as error:
                raise ContentError(leave, None, f"cannot be read ({error.strerror})") from None
            ours, foreign = process.leave_by_links(context, lines)
            typer.echo(f"{ours} left, {foreign} lines are no links of ours")
            return
        text = links_csv(context)
    if file is None:
        sys.stdout.write(text)
    else:
        write_atomically(file, text.encode(), private=True)
        note(f"written to {file}")


def tidy(as_json: JsonOption = False) -> None:
    """Delete sign-ups nobody confirmed and old reports; mail those whose confirmation waits.

    Example: upcycle-news subscribers tidy
    """
    with open_context() as context:
        told = asdict(purge_expired(context))
    if as_json:
        print_json(told)
    else:
        typer.echo(
            f"{told['unconfirmed']} unconfirmed sign-ups and {told['reports']} old reports "
            f"deleted, {told['mailed']} confirmations mailed"
        )

"""`upcycle-news subscribers suppress|unsuppress|suppressions`."""

from __future__ import annotations

import csv
import sys
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
from upcycle_news.models import EmailAddress
from upcycle_news.storage import suppressions as suppression_rows
from upcycle_news.subscribers.csv_lists import escape_formula, read_suppressions, suppression_key

Target = Annotated[str, typer.Argument(metavar="ADDRESS|@DOMAIN")]


def suppress(
    target: Annotated[str | None, typer.Argument(metavar="[ADDRESS|@DOMAIN]")] = None,
    file: Annotated[
        Path | None, typer.Option(help="A list from another system: CSV, or one a line.")
    ] = None,
    reason: Annotated[
        str, typer.Option(help="Such as complaint, bounced, or unsubscribed.")
    ] = "by hand",
    as_json: JsonOption = False,
) -> None:
    """Never write to an address or a whole domain again, nor to those another system suppressed.

    Example: upcycle-news subscribers suppress --file suppressed.csv --reason unsubscribed
    """
    if (target is None) == (file is None):
        raise typer.BadParameter("name an address, a @domain, or a --file")
    try:
        data = target.encode() if target is not None else Path(str(file)).read_bytes()
    except OSError as error:
        raise ContentError(str(file), None, f"cannot be read ({error.strerror})") from None
    keys, invalid = read_suppressions(data, where=str(file or "the address"))
    with open_context() as context:
        new = suppression_rows.suppress_all(
            context.store, keys, reason=_one_line(reason), detail="", now=context.clock()
        )
    if as_json:
        print_json(
            {
                "suppressed": new,
                "known": len(keys) - new,
                "invalid": [{"line": line, "reason": why} for line, why in invalid],
            }
        )
    else:
        typer.echo(f"{new} suppressed, {len(keys) - new} known, {len(invalid)} invalid")
        for line, why in invalid:
            note(f"{file or 'argument'}:{line}: invalid: {why}")
    if target is not None and invalid:
        raise typer.Exit(1)


def unsuppress(target: Target) -> None:
    """Undo a suppression; the address gets mail again only with consent.

    Example: upcycle-news subscribers unsuppress a@example.org
    """
    key = suppression_key(target)
    email = None if key.startswith(("@", "#")) else EmailAddress.parse(target)
    with open_context() as context:
        if not suppression_rows.unsuppress(context.store, key, email):
            raise UpcycleError("there is no such suppression: see 'subscribers suppressions'")
    typer.echo("unsuppressed")


def suppressions(as_json: JsonOption = False) -> None:
    """List all suppressions as CSV, oldest first; erased addresses are keyed hashes.

    Example: upcycle-news subscribers suppressions > suppressed.csv
    """
    writer = csv.writer(sys.stdout)
    with open_context() as context:
        if not as_json:
            writer.writerow(("key", "reason", "detail", "at"))
        for suppression in suppression_rows.all_suppressions(context.store):
            at = suppression.at.isoformat(timespec="seconds")
            if as_json:
                print_json(
                    {
                        "key": suppression.key,
                        "reason": suppression.reason,
                        "detail": suppression.detail,
                        "at": at,
                    }
                )
            else:
                writer.writerow(
                    [
                        escape_formula(x)
                        for x in (suppression.key, suppression.reason, suppression.detail, at)
                    ]
                )


def _one_line(text: str) -> str:
    return " ".join(text.split())[:32] or "by hand"

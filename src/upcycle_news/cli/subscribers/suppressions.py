"""`upcycle-news subscribers suppress|unsuppress|suppressions`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from upcycle_news.cli.output import JsonOption, note, open_publication, print_json

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
    with open_publication() as app:
        if target is not None and file is None:
            report = app.suppressions.add(target, reason=reason)
        elif file is not None and target is None:
            report = app.suppressions.import_file(file, reason=reason)
        else:
            raise typer.BadParameter("name an address, a @domain, or a --file")
    if as_json:
        print_json(report.as_dict())
    else:
        counts = f"{report.suppressed} suppressed, {report.known} known"
        typer.echo(f"{counts}, {len(report.invalid)} invalid")
        for line in report.invalid:
            note(f"{file or 'argument'}:{line.line}: invalid: {line.reason}")
    if target is not None and report.invalid:
        raise typer.Exit(1)


def unsuppress(target: Target) -> None:
    """Undo a suppression; the address gets mail again only with consent.

    Example: upcycle-news subscribers unsuppress a@example.org
    """
    with open_publication() as app:
        app.suppressions.remove(target)
    typer.echo("unsuppressed")


def suppressions(as_json: JsonOption = False) -> None:
    """List all suppressions as CSV, oldest first; erased addresses are keyed hashes.

    Example: upcycle-news subscribers suppressions > suppressed.csv
    """
    with open_publication() as app:
        if as_json:
            for suppression in app.suppressions.list():
                print_json(suppression.as_dict())
        else:
            for line in app.suppressions.csv():
                sys.stdout.write(line)

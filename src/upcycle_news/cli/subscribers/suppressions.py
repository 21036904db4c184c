"""`upcycle-news subscribers suppress|unsuppress|suppressions`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from upcycle_news.cli.completion import issue_ids
from upcycle_news.cli.output import JsonOption, note, open_publication, print_json
from upcycle_news.models import IssueId

IssueOption = Annotated[
    str,
    typer.Option(
        "--issue", metavar="ISSUE", help="Only those of this issue.", autocompletion=issue_ids
    ),
]


def suppress(
    target: Annotated[str | None, typer.Argument(metavar="[ADDRESS|@DOMAIN]")] = None,
    file: Annotated[
        Path | None, typer.Option(help="A list from another system: CSV, or one a line.")
    ] = None,
    reason: Annotated[
        str, typer.Option(help="Such as complaint, bounced, or unsubscribed.")
    ] = "by hand",
    pending: Annotated[
        bool, typer.Option("--pending", help="Confirm the suppressions that wait for a decision.")
    ] = False,
    issue: IssueOption = "",
    as_json: JsonOption = False,
) -> None:
    """Never write to an address or a whole domain again, nor to those another system suppressed.

    Example: upcycle-news subscribers suppress --file suppressed.csv --reason unsubscribed
    """
    if pending:
        if target is not None or file is not None:
            raise typer.BadParameter("--pending confirms what waits: no address and no --file")
        with open_publication() as app:
            _print_count("suppressed", app.suppressions.confirm_pending(_id(issue)), as_json)
        return
    if issue:
        raise typer.BadParameter("--issue belongs to --pending")
    with open_publication() as app:
        if target is not None and file is None:
            report = app.suppressions.add(target, reason=reason)
        elif file is not None and target is None:
            report = app.suppressions.import_file(file, reason=reason)
        else:
            raise typer.BadParameter("name an address, a @domain, a --file, or --pending")
    if as_json:
        print_json(report.as_dict())
    else:
        counts = f"{report.suppressed} suppressed, {report.known} known"
        typer.echo(f"{counts}, {len(report.invalid)} invalid")
        for line in report.invalid:
            note(f"{file or 'argument'}:{line.line}: invalid: {line.reason}")
    if target is not None and report.invalid:
        raise typer.Exit(1)


def unsuppress(
    target: Annotated[str | None, typer.Argument(metavar="[ADDRESS|@DOMAIN]")] = None,
    pending: Annotated[
        bool, typer.Option("--pending", help="Drop the suppressions that wait for a decision.")
    ] = False,
    issue: IssueOption = "",
    as_json: JsonOption = False,
) -> None:
    """Undo a suppression; the address gets mail again only with consent.

    With --issue whatever bounces and refusals of that issue suppressed; complaints stay.
    Example: upcycle-news subscribers unsuppress a@example.org
    """
    if (target is None) == (not pending and not issue):
        raise typer.BadParameter("name an address or a @domain, or use --pending or --issue")
    with open_publication() as app:
        if pending:
            _print_count("dropped", app.suppressions.drop_pending(_id(issue)), as_json)
        elif issue:
            _print_count("unsuppressed", app.suppressions.remove_of_issue(issue), as_json)
        else:
            assert target is not None
            app.suppressions.remove(target)
            _print_count("unsuppressed", 1, as_json, alone=True)


def _id(issue: str) -> str:
    return str(IssueId.parse(issue)) if issue else ""


def _print_count(what: str, count: int, as_json: bool, *, alone: bool = False) -> None:
    if as_json:
        print_json({what: count})
    else:
        typer.echo(what if alone else f"{count} {what}")


def suppressions(
    pending: Annotated[
        bool,
        typer.Option(
            "--pending", help="Those that wait for a decision; until then the readers get mail."
        ),
    ] = False,
    issue: IssueOption = "",
    as_json: JsonOption = False,
) -> None:
    """List all suppressions as CSV, oldest first; erased addresses are keyed hashes.

    Example: upcycle-news subscribers suppressions > suppressed.csv
    """
    if issue and not pending:
        raise typer.BadParameter("--issue belongs to --pending")
    with open_publication() as app:
        if as_json:
            rows = app.suppressions.pending(_id(issue)) if pending else app.suppressions.list()
            for suppression in rows:
                print_json(suppression.as_dict())
        else:
            for line in app.suppressions.csv(pending=pending, issue=_id(issue)):
                sys.stdout.write(line)

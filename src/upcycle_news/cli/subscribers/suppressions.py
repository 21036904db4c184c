"""`upcycle-news subscribers suppress|unsuppress|suppressions`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upcycle_news.cli.completion import issue_ids
from upcycle_news.cli.output import JsonOption, note, open_publication, print_json, usage_error
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import IssueId
from upcycle_news.models.welcome import SERIES

if TYPE_CHECKING:
    from upcycle_news.api import App

IssueOption = Annotated[
    str,
    typer.Option(
        "--issue",
        metavar="ISSUE",
        help="Only those of this issue, or of the 'welcome'.",
        autocompletion=issue_ids,
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
            raise usage_error(localized("pending-alone"))
        with open_publication() as app:
            count = app.suppressions.confirm_pending(_id(issue))
            _print_count(
                "suppressed", count, as_json, localized("suppressed-now", addresses=count), app
            )
        return
    if issue:
        raise usage_error(localized("pending-issue"))
    with open_publication() as app:
        if target is not None and file is None:
            report = app.suppressions.add(target, reason=reason)
        elif file is not None and target is None:
            report = app.suppressions.import_file(file, reason=reason)
        else:
            raise usage_error(localized("suppress-what"))
        language = app.language
    if as_json:
        print_json(report.as_dict())
    else:
        counts = localized(
            "suppressed-list",
            suppressed=report.suppressed,
            known=report.known,
            invalid=len(report.invalid),
        )
        typer.echo(counts.in_language(language))
        for line in report.invalid:
            text = localized("import-line-invalid", reason=line.reason)
            note(f"{file or 'argument'}:{line.line}: {text.in_language(language)}")
        if report.guessed:
            note(f"{file}: {report.guessed}")
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
        raise usage_error(localized("unsuppress-what"))
    with open_publication() as app:
        if pending:
            count = app.suppressions.drop_pending(_id(issue))
            _print_count("dropped", count, as_json, localized("dropped-now", addresses=count), app)
        elif issue:
            count = app.suppressions.remove_of_issue(issue)
            text = localized("unsuppressed-now", addresses=count)
            _print_count("unsuppressed", count, as_json, text, app)
        else:
            assert target is not None
            app.suppressions.remove(target)
            _print_count("unsuppressed", 1, as_json, localized("unsuppressed-one"), app)


def _id(issue: str) -> str:
    return str(IssueId.parse(issue)) if issue not in ("", SERIES) else issue


def _print_count(what: str, count: int, as_json: bool, text: LocalizedText, app: App) -> None:
    if as_json:
        print_json({what: count})
    else:
        typer.echo(text.in_language(app.language))


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
        raise usage_error(localized("pending-issue"))
    with open_publication() as app:
        if as_json:
            rows = app.suppressions.pending(_id(issue)) if pending else app.suppressions.list()
            for suppression in rows:
                print_json(suppression.as_dict())
        else:
            for line in app.suppressions.csv(pending=pending, issue=_id(issue)):
                sys.stdout.write(line)

"""`upcycle-news subscribers add|import|export|show|unsubscribe`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upcycle_news.cli.output import (
    JsonOption,
    note,
    open_publication,
    print_json,
    progress_bar,
)
from upcycle_news.i18n.messages import LocalizedText, localized

if TYPE_CHECKING:
    from upcycle_news.api.subscribers import ImportReport

Consent = Annotated[
    str,
    typer.Option(metavar='"SOURCE, DATE"', help="Where consent came from; kept as proof."),
]
Address = Annotated[str, typer.Argument(metavar="ADDRESS")]


def add(
    address: Address,
    consent: Consent,
    name: Annotated[str, typer.Option(help="As it stands in the To line.")] = "",
    language: Annotated[str | None, typer.Option(metavar="de|en")] = None,
    topic: Annotated[list[str] | None, typer.Option(help="May be given several times.")] = None,
    group: Annotated[
        list[str] | None, typer.Option(help="A test group, such as 'redaktion'.")
    ] = None,
) -> None:
    """Add one subscriber whose consent is documented.

    Example: upcycle-news subscribers add a@example.org --consent "letter of 3 May 2026"
    """
    with open_publication() as app:
        result = app.subscribers.add(
            address,
            consent=consent,
            name=name,
            language=language or "",
            topics=topic or (),
            groups=group or (),
        )
    typer.echo(result.value)


def import_(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE.csv", help="Columns: email, name, language, topics, groups."),
    ],
    consent: Consent,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="THEIRS=ours", help='Another name of a column, as in "Mail=email".'),
    ] = None,
    ignore_column: Annotated[
        list[str] | None,
        typer.Option(metavar="THEIRS", help="A column that is not read, whatever it may say."),
    ] = None,
    take: Annotated[
        list[str] | None,
        typer.Option(metavar="WORD", help='Take those of this status, too, such as "enabled".'),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report only.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Import a list of subscribers who consented; reports every line that was skipped.

    Who unsubscribed or is suppressed stays so, and lines that the list marks as unsubscribed are skipped.
    Example: upcycle-news subscribers import list.csv --consent "paper list, 3 May 2026"
    """
    with open_publication() as app:
        language = app.language
        report = app.subscribers.import_csv(
            file,
            consent=consent,
            columns=column or (),
            ignore=ignore_column or (),
            take=take or (),
            dry_run=dry_run,
            progress=progress_bar,
        )
    if as_json:
        print_json(report.as_dict())
        return
    typer.echo(_import_counts(report, dry_run=dry_run).in_language(language))
    for place, text in _import_notes(file, report):
        note(f"{place}: {text.in_language(language)}")


def _import_counts(report: ImportReport, *, dry_run: bool) -> LocalizedText:
    counts = {
        "added": report.added,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "skipped": len(report.skipped),
        "invalid": len(report.invalid),
    }
    if dry_run:
        return localized("import-would", **counts)
    return localized("import-done", **counts)


def _import_notes(file: Path, report: ImportReport) -> Iterator[tuple[str, LocalizedText]]:
    """Yield what is said of the lines of a list, and of the whole of it, with the place."""
    for line in report.skipped:
        yield f"{file}:{line.line}", localized("import-line-skipped", reason=line.reason)
    if report.has_unknown_status:
        yield str(file), localized("list-take")
    for line in report.invalid:
        yield f"{file}:{line.line}", localized("import-line-invalid", reason=line.reason)
    for line in report.notes:
        yield f"{file}:{line.line}", localized("untranslated", text=line.reason)
    if report.guessed:
        yield str(file), localized("untranslated", text=report.guessed)
    if report.unread:
        yield f"{file}:1", localized("list-unread", columns=report.unread)


def export(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE.csv]", help="Default: standard output.")
    ] = None,
) -> None:
    """Write all subscribers as CSV, in the form that import reads.

    Example: upcycle-news subscribers export list.csv
    """
    with open_publication() as app:
        text = app.subscribers.export_csv(file)
    show_list(text, file)


def show_list(text: str, file: Path | None) -> None:
    """Print a list, or the name of the file that holds it."""
    if file is None:
        sys.stdout.write(text)
    else:
        note(f"written to {file}")


def show(address: Address, as_json: JsonOption = False) -> None:
    """Show everything that is stored about one subscriber.

    Example: upcycle-news subscribers show a@example.org --json
    """
    with open_publication() as app:
        record = app.subscribers.show(address).as_dict()
    if as_json:
        print_json(record)
        return
    for key in ("email", "name", "language", "status", "created_at"):
        typer.echo(f"{key:<11} {record[key] or '-'}")
    for key in ("topics", "groups"):
        typer.echo(f"{key:<11} {', '.join(record[key]) or '-'}")
    for consent in record["consents"]:
        typer.echo(f"consent     {consent['given_at']} {consent['purpose']}: {consent['source']}")
        for key in ("wording", "confirmed_at", "ended_at", "ip"):
            if consent[key]:
                typer.echo(f"  {key:<9} {consent[key]}")
    for unsubscribed in record["departures"]:
        typer.echo(f"left        {unsubscribed['at']} {unsubscribed['way']}")
    for report in record["bounces"]:
        typer.echo(
            f"bounce      {report['at']} {report['issue']} {report['kind']} {report['code']}"
        )
    if suppression := record["suppression"]:
        typer.echo(
            f"suppressed  {suppression['at']} {suppression['reason']}: {suppression['detail']}"
        )
    for delivery in record["deliveries"]:
        why = f" ({delivery['reason']})" if delivery["reason"] else ""
        typer.echo(f"issue       {delivery['issue']} {delivery['state']} {delivery['at']}{why}")


def unsubscribe(address: Address) -> None:
    """Unsubscribe an address at once; only its owner can subscribe again.

    Example: upcycle-news subscribers unsubscribe a@example.org
    """
    with open_publication() as app:
        left = app.subscribers.unsubscribe(address)
    typer.echo("unsubscribed" if left else "had left already")

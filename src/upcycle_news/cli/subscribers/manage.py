"""`upcycle-news subscribers add|import|export|show|unsubscribe`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from upcycle_news.app.context import AppContext
from upcycle_news.cli.output import (
    JsonOption,
    note,
    open_context,
    print_json,
    progress_bar,
)
from upcycle_news.errors import ContentError, UpcycleError
from upcycle_news.fileio import write_atomically
from upcycle_news.models import EmailAddress, Subscriber
from upcycle_news.storage import subscribers
from upcycle_news.storage.personal_data import personal_data_of
from upcycle_news.storage.subscribers import NewSubscriber, add_subscribers, all_subscribers, find
from upcycle_news.subscribers.csv_lists import (
    LISTED_AS,
    clean_name,
    parse_column_mapping,
    read_subscribers_csv,
    write_subscribers_csv,
)

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
    with open_context() as context:
        subscriber = NewSubscriber(
            email=EmailAddress.parse(address),
            name=clean_name(name),
            language=_language(language),
            topics=tuple(topic or ()),
            groups=tuple(group or ()),
        )
        report = add_subscribers(
            context.store,
            [subscriber],
            source=_source(consent),
            now=context.clock(),
            dry_run=False,
            language=context.settings.publication.language,
            override_preferences=True,  # one address, by hand: perhaps its owner asked for it
        )
    if report.skipped:
        raise UpcycleError(f"not added: {report.skipped[0][1]}")
    typer.echo("added" if report.added else "updated" if report.updated else "unchanged")


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
    words = {word.strip().lower() for word in take or ()}
    with open_context() as context:
        source = _source(consent)
        try:
            data = file.read_bytes()
        except OSError as error:
            raise ContentError(
                file, None, f"cannot be read ({error.strerror}); check the path"
            ) from None
        mapping = parse_column_mapping(column or ())
        with progress_bar("reading", data.count(b"\n")) as progress:
            parsed = read_subscribers_csv(
                data,
                where=str(file),
                columns=mapping,
                take=words,
                progress=progress,
            )
        with progress_bar("adding", len(parsed.subscribers)) as progress:
            report = add_subscribers(
                context.store,
                parsed.subscribers,
                source=source,
                now=context.clock(),
                dry_run=dry_run,
                language=context.settings.publication.language,
                progress=progress,
            )
    skipped = sorted([*parsed.skipped, *report.skipped])
    if as_json:
        print_json(
            {
                "added": report.added,
                "updated": report.updated,
                "unchanged": report.unchanged,
                "skipped": [{"line": line, "reason": reason} for line, reason in skipped],
                "invalid": [{"line": line, "reason": reason} for line, reason in parsed.invalid],
                "unread": list(parsed.unread),
            }
        )
        return
    would = "would be " if dry_run else ""
    typer.echo(
        f"{report.added} {would}added, {report.updated} {would}updated, "
        f"{report.unchanged} unchanged, {len(skipped)} skipped, {len(parsed.invalid)} invalid"
    )
    for line, reason in skipped:
        note(f"{file}:{line}: skipped: {reason}")
    if any(reason.startswith(LISTED_AS) for _, reason in parsed.skipped):
        note(f"{file}: --take WORD takes those of a status, if it means that they want your mail")
    for line, reason in parsed.invalid:
        note(f"{file}:{line}: invalid: {reason}")
    if parsed.unread:
        note(f"{file}:1: not read: {', '.join(parsed.unread)}; --column THEIRS=ours takes a column")


def export(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE.csv]", help="Default: standard output.")
    ] = None,
) -> None:
    """Write all subscribers as CSV, in the form that import reads.

    Example: upcycle-news subscribers export list.csv
    """
    with open_context() as context:
        text = write_subscribers_csv(all_subscribers(context.store))
    if file is None:
        sys.stdout.write(text)
    else:
        write_atomically(file, text.encode(), private=True)
        note(f"written to {file}")


def show(address: Address, as_json: JsonOption = False) -> None:
    """Show everything that is stored about one subscriber.

    Example: upcycle-news subscribers show a@example.org --json
    """
    with open_context() as context:
        record = personal_data_of(context.store, _find_subscriber(context, address))
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
    with open_context() as context:
        left = subscribers.unsubscribe(
            context.store, _find_subscriber(context, address), now=context.clock()
        )
    typer.echo("unsubscribed" if left else "had left already")


def _find_subscriber(context: AppContext, address: str) -> Subscriber:
    subscriber = find(context.store, EmailAddress.parse(address))
    if subscriber is None:
        raise UpcycleError("no subscriber has this address")
    return subscriber


def _language(language: str | None) -> str:
    if language not in (None, "de", "en"):
        raise typer.BadParameter("--language takes de or en")
    return language or ""


def _source(consent: str) -> str:
    source = " ".join(consent.split())
    if not source:
        raise typer.BadParameter('--consent is empty: say where and when, as in "form, 3 May 2026"')
    return source

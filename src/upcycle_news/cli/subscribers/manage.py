"""`upcycle-news subscribers add|import|list|find|export|show|unsubscribe`."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

from upcycle_news.cli.output import JsonOption, note, open_publication, print_json, progress_bar
from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models.digest import Rhythm

if TYPE_CHECKING:
    from upcycle_news.api import App
    from upcycle_news.api.subscribers import ImportReport, Progress
    from upcycle_news.models import Consent as ConsentRecord
    from upcycle_news.models import Subscriber

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
    rhythm: Annotated[
        Rhythm | None,
        typer.Option(
            metavar="every_issue|digest",
            help="Each issue, or the digest; of known ones from its next period on.",
        ),
    ] = None,
) -> None:
    """Add one subscriber whose consent is documented.

    Example: upcycle-news subscribers add a@example.org --consent "letter of 3 May 2026"
    """
    with open_publication() as app:
        language_of_sentences = app.language
        result = app.subscribers.add(
            address,
            consent=consent,
            name=name,
            language=language or "",
            topics=topic or (),
            groups=group or (),
            rhythm=rhythm,
        )
    typer.echo(_added(result.value).in_language(language_of_sentences))


def _added(result: str) -> LocalizedText:
    if result == "added":
        return localized("subscriber-added")
    if result == "updated":
        return localized("subscriber-updated")
    return localized("subscriber-unchanged")


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.csv", help="Columns: email, name, language, topics, groups, rhythm."
        ),
    ],
    consent: Consent = "",
    ask: Annotated[
        bool,
        typer.Option("--ask", help="Nobody can show their consent: ask each of them once by mail."),
    ] = False,
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
    A column that may say no and is not read refuses the list. With --ask nobody is subscribed: each gets
    one mail, and is subscribed by confirming it.
    Example: upcycle-news subscribers import list.csv --consent "paper list, 3 May 2026"
    """
    with open_publication() as app:
        language, days = app.language, app.settings.audience.confirm_days
        has_relay = bool(app.settings.relays)
        reading: _Reading = {
            "columns": column or (),
            "ignore": ignore_column or (),
            "take": take or (),
            "dry_run": dry_run,
            "progress": progress_bar,
        }
        if ask:
            report = app.subscribers.ask_csv(file, origin=consent, **reading)
        else:
            report = app.subscribers.import_csv(file, consent=consent, **reading)
    if as_json:
        print_json(report.as_dict())
        return
    counts = _ask_counts if ask else _import_counts
    typer.echo(counts(report, dry_run=dry_run).in_language(language))
    if ask and report.asked and not dry_run:
        note(localized("import-ask-mailed", days=days).in_language(language))
        if not has_relay:
            note(localized("ask-waits-for-relay").in_language(language))
    for place, text in _import_notes(file, report):
        note(f"{place}: {text.in_language(language)}")


class _Reading(TypedDict):
    columns: Iterable[str]
    ignore: Collection[str]
    take: Collection[str]
    dry_run: bool
    progress: Progress


def _import_counts(report: ImportReport, *, dry_run: bool) -> LocalizedText:
    added, updated, unchanged = report.added, report.updated, report.unchanged
    skipped, invalid = len(report.skipped), len(report.invalid)
    if dry_run:
        return localized(
            "import-would",
            added=added,
            updated=updated,
            unchanged=unchanged,
            skipped=skipped,
            invalid=invalid,
        )
    return localized(
        "import-done",
        added=added,
        updated=updated,
        unchanged=unchanged,
        skipped=skipped,
        invalid=invalid,
    )


def _ask_counts(report: ImportReport, *, dry_run: bool) -> LocalizedText:
    asked, skipped, invalid = report.asked, len(report.skipped), len(report.invalid)
    if dry_run:
        return localized("import-would-ask", asked=asked, skipped=skipped, invalid=invalid)
    return localized("import-asked", asked=asked, skipped=skipped, invalid=invalid)


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
        show_list(app.subscribers.export_csv(file), file, app.language)


def show_list(text: str, file: Path | None, language: str) -> None:
    """Print a list, or the name of the file that holds it."""
    if file is None:
        sys.stdout.write(text)
    else:
        note(localized("list-written", file=str(file)).in_language(language))


def list_(
    status: Annotated[
        str, typer.Option(metavar="STATUS", help="Only pending, confirmed or unsubscribed ones.")
    ] = "",
    topic: Annotated[str, typer.Option(help="Only those who chose this topic.")] = "",
    group: Annotated[str, typer.Option(help="Only those of this group.")] = "",
    as_json: JsonOption = False,
) -> None:
    """List the subscribers, oldest first.

    Example: upcycle-news subscribers list --status confirmed
    """
    with open_publication() as app:
        _print_subscribers(
            app, app.subscribers.search(status=status, topic=topic, group=group), as_json=as_json
        )


def find(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A part of an address or a name.")],
    as_json: JsonOption = False,
) -> None:
    """Find subscribers by a part of their address or name; exit code 1 if there is none.

    Example: upcycle-news subscribers find arendt
    """
    with open_publication() as app:
        if not _print_subscribers(app, app.subscribers.search(text), as_json=as_json):
            raise UpcycleError(localized("subscriber-none-matches"))


def _print_subscribers(app: App, subscribers: Iterable[Subscriber], *, as_json: bool) -> int:
    count = 0
    for subscriber, rhythm in app.subscribers.with_rhythms(subscribers):
        count += 1
        if as_json:
            print_json({**subscriber.as_dict(), "rhythm": rhythm.as_dict()})
            continue
        often = rhythm.chosen.value if rhythm.chosen is Rhythm.DIGEST else ""
        topics = ", ".join(subscriber.topics)
        parts = (subscriber.email.address, subscriber.name, topics, often)
        typer.echo(
            f"{subscriber.status:<12} {subscriber.language}  {'  '.join(filter(None, parts))}"
        )
    return count


def show(address: Address, as_json: JsonOption = False) -> None:
    """Show everything that is stored about one subscriber, or the proof left of one who was forgotten.

    Example: upcycle-news subscribers show a@example.org --json
    """
    with open_publication() as app:
        if app.subscribers.find(address) is None and (
            proofs := app.subscribers.consent_proofs(address)
        ):
            _print_proofs(proofs, as_json=as_json)
            return
        record = app.subscribers.show(address).as_dict()
        rhythm = app.subscribers.rhythm(record["id"]).rhythm
        record["rhythm"] = rhythm.as_dict()
    if as_json:
        print_json(record)
        return
    for key in ("email", "name", "language", "status", "created_at"):
        typer.echo(f"{key:<11} {record[key] or '-'}")
    for key in ("topics", "groups"):
        typer.echo(f"{key:<11} {', '.join(record[key]) or '-'}")
    typer.echo(f"rhythm      {rhythm.present}")
    if rhythm.coming is not None:
        typer.echo(f"  from      {rhythm.changes_on} {rhythm.coming}")
    for consent in record["consents"]:
        _print_consent(consent)
    for change in record["address_changes"]:
        ended = change["confirmed_at"] or change["ended_at"] or "-"
        typer.echo(f"address     {change['requested_at']} {ended} {change['new'] or '-'}")
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


def _print_proofs(proofs: Iterable[ConsentRecord], *, as_json: bool) -> None:
    """Print the proofs of consent of somebody who left and was forgotten."""
    rows = [proof.as_dict() for proof in proofs]
    if as_json:
        print_json({"status": "forgotten", "consents": rows})
        return
    typer.echo("status      forgotten")
    for row in rows:
        _print_consent(row)


def _print_consent(row: dict[str, Any]) -> None:
    typer.echo(f"consent     {row['given_at']} {row['purpose']}: {row['source']}")
    for key in ("text", "wording", "confirmed_at", "ended_at", "ip"):
        if row[key]:
            typer.echo(f"  {key:<9} {row[key]}")


def unsubscribe(address: Address) -> None:
    """Unsubscribe an address at once; only its owner can subscribe again.

    Example: upcycle-news subscribers unsubscribe a@example.org
    """
    with open_publication() as app:
        language, left = app.language, app.subscribers.unsubscribe(address)
    text = localized("unsubscribed-now") if left else localized("unsubscribed-before")
    typer.echo(text.in_language(language))

"""`upcycle-news feeds …`: collect feeds, show their health, and edit feeds.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from upcycle_news.cli.output import JsonOption, note, open_publication, print_json
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.i18n.recognition import recognise


def collect(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME…]", help="Only these feeds, also those that have stopped."),
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Also feeds asked a short while ago or failing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask all active feeds for news; a feed that fails is reported and stops nothing.

    Example: upcycle-news feeds collect
    """
    with open_publication() as app:
        report, language = app.feeds.collect(names or (), everything=all_), app.language
    if as_json:
        print_json(report.as_dict())
        return
    done = localized(
        "feeds-collected",
        feeds=localized("feeds-count", count=report.asked),
        unchanged=report.unchanged,
        items=localized("feeds-new-items", count=report.items),
        failed=len(report.failed),
    )
    typer.echo(done.in_language(language))
    if report.pull:
        note(recognise(report.pull, "findings").in_language(language))
    for name, sentence in report.failed:
        note(_said(name, sentence).in_language(language))
    for name, sentence in report.waiting:
        said = recognise(sentence, "feeds")
        note(localized("feeds-not-asked", name=name, sentence=said).in_language(language))
    for name, sentence in report.problems:
        note(_said(name, sentence).in_language(language))


def _said(name: str, sentence: str) -> LocalizedText:
    return localized("feeds-said", name=name, sentence=recognise(sentence, "feeds"))


def health(as_json: JsonOption = False) -> None:
    """Show each feed's last success and what is wrong with it.

    Example: upcycle-news feeds health
    """
    with open_publication() as app:
        feeds, language = app.feeds.health(), app.language
    for feed in feeds:
        if as_json:
            print_json(feed.as_dict())
        else:
            typer.echo(f"{feed.name}: {recognise(feed.health, 'feeds').in_language(language)}")


def show(
    sources: Annotated[list[str], typer.Argument(metavar="FILE_OR_URL…", help="Feeds to read.")],
    as_json: JsonOption = False,
) -> None:
    """Print what the program makes of feeds, from files or addresses; nothing is remembered.

    Example: upcycle-news feeds show https://example.org/feed
    """
    from upcycle_news.api import open_app

    unusable = 0
    with open_app() as app:  # reading a feed needs no publication
        for feed in app.feeds.show(sources):
            unusable += not feed.parsed.usable
            if as_json:
                print_json(feed.as_dict())
                continue
            kind = feed.parsed.format or localized("feeds-no-feed").in_language(app.language)
            typer.echo(f"{feed.source}: {kind} {feed.parsed.title}".rstrip())
            for item in feed.parsed.items:
                typer.echo(f"  {item.date:%Y-%m-%d %H:%M} ({item.date_source})  {item.title}")
                typer.echo(f"    {item.link}")
            for problem in feed.parsed.problems:
                text = localized("feeds-problem", sentence=recognise(problem, "feeds"))
                typer.echo(f"  {text.in_language(app.language)}")
    if unusable:
        raise typer.Exit(1)


def discover(
    url: Annotated[str, typer.Argument(metavar="URL", help="A web page.")],
    as_json: JsonOption = False,
) -> None:
    """Find the feeds of a web page: those it announces, else the usual places.

    Example: upcycle-news feeds discover https://example.org
    """
    with open_publication() as app:
        feeds, language = app.feeds.discover(url), app.language
    for feed in feeds:
        if as_json:
            print_json(feed.as_dict())
        else:
            entries = localized("feeds-entries", count=feed.entries).in_language(language)
            typer.echo(f"{feed.url}  {feed.title} ({entries})")
    if not feeds:
        note(localized("feeds-none-found", url=url).in_language(language))
        raise typer.Exit(1)


def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="A feed, or a page that has one.")],
    name: Annotated[str, typer.Option(help="What readers see; default: the feed's title.")] = "",
    topic: Annotated[
        list[str] | None, typer.Option("--topic", help="May be given several times.")
    ] = None,
) -> None:
    """Read a feed and add it to feeds.toml.

    Example: upcycle-news feeds add https://example.org/feed --topic bestand
    """
    with open_publication() as app:
        feed = app.feeds.add(url, name=name, topics=topic or ())
        text = localized("feeds-added", name=feed.name, url=feed.url, file=app.settings.feeds.file)
        typer.echo(text.in_language(app.language))


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.opml", help="A list of feeds as OPML.")],
    as_json: JsonOption = False,
) -> None:
    """Add the feeds of an OPML file to feeds.toml; those that are there already are left alone.

    Example: upcycle-news feeds import subscriptions.opml
    """
    with open_publication() as app:
        report, language = app.feeds.import_opml(file), app.language
    if as_json:
        print_json(report.as_dict())
    else:
        text = localized(
            "feeds-imported",
            feeds=localized("feeds-count", count=len(report.added)),
            skipped=len(report.reasons),
        )
        typer.echo(text.in_language(language))
        for reason in report.reasons:
            note(reason.in_language(language))
    if report.failed:
        raise typer.Exit(1)


def export() -> None:
    """Print the list of feeds as OPML, which other programs can import.

    Example: upcycle-news feeds export > feeds.opml
    """
    with open_publication() as app:
        typer.echo(app.feeds.export_opml(), nl=False)

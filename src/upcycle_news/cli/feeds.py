"""`upcycle-news feeds …`: collect feeds, show their health, and edit feeds.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from upcycle_news.cli.output import (
    JsonOption,
    note,
    open_publication,
    print_json,
)
from upcycle_news.i18n.messages import format_count


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
        report = app.feeds.collect(names or (), everything=all_)
    if as_json:
        print_json(report.as_dict())
        return
    typer.echo(
        f"{format_count(report.asked, 'feed')} asked, {report.unchanged} unchanged, "
        f"{format_count(report.items, 'new item')}, {len(report.failed)} failed"
    )
    if report.pull:
        note(report.pull)
    for name, sentence in report.failed:
        note(f"feed {name}: {sentence}")
    for name, sentence in report.waiting:
        note(f"feed {name} was not asked: {sentence}")
    for name, sentence in report.problems:
        note(f"feed {name}: {sentence}")


def health(as_json: JsonOption = False) -> None:
    """Show each feed's last success and what is wrong with it.

    Example: upcycle-news feeds health
    """
    with open_publication() as app:
        feeds = app.feeds.health()
    for feed in feeds:
        if as_json:
            print_json(feed.as_dict())
        else:
            typer.echo(f"{feed.name}: {feed.health}")


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
            typer.echo(
                f"{feed.source}: {feed.parsed.format or 'no feed'} {feed.parsed.title}".rstrip()
            )
            for item in feed.parsed.items:
                typer.echo(f"  {item.date:%Y-%m-%d %H:%M} ({item.date_source})  {item.title}")
                typer.echo(f"    {item.link}")
            for problem in feed.parsed.problems:
                typer.echo(f"  problem: {problem}")
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
        feeds = app.feeds.discover(url)
    for feed in feeds:
        if as_json:
            print_json(feed.as_dict())
        else:
            typer.echo(f"{feed.url}  {feed.title} ({feed.entries} entries)")
    if not feeds:
        note(f"{url}: no feed was found there")
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
        typer.echo(f"{feed.name}: {feed.url} is in {app.settings.feeds.file} now")


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.opml", help="A list of feeds as OPML.")],
    as_json: JsonOption = False,
) -> None:
    """Add the feeds of an OPML file to feeds.toml; those that are there already are left alone.

    Example: upcycle-news feeds import subscriptions.opml
    """
    with open_publication() as app:
        report = app.feeds.import_opml(file)
    if as_json:
        print_json(report.as_dict())
    else:
        typer.echo(
            f"{format_count(len(report.added), 'feed')} added, {len(report.skipped)} left out"
        )
        for sentence in report.skipped:
            note(sentence)
    if report.failed:
        raise typer.Exit(1)


def export() -> None:
    """Print the list of feeds as OPML, which other programs can import.

    Example: upcycle-news feeds export > feeds.opml
    """
    with open_publication() as app:
        typer.echo(app.feeds.export_opml(), nl=False)

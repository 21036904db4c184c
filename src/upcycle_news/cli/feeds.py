"""`upcycle-news feeds …`: ask the feeds, and see how they do."""

from __future__ import annotations

from typing import Annotated

import typer

from upcycle_news.cli.output import AsJson, newsroom, note, say_json

app = typer.Typer(no_args_is_help=True, help="Ask the feeds, and see how they do.")


@app.command()
def collect(
    all_: Annotated[
        bool, typer.Option("--all", help="Also feeds that were asked a short while ago.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask all active feeds for news; a feed that fails is reported and stops nothing.

    Example: upcycle-news feeds collect
    """
    from upcycle_news.steps.collecting import collect_feeds

    with newsroom() as room:
        report = collect_feeds(room, everything=all_)
        if as_json:
            say_json(report.as_dict())
            return
        typer.echo(
            f"{report.asked} feeds asked, {report.unchanged} unchanged, {report.items} new items, "
            f"{len(report.failed)} failed"
        )
        for name, sentence in report.failed:
            note(f"feed {name}: {sentence}")


@app.command()
def health(as_json: AsJson = False) -> None:
    """Show each feed's last success and what is wrong with it.

    Example: upcycle-news feeds health
    """
    from upcycle_news.steps.collecting import feeds_health

    with newsroom() as room:
        for one in feeds_health(room):
            if as_json:
                say_json(one)
                continue
            told = one["last_error"] or "fine"
            state = told if one["active"] else "not active"
            typer.echo(f"{one['name']}: {state} (last success: {one['succeeded_at'] or 'never'})")

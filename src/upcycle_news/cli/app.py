"""The commands as a tree. Modules are light: what a command needs is imported inside it."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from upcycle_news.cli import (
    alerts,
    archive,
    backup,
    bounces,
    check,
    dkim,
    doctor,
    drain,
    essay,
    feeds,
    init,
    metrics,
    secrets,
    store,
    up,
    web,
)
from upcycle_news.cli.issue import status
from upcycle_news.cli.subscribers import manage

# As people meet them: the road of an issue, those who read it, those who keep it running.
SHELVES = {
    "Write and send": ("init", "demo", "essay", "feeds", "check", "issue", "archive"),
    "Readers": ("subscribers", "bounces", "web"),
    "Run it": (
        *("up", "doctor", "backup", "restore", "store", "secrets", "dkim", "alarms", "metrics"),
        "drain",
    ),
}


class Shelves(TyperGroup):
    """The commands in the order in which they are needed, under a heading each kind."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Every command, those on no shelf last."""
        placed = [name for names in SHELVES.values() for name in names]
        return [*placed, *(name for name in super().list_commands(ctx) if name not in placed)]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the shelves into the help."""
        for title, names in SHELVES.items():
            rows = [(name, self.commands[name].get_short_help_str(64)) for name in names]
            with formatter.section(title):
                formatter.write_dl(rows)


app = typer.Typer(
    name="upcycle-news",
    cls=Shelves,
    help="From essays and related feeds to a newsletter in the reader's mailbox.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(alerts.app, name="alarms")
app.add_typer(archive.app, name="archive")
app.add_typer(dkim.app, name="dkim")
app.add_typer(bounces.app, name="bounces")
app.add_typer(essay.app, name="essay")
app.add_typer(feeds.app, name="feeds")
app.add_typer(status.app, name="issue")
app.add_typer(secrets.app, name="secrets")
app.add_typer(manage.app, name="subscribers")
app.add_typer(store.app, name="store")
app.command("init")(init.init)
app.command("demo")(init.demo)
app.command("check")(check.check)
app.command("drain")(drain.drain)
app.command("metrics")(metrics.metrics)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("doctor")(doctor.doctor)
app.command("web")(web.web)
app.command("up")(up.up)


def _version(asked: bool) -> None:
    if asked:
        from upcycle_news import __version__

        typer.echo(f"upcycle-news {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """From essays and related feeds to a newsletter in the reader's mailbox.

    A publication is a folder with newsletter.toml, content/ and templates/; commands work on the
    one in the current folder, or in UPCYCLE_NEWS_HOME. Example: upcycle-news issue preview
    """

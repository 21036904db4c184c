"""`upcycle-news bounces …`: what came back, and what became of it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from upcycle_news.cli.output import AsJson, open_context, say_json

app = typer.Typer(no_args_is_help=True, help="What came back: bounces and complaints.")


@app.command()
def collect(as_json: AsJson = False) -> None:
    """Read the inbox: hard bounces and complaints suppress, soft ones count, people's mail stays.

    Example: upcycle-news bounces collect
    """
    from upcycle_news.services.bounces import process

    with open_context() as context:
        told = process.collect(context)
    if as_json:
        say_json(told.as_dict())
        return
    parts = [f"{count} {name.replace('_', ' ')}" for name, count in told.as_dict().items() if count]
    typer.echo(", ".join(parts) or "the inbox is empty")


@app.command("list")
def list_(
    issue: Annotated[str, typer.Option(help="Only of this issue.")] = "",
    kind: Annotated[str, typer.Option(help="hard, soft, blocked or complaint.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the reports, newest first, without addresses.

    Example: upcycle-news bounces list --kind hard
    """
    from upcycle_news.storage import bounces

    with open_context() as context:
        for one in bounces.listed(context.store, issue=issue, kind=kind):
            at = one.at.isoformat(timespec="seconds")
            if as_json:
                say_json(
                    {
                        "id": one.id, "issue": one.issue, "subscriber": one.subscriber,
                        "kind": one.kind, "understood": one.understood, "code": one.code,
                        "reason": one.reason, "at": at,
                    }
                )  # fmt: skip
            else:
                typer.echo(f"{one.id} {at} {one.issue} {one.kind} {one.code} {one.reason}")


@app.command()
def show(number: Annotated[int, typer.Argument(metavar="NUMBER")]) -> None:
    """Show one raw report as it came, while it is kept.

    Example: upcycle-news bounces show 12
    """
    from upcycle_news.errors import UpcycleError
    from upcycle_news.storage import bounces

    with open_context() as context:
        found = bounces.get(context.store, number)
    if found is None:
        raise UpcycleError(f"there is no report {number}: see 'upcycle-news bounces list'")
    if found.raw is None:
        raise UpcycleError(f"the text of report {number} was deleted after its time")
    sys.stdout.write(found.raw.decode("utf-8", "replace"))

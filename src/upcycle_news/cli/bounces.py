"""`upcycle-news bounces …`: collect and inspect bounces and complaints."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from upcycle_news.cli.output import JsonOption, open_context, print_json
from upcycle_news.errors import UpcycleError
from upcycle_news.services.bounces import process
from upcycle_news.storage import bounces


def collect(as_json: JsonOption = False) -> None:
    """Read the inbox: hard bounces and complaints suppress, soft ones count, people's mail stays.

    Example: upcycle-news bounces collect
    """
    with open_context() as context:
        counts = process.collect(context)
    if as_json:
        print_json(counts.as_dict())
        return
    parts = [
        f"{count} {name.replace('_', ' ')}" for name, count in counts.as_dict().items() if count
    ]
    typer.echo(", ".join(parts) or "the inbox is empty")


def list_(
    issue: Annotated[str, typer.Option(help="Only of this issue.")] = "",
    kind: Annotated[str, typer.Option(help="hard, soft, blocked or complaint.")] = "",
    as_json: JsonOption = False,
) -> None:
    """List the reports, newest first, without addresses.

    Example: upcycle-news bounces list --kind hard
    """
    with open_context() as context:
        for report in bounces.list_bounces(context.store, issue=issue, kind=kind):
            at = report.at.isoformat(timespec="seconds")
            if as_json:
                print_json(
                    {
                        "id": report.id, "issue": report.issue, "subscriber": report.subscriber,
                        "kind": report.kind, "understood": report.understood, "code": report.code,
                        "reason": report.reason, "at": at,
                    }
                )  # fmt: skip
            else:
                typer.echo(
                    f"{report.id} {at} {report.issue} {report.kind} {report.code} {report.reason}"
                )


def show(number: Annotated[int, typer.Argument(metavar="NUMBER")]) -> None:
    """Show one raw report as it came, while it is kept.

    Example: upcycle-news bounces show 12
    """
    with open_context() as context:
        report = bounces.get(context.store, number)
    if report is None:
        raise UpcycleError(f"there is no report {number}: see 'upcycle-news bounces list'")
    if report.raw is None:
        raise UpcycleError(f"the text of report {number} was deleted after its time")
    sys.stdout.write(report.raw.decode("utf-8", "replace"))

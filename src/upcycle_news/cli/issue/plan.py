"""`upcycle-news issue plan`: the next issues of the schedule."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from upcycle_news.cli.output import JsonOption, note, open_publication, print_json

if TYPE_CHECKING:
    from upcycle_news.api.issues import PlannedIssue


def plan(
    count: Annotated[
        int, typer.Option("--count", min=1, max=60, help="So many issues of the schedule.")
    ] = 4,
    as_json: JsonOption = False,
) -> None:
    """Show what the next issues would contain, when they are made, and what stands against it.

    Times come from the schedule in prefect.yaml, on the clock of the publication's time zone.
    Essays follow their dates; feed items are named for the next issue only, as of now.

    Example: upcycle-news issue plan --count 2
    """
    with open_publication() as app:
        schedule = app.issues.plan(count)
    if as_json:
        print_json(schedule.as_dict())
        return
    for planned in schedule.issues:
        for line in _lines(planned, schedule.zone):
            typer.echo(line)
    for sentence in schedule.notes:
        note(sentence)


def _lines(planned: PlannedIssue, zone: ZoneInfo) -> Iterator[str]:
    heading = [f"issue {planned.issue}"]
    if planned.at is not None:
        local = planned.at.astimezone(zone)
        heading.append(f"{local:%A, %d %B %Y, %H:%M} ({zone}, UTC{_offset(local.utcoffset())})")
    elif not planned.state:
        heading.append("by hand")
    if planned.schedule is not None:
        heading.append(planned.schedule.deployment)
    if planned.state:
        heading.append(planned.state)
    elif planned.schedule is not None:
        heading.append(
            "asks for an approval" if planned.schedule.needs_approval else "goes out without asking"
        )
    yield "  ".join(heading)
    for number, essay in enumerate(planned.essays):
        yield f"  {'leads' if number == 0 else 'then '}  {essay.title} ({essay.date})"
    for related in planned.items or ():
        lead = related.story.lead
        yield f"  item   {lead.title} ({lead.feed})"
    yield from (f"  !      {problem}" for problem in planned.problems)


def _offset(offset: timedelta | None) -> str:
    minutes = int((offset or timedelta()).total_seconds()) // 60
    return f"{minutes // 60:+d}" + (f":{minutes % 60:02d}" if minutes % 60 else "")

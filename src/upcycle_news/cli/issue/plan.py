"""`upcycle-news issue plan`: the next issues of the schedule."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from upcycle_news.cli.output import (
    JsonOption,
    note,
    open_context,
    print_json,
)

if TYPE_CHECKING:
    from upcycle_news.app.context import AppContext
    from upcycle_news.services.issues.plan import PlannedIssue


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
    from upcycle_news.services.issues.plan import plan_issues

    with open_context() as context:
        schedule = plan_issues(context, count)
        if as_json:
            zone = context.settings.publication.timezone
            rows = [_as_json(context, planned) for planned in schedule.issues]
            print_json({"timezone": zone, "issues": rows, "notes": list(schedule.notes)})
            return
        for planned in schedule.issues:
            for line in _lines(context, planned):
                typer.echo(line)
    for sentence in schedule.notes:
        note(sentence)


def _lines(context: AppContext, planned: PlannedIssue) -> Iterator[str]:
    heading = [f"issue {planned.issue}"]
    if planned.at is not None:
        zone = context.settings.publication.zone
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


def _as_json(context: AppContext, planned: PlannedIssue) -> dict[str, Any]:
    local = planned.at.astimezone(context.settings.publication.zone) if planned.at else None
    items = None
    if planned.items is not None:
        leads = [related.story.lead for related in planned.items]
        items = [{"title": lead.title, "feed": lead.feed, "link": lead.link} for lead in leads]
    return {
        "issue": str(planned.issue),
        "at": local.isoformat(timespec="minutes") if local else None,
        "deployment": planned.schedule.deployment if planned.schedule else None,
        "asks": planned.schedule.needs_approval if planned.schedule else True,
        "state": planned.state or None,
        "subject": planned.subject or None,
        "essays": [
            {"slug": essay.slug, "title": essay.title, "date": essay.date.isoformat()}
            for essay in planned.essays
        ],
        "items": items,
        "problems": list(planned.problems),
    }

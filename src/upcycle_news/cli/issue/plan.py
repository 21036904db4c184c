"""`upcycle-news issue plan`: what comes next, and when."""

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
        found = plan_issues(context, count)
        if as_json:
            zone = context.settings.publication.timezone
            told = [_as_json(context, one) for one in found.issues]
            print_json({"timezone": zone, "issues": told, "notes": list(found.notes)})
            return
        for one in found.issues:
            for line in _lines(context, one):
                typer.echo(line)
    for sentence in found.notes:
        note(sentence)


def _lines(context: AppContext, one: PlannedIssue) -> Iterator[str]:
    told = [f"issue {one.issue}"]
    if one.at is not None:
        zone = context.settings.publication.zone
        local = one.at.astimezone(zone)
        told.append(f"{local:%A, %d %B %Y, %H:%M} ({zone}, UTC{_offset(local.utcoffset())})")
    elif not one.state:
        told.append("by hand")
    if one.schedule is not None:
        told.append(one.schedule.deployment)
    if one.state:
        told.append(one.state)
    elif one.schedule is not None:
        told.append("asks for an approval" if one.schedule.needs_approval else "goes out without asking")
    yield "  ".join(told)
    for number, essay in enumerate(one.essays):
        yield f"  {'leads' if number == 0 else 'then '}  {essay.title} ({essay.date})"
    for related in one.items or ():
        lead = related.story.lead
        yield f"  item   {lead.title} ({lead.feed})"
    yield from (f"  !      {problem}" for problem in one.problems)


def _offset(offset: timedelta | None) -> str:
    minutes = int((offset or timedelta()).total_seconds()) // 60
    return f"{minutes // 60:+d}" + (f":{minutes % 60:02d}" if minutes % 60 else "")


def _as_json(context: AppContext, one: PlannedIssue) -> dict[str, Any]:
    local = one.at.astimezone(context.settings.publication.zone) if one.at else None
    items = None
    if one.items is not None:
        leads = [related.story.lead for related in one.items]
        items = [{"title": lead.title, "feed": lead.feed, "link": lead.link} for lead in leads]
    return {
        "issue": str(one.issue),
        "at": local.isoformat(timespec="minutes") if local else None,
        "deployment": one.schedule.deployment if one.schedule else None,
        "asks": one.schedule.needs_approval if one.schedule else True,
        "state": one.state or None,
        "subject": one.subject or None,
        "essays": [
            {"slug": essay.slug, "title": essay.title, "date": essay.date.isoformat()}
            for essay in one.essays
        ],
        "items": items,
        "problems": list(one.problems),
    }

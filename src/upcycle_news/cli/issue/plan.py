"""`upcycle-news issue plan`: the next issues of the schedule."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from upcycle_news.cli.output import (
    JsonOption,
    format_time,
    in_language,
    note,
    open_publication,
    print_json,
    say,
)
from upcycle_news.i18n.messages import LocalizedText, localized

if TYPE_CHECKING:
    from upcycle_news.api.issues import PlannedDigest, PlannedIssue


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
            say(line)
    for digest in schedule.digests:
        say(_digest_line(digest, schedule.zone))
    for sentence in schedule.notes:
        note(sentence)


def _lines(planned: PlannedIssue, zone: ZoneInfo) -> Iterator[LocalizedText | str]:
    heading: list[LocalizedText | str] = [localized("plan-issue", issue=planned.issue)]
    if planned.at is not None:
        local = planned.at.astimezone(zone)
        offset, at = _offset(local.utcoffset()), format_time(local)
        heading.append(localized("plan-at", at=at, zone=zone, offset=offset))
    elif not planned.state:
        heading.append(localized("plan-by-hand"))
    if planned.schedule is not None:
        heading.append(planned.schedule.deployment)
    if planned.state:
        heading.append(planned.state)
    elif planned.schedule is not None:
        asks = planned.schedule.needs_approval
        heading.append(localized("plan-asks") if asks else localized("plan-sends"))
    yield "  ".join(map(in_language, heading))
    if planned.file:
        if planned.subject:
            yield localized("plan-file-subject", file=planned.file, subject=planned.subject)
        else:
            yield localized("plan-file", file=planned.file)
    for number, essay in enumerate(planned.essays):
        place = localized("plan-leads") if number == 0 else localized("plan-then")
        yield f"  {in_language(place):<5}  {essay.title} ({essay.date})"
    for related in planned.items or ():
        lead = related.story.lead
        yield localized("plan-item", title=lead.title, feed=lead.feed)
    yield from (f"  !      {problem}" for problem in planned.problems)


def _digest_line(planned: PlannedDigest, zone: ZoneInfo) -> str:
    """Return when a digest is due, of which days, and for how many."""
    last = planned.day - timedelta(days=1)
    parts: list[LocalizedText | str] = [
        localized("plan-digest", day=planned.day, first=planned.start, last=last)
    ]
    if planned.at is not None and planned.schedule is not None:
        at = format_time(planned.at.astimezone(zone))
        parts += [localized("plan-digest-at", at=at), planned.schedule.deployment]
    if planned.readers is not None:
        parts.append(localized("plan-digest-readers", count=planned.readers))
    return "  ".join(map(in_language, parts))


def _offset(offset: timedelta | None) -> str:
    minutes = int((offset or timedelta()).total_seconds()) // 60
    return f"{minutes // 60:+d}" + (f":{minutes % 60:02d}" if minutes % 60 else "")

"""What the next issues would contain, and where each essay stands. Nothing is remembered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import islice

from upcycle_news.app.context import AppContext
from upcycle_news.content.essays import EssayShelf, read_essays
from upcycle_news.curation.compose_issue import choose_essays
from upcycle_news.errors import ContentError, UpcycleError
from upcycle_news.models import (
    Essay,
    Finding,
    IssueId,
    Related,
)
from upcycle_news.prefect_api.schedules import Schedule, next_times, read_schedules
from upcycle_news.services.issues import compose, ids
from upcycle_news.services.issues.compose import EssayFilter
from upcycle_news.services.issues.render import check_manifest, settings_findings
from upcycle_news.storage import approvals, issues, revisions
from upcycle_news.storage import revisions as revision_rows
from upcycle_news.storage.issues import IssueState

HORIZON = 26  # planned times that `essay list` looks ahead: half a year of weekly issues


@dataclass(frozen=True)
class Planned:
    """An issue to come. `at` is None for one that a person starts, or that waits for its approval.

    `state` says what is known of it already; `items` is None where they are chosen on the day;
    `problems` are sentences about what would keep it from going out as planned.
    """

    issue: IssueId
    at: datetime | None
    schedule: Schedule | None
    essays: tuple[Essay, ...]
    subject: str = ""
    items: tuple[Related, ...] | None = None
    state: str = ""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The issues to come, and what concerns all of them."""

    issues: tuple[Planned, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """Where an essay stands: draft, ready, planned or published, and for or in which issue."""

    essay: Essay
    status: str
    issue: IssueId | None = None


def plan_issues(context: AppContext, count: int) -> Plan:
    """The next `count` issues of the schedule in prefect.yaml; raises `SettingsError` for it.

    Without a schedule there is one: what today's issue would be, started by hand.
    """
    shelf = _shelf(context)
    schedules = read_schedules(context.settings.home)
    found = _planned(context, shelf, schedules, count)
    coming = next((number for number, one in enumerate(found) if not one.state), None)
    if coming is not None:
        found[coming] = _looked_at(context, shelf, found[coming])
    return Plan(tuple(found), tuple(_notes(context, shelf, schedules)))


def where_essays_stand(
    context: AppContext,
) -> tuple[tuple[Standing, ...], tuple[ContentError, ...]]:
    """Every essay, newest first, and what is wrong with the files that cannot be read."""
    shelf = _shelf(context)
    published = revision_rows.published_in(context.store)
    schedules = read_schedules(context.settings.home)
    coming = _planned(context, shelf, schedules, HORIZON) if schedules else _begun(context)
    planned = {essay.slug: one.issue for one in coming for essay in one.essays}
    standings = []
    for essay in sorted(shelf.essays, key=lambda one: (-one.date.toordinal(), one.slug)):
        if essay.slug in published:
            standings.append(Standing(essay, "published", published[essay.slug]))
        elif essay.slug in planned:
            standings.append(Standing(essay, "planned", planned[essay.slug]))
        else:
            standings.append(Standing(essay, essay.status))
    return tuple(standings), shelf.errors


def unsent_essays(context: AppContext) -> tuple[str, ...]:
    """Names of the ready essays that were in no issue, as far as the store knows."""
    published = revision_rows.published_in(context.store)
    ready = [essay.slug for essay in _shelf(context).essays if essay.status == "ready"]
    return tuple(slug for slug in ready if slug not in published)


def _shelf(context: AppContext) -> EssayShelf:
    return read_essays(
        context.content, context.settings.home, context.settings.publication.language
    )


def _begun(context: AppContext) -> list[Planned]:
    """Issues that were approved, or wait for it, and have not been queued yet."""
    found = []
    for row in issues.every(context.store):
        if row.state is not IssueState.OPEN:
            continue
        newest = revisions.revision(context.store, row.id)
        waiting = approvals.waiting(context.store, row.id)
        if newest is None or not (newest.approved or waiting):
            continue
        if newest.approved:
            state = "approved"
        else:
            until = waiting[-1].until.astimezone(context.settings.publication.zone)
            state = f"waits for its approval until {until:%A, %d %B, %H:%M}"
        content = newest.manifest.issue
        found.append(
            Planned(
                row.id, None, None, content.essays, content.subject, content.related, state=state
            )
        )
    return found


def _planned(
    context: AppContext, shelf: EssayShelf, schedules: Sequence[Schedule], count: int
) -> list[Planned]:
    """What is under way, then the planned times; an essay is in one of them at the most."""
    found = _begun(context)
    taken = set(revision_rows.published_in(context.store))
    taken |= {essay.slug for one in found for essay in one.essays}
    zone = context.settings.publication.zone
    times: Iterator[tuple[datetime | None, Schedule | None]] = iter(
        next_times(schedules, context.clock()) if schedules else [(None, None)]
    )
    for at, schedule in islice(times, count):
        day = at.astimezone(zone).date() if at else context.today
        issue = _issue_of(context, day, [one.issue for one in found if one.at])
        known = next((one for one in found if one.issue == issue and one.at is None), None)
        if known is not None:
            found[found.index(known)] = replace(known, at=at, schedule=schedule)
            continue
        choice = _choice(schedule)
        pool = [essay for essay in shelf.essays if choice.allows(essay)]
        essays = choose_essays(pool, taken, issue.day)[: context.limits.essays]
        taken |= {essay.slug for essay in essays}
        subject = essays[0].title if essays else ""
        problems = () if essays or context.limits.items_only else (NOTHING,)
        found.append(Planned(issue, at, schedule, essays, subject, problems=problems))
    return found


NOTHING = "nothing new: no essay is ready for it, so nothing would be sent"


def _issue_of(context: AppContext, day: date, planned: Sequence[IssueId]) -> IssueId:
    """The id a run of that day would take, those of this plan being done by then."""
    known = [row.id for row in issues.every(context.store) if row.id.day == day]
    done = [issue for issue in known if ids.is_done(context, issue)]
    return ids.default_issue_id(day, [*known, *planned], [*done, *planned])


def _choice(schedule: Schedule | None) -> EssayFilter:
    told = schedule.parameters if schedule else {}
    return EssayFilter(*(tuple(told.get(key) or ()) for key in ("essays", "leave_out", "topics")))


def _looked_at(context: AppContext, shelf: EssayShelf, planned: Planned) -> Planned:
    """The next issue as it would be made now: with feed items, and what stands against it."""
    problems = [error.in_language(context.language) for error in shelf.errors]
    if not problems:
        try:
            slugs = [essay.slug for essay in planned.essays]
            manifest = compose.compose_manifest(context, planned.issue, slugs)
            planned = replace(planned, subject=manifest.issue.subject, items=manifest.issue.related)
            problems += _errors(check_manifest(context, manifest), context.language)
        except UpcycleError as error:
            told = _errors(settings_findings(context), context.language)
            problems += [error.in_language(context.language), *told]
    if not issues.count_audience(context.store, context.publication.readers_of):
        problems.append(
            "nobody to send to: no confirmed subscriber without suppression; see 'upcycle-news "
            "subscribers import'"
        )
    return replace(planned, problems=tuple(problems))


def _errors(findings: Sequence[Finding], language: str) -> list[str]:
    return [found.line(language) for found in findings if found.level == "error"]


def _notes(context: AppContext, shelf: EssayShelf, schedules: Sequence[Schedule]) -> Iterator[str]:
    if not schedules:
        yield (
            "prefect.yaml holds no schedule for publish-issue: issues are made by hand, with "
            "'upcycle-news issue send'"
        )
    if context.configured_relay is None:
        yield "no relay is configured: mails go to the embedded mailbox, to nobody else"
    drafts = sum(essay.status == "draft" for essay in shelf.essays)
    if drafts:
        are = "1 draft is" if drafts == 1 else f"{drafts} drafts are"
        yield f"{are} in no issue until 'status: ready' stands in the front matter"

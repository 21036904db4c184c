"""Forecasts the next issues and the status of each essay, without storing anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from upcycle_news.app.context import AppContext
from upcycle_news.content.essays import EssayCollection
from upcycle_news.curation.compose_issue import choose_essays
from upcycle_news.errors import ContentError, NothingNew, UpcycleError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import (
    Essay,
    Finding,
    IssueFile,
    IssueId,
    IssueState,
    Related,
)
from upcycle_news.models.digest import DigestPeriod, interval_of
from upcycle_news.prefect_api.schedules import (
    ClockChange,
    Schedule,
    clock_changes,
    next_times,
    read_digest_schedules,
    read_schedules,
)
from upcycle_news.services.content.files import read_publication_essays
from upcycle_news.services.issues import ids
from upcycle_news.services.issues.essay_filter import EssayFilter
from upcycle_news.services.issues.issue_file import FileChoice, read_choice, unused_files
from upcycle_news.storage import approvals, audience, issues, revisions, rhythms
from upcycle_news.text.escaped_markdown import Translator

HORIZON = 26  # scheduled times that `essay list` looks ahead: half a year of weekly issues


@dataclass(frozen=True)
class PlannedIssue:
    """A future issue. `at` is None for one that is started by hand, or that waits for approval.

    `state` is empty, or approved, or waiting for approval until …; `items` is None if they are
    chosen later; `problems` are sentences on what would keep it from being sent as planned. `file` is that
    of the issue in content/issues, empty without one.
    """

    issue: IssueId
    at: datetime | None
    schedule: Schedule | None
    essays: tuple[Essay, ...]
    subject: str = ""
    items: tuple[Related, ...] | None = None
    state: str = ""
    problems: tuple[str, ...] = ()
    file: str = ""

    def as_dict(self, zone: ZoneInfo) -> dict[str, Any]:
        """Return an issue of the JSON of `issue plan`, its time in `zone`."""
        items = None
        if self.items is not None:
            leads = [related.story.lead for related in self.items]
            items = [{"title": lead.title, "feed": lead.feed, "link": lead.link} for lead in leads]
        at = self.at.astimezone(zone).isoformat(timespec="minutes") if self.at else None
        return {
            "issue": str(self.issue),
            "at": at,
            "deployment": self.schedule.deployment if self.schedule else None,
            "asks": self.schedule.needs_approval if self.schedule else True,
            "state": self.state or None,
            "subject": self.subject or None,
            "file": self.file or None,
            "essays": [
                {"slug": essay.slug, "title": essay.title, "date": essay.date.isoformat()}
                for essay in self.essays
            ],
            "items": items,
            "problems": list(self.problems),
        }


@dataclass(frozen=True)
class PlannedDigest:
    """A digest to come: its day, and the days from `start` to the one before whose issues it tells.

    `at` is None where no schedule makes it; `readers` is how many chose it, None where that is not known yet.
    """

    day: date
    start: date
    at: datetime | None
    schedule: Schedule | None
    readers: int | None = None

    def as_dict(self, zone: ZoneInfo) -> dict[str, Any]:
        """Return a digest of the JSON of `issue plan`, its time in `zone`."""
        at = self.at.astimezone(zone).isoformat(timespec="minutes") if self.at else None
        return {
            "day": self.day.isoformat(),
            "from": self.start.isoformat(),
            "at": at,
            "deployment": self.schedule.deployment if self.schedule else None,
            "readers": self.readers,
        }


@dataclass(frozen=True)
class IssuePlan:
    """The next issues and digests, notes that concern all of them, and the zone of their times."""

    issues: tuple[PlannedIssue, ...]
    notes: tuple[str, ...]
    zone: ZoneInfo
    digests: tuple[PlannedDigest, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object of `issue plan`."""
        return {
            "timezone": str(self.zone),
            "issues": [planned.as_dict(self.zone) for planned in self.issues],
            **(
                {"digests": [planned.as_dict(self.zone) for planned in self.digests]}
                if self.digests
                else {}
            ),
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class EssayStatus:
    """Status of an essay (draft, ready, planned, published), and the issue it is in or planned for."""

    essay: Essay
    status: str
    issue: IssueId | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the object that `essay list --json` prints."""
        return {
            "slug": self.essay.slug,
            "status": self.status,
            "issue": str(self.issue) if self.issue else None,
            "title": self.essay.title,
            "author": self.essay.author,
            "date": self.essay.date.isoformat(),
            "topics": list(self.essay.topics),
            "file": self.essay.source,
            **self._translations(),
        }

    def _translations(self) -> dict[str, Any]:
        """Return what JSON adds for an essay with translations."""
        if not self.essay.translations:
            return {}
        translations = [
            {
                "language": one.language,
                "title": one.title,
                "status": one.status,
                "file": one.source,
            }
            for one in self.essay.translations
        ]
        return {"language": self.essay.language, "translations": translations}


def plan_issues(context: AppContext, count: int) -> IssuePlan:
    """Return the next `count` issues of the schedule in prefect.yaml, and the digests up to the one after them.

    Raises `SettingsError`. Without a schedule there is one: today's issue, started by hand.
    """
    collection = read_publication_essays(context)
    schedules = read_schedules(context.settings.home)
    planned = _planned(context, collection, schedules, count)
    index = next((number for number, issue in enumerate(planned) if not issue.state), None)
    if index is not None:
        planned[index] = _with_details(context, collection, planned[index])
    notes = [note.in_language(context.language) for note in _notes(context, collection, schedules)]
    return IssuePlan(
        tuple(planned),
        tuple(notes),
        context.settings.publication.zone,
        tuple(_digests(context, planned)),
    )


def essay_statuses(
    context: AppContext,
) -> tuple[tuple[EssayStatus, ...], tuple[ContentError, ...]]:
    """Return the status of every essay, newest first, and the errors of unreadable files."""
    collection = read_publication_essays(context)
    published = revisions.issues_by_essay(context.store)
    schedules = read_schedules(context.settings.home)
    coming = (
        _planned(context, collection, schedules, HORIZON)
        if schedules
        else _issues_in_progress(context)
    )
    planned = {essay.slug: upcoming.issue for upcoming in coming for essay in upcoming.essays}
    statuses = []
    for essay in sorted(collection.essays, key=lambda essay: (-essay.date.toordinal(), essay.slug)):
        if essay.slug in published:
            statuses.append(EssayStatus(essay, "published", published[essay.slug]))
        elif essay.slug in planned:
            statuses.append(EssayStatus(essay, "planned", planned[essay.slug]))
        else:
            statuses.append(EssayStatus(essay, essay.status))
    return tuple(statuses), collection.errors


def unsent_essays(context: AppContext) -> tuple[str, ...]:
    """Return the slugs of ready essays that were in no issue yet."""
    published = revisions.issues_by_essay(context.store)
    ready = [
        essay.slug for essay in read_publication_essays(context).essays if essay.status == "ready"
    ]
    return tuple(slug for slug in ready if slug not in published)


def unsent_digests(context: AppContext) -> tuple[str, ...]:
    """Return the digests that are due, as far as the store knows, also those that nobody composed yet."""
    from upcycle_news.services.issues.digest import due_digests

    return tuple(map(str, due_digests(context)))


def _issues_in_progress(context: AppContext) -> list[PlannedIssue]:
    """Return issues that are approved or wait for approval, and are not queued yet."""
    in_progress, translate = [], Translator(context.language)
    unsent = [state for state in IssueState if not state.is_frozen]
    for row in issues.issues_in(context.store, *unsent):
        newest = revisions.load_revision(context.store, row.id)
        waiting = approvals.open_requests(context.store, row.id)
        if newest is None or not (newest.approved or waiting):
            continue
        if newest.approved:
            state = translate(localized("plan-approved"))
        else:
            until = waiting[-1].expires_at.astimezone(context.settings.publication.zone)
            state = translate(localized("plan-waits", until=translate.format_time(until)))
        content = newest.manifest.issue
        in_progress.append(
            PlannedIssue(
                row.id, None, None, content.essays, content.subject, content.related, state=state
            )
        )
    return in_progress


def _planned(
    context: AppContext, collection: EssayCollection, schedules: Sequence[Schedule], count: int
) -> list[PlannedIssue]:
    """Return issues in progress, then one per scheduled time; no essay is in two of them."""
    planned = _issues_in_progress(context)
    taken = set(revisions.issues_by_essay(context.store))
    taken |= {essay.slug for issue in planned for essay in issue.essays}
    published = issues.published_essays(context.store, [one.slug for one in collection.essays])
    zone = context.settings.publication.zone
    times: Iterator[tuple[datetime | None, Schedule | None]] = iter(
        next_times(schedules, context.clock()) if schedules else [(None, None)]
    )
    for at, schedule in islice(times, count):
        day = at.astimezone(zone).date() if at else context.today
        issue = _issue_of_day(context, day, [known.issue for known in planned if known.at])
        known = next((row for row in planned if row.issue == issue and row.at is None), None)
        if known is not None:
            planned[planned.index(known)] = replace(known, at=at, schedule=schedule)
            continue
        essay_filter = _essay_filter(schedule)
        choice, problems = _choice(context, collection, published, issue, essay_filter)
        file = choice.file or IssueFile("")
        pool = [
            essay
            for essay in collection.essays
            if essay_filter.allows(essay) and choice.allows(essay)
        ]
        essays = choose_essays(pool, taken, issue.day, file.essays)[: context.limits.essays]
        taken |= {essay.slug for essay in essays}
        subject = file.subject or (essays[0].title if essays else "")
        if not (essays or context.limits.items_only):
            problems.append(localized("plan-no-essay").in_language(context.language))
        planned.append(
            PlannedIssue(
                issue,
                at,
                schedule,
                essays,
                subject,
                problems=tuple(problems),
                file=file.source,
            )
        )
    return planned


def _digests(context: AppContext, planned: Sequence[PlannedIssue]) -> Iterator[PlannedDigest]:
    """Yield the digests that are due after today, up to the first one that tells the last planned issue."""
    interval = context.settings.digest.interval or None
    day = context.today
    last = max((one.issue.day for one in planned), default=day)
    schedules = read_digest_schedules(context.settings.home)
    for _ in range(HORIZON):
        period = rhythms.period_on(context.store, day, interval)
        if period is not None:
            yield _planned_digest(context, period, schedules)
            day = period.end
        elif interval is not None:  # an issue of today went to all before the digest was set
            day = interval_of(day, interval).end
        if interval is None or day > last:
            return


def _planned_digest(
    context: AppContext, period: DigestPeriod, schedules: Sequence[Schedule]
) -> PlannedDigest:
    zone = context.settings.publication.zone
    begins = datetime.combine(period.end, time(), zone) - timedelta(seconds=1)
    at, schedule = next(next_times(schedules, begins), (None, None))
    readers: int | None = None
    if period.start <= context.today:
        topics, digest = context.publication.readers_of, IssueId(period.end, digest=1)
        # With the interval, as nothing may be stored of the period yet.
        interval = context.settings.digest.interval or None
        readers = audience.count_audience(context.store, topics, issue=digest, interval=interval)
    return PlannedDigest(period.end, period.start, at, schedule, readers)


def _choice(
    context: AppContext,
    collection: EssayCollection,
    published: frozenset[str],
    issue: IssueId,
    essay_filter: EssayFilter,
) -> tuple[FileChoice, list[str]]:
    """Return what the file of an issue chooses, and what is wrong with it.

    `published` are the essays of all issues; what the issue itself told is not counted.
    """
    if told := issues.essays_of(context.store, issue):
        others = issues.published_essays(context.store, told, apart_from=issue)
        published = (published - told) | others
    try:
        choice = read_choice(context, issue, collection.essays, published, essay_filter.essays)
    except ContentError as error:
        return FileChoice(), error.in_language(context.language).splitlines()
    return choice, []


def _issue_of_day(context: AppContext, day: date, planned: Sequence[IssueId]) -> IssueId:
    """Return the id that a run of that day would get, with the planned ones sent by then."""
    rows = issues.issues_of_day(context.store, day)
    done = ids.done_issues(context, rows)
    return ids.default_issue_id(day, [*(row.id for row in rows), *planned], [*done, *planned])


def _essay_filter(schedule: Schedule | None) -> EssayFilter:
    parameters = schedule.parameters if schedule else {}
    return EssayFilter(
        *(tuple(parameters.get(key) or ()) for key in ("essays", "leave_out", "topics"))
    )


def _with_details(
    context: AppContext, collection: EssayCollection, planned: PlannedIssue
) -> PlannedIssue:
    """Return the issue with its feed items and problems, composed from the current content."""
    from upcycle_news.services.issues import compose
    from upcycle_news.services.issues.render import check_manifest
    from upcycle_news.services.issues.settings_findings import settings_findings

    problems = [error.in_language(context.language) for error in collection.errors]
    if not problems:
        try:
            slugs = [essay.slug for essay in planned.essays]
            manifest = compose.compose_manifest(context, planned.issue, slugs)
            planned = replace(planned, subject=manifest.issue.subject, items=manifest.issue.related)
            problems += _errors(check_manifest(context, manifest), context.language)
        except UpcycleError as error:
            settings_errors = _errors(settings_findings(context), context.language)
            problems += [error.in_language(context.language), *settings_errors]
    if not audience.count_audience(context.store, context.publication.readers_of):
        problems.append(localized("plan-nobody").in_language(context.language))
    return replace(planned, problems=tuple(problems))


def _errors(findings: Sequence[Finding], language: str) -> list[str]:
    return [finding.line(language) for finding in findings if finding.level == "error"]


def _notes(
    context: AppContext, collection: EssayCollection, schedules: Sequence[Schedule]
) -> Iterator[LocalizedText]:
    if not schedules:
        yield localized("plan-no-schedule")
    yield from unused_files(context)
    if context.configured_relay is None:
        yield localized("plan-no-relay")
    from upcycle_news.services.issues.digest import digest_id

    interval = context.settings.digest.interval
    if interval and schedules and not read_digest_schedules(context.settings.home):
        yield localized("plan-no-digest-schedule")
    with suppress(NothingNew):
        yield localized("plan-digest-due", issue=str(digest_id(context)))
    yield from (_clock_note(change) for change in clock_changes(schedules, context.clock()))
    if drafts := sum(essay.status == "draft" for essay in collection.essays):
        yield localized("plan-drafts", count=drafts)


def _clock_note(change: ClockChange) -> LocalizedText:
    """Return what Prefect does with a time that the clock skips, or shows twice."""
    started = change.at.astimezone(ZoneInfo(change.schedule.timezone))
    wall, at = f"{change.wall:%Y-%m-%d %H:%M}", f"{started:%H:%M} (UTC{started:%z})"
    name, zone = change.schedule.deployment, change.schedule.timezone
    if change.kind == "skipped":
        return localized("plan-clock-skips", deployment=name, wall=wall, zone=zone, at=at)
    return localized("plan-clock-twice", deployment=name, wall=wall, zone=zone, at=at)

"""Reads the schedules of publish-issue from prefect.yaml and computes their next times.

The times are those at which Prefect starts a run, on the clock of the schedule's own time zone: at
07:30 before and after the clocks change, and those that Prefect chooses for an hour that clocks skip in
spring or show twice in autumn (`started_at`).
"""

from __future__ import annotations

import heapq
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from cronsim import CronSim, CronSimError

from upcycle_news.errors import SettingsError
from upcycle_news.fileio import os_reason
from upcycle_news.i18n.messages import localized
from upcycle_news.prefect_api.yaml_files import load_yaml

FILE = "prefect.yaml"
FLOW = "publish_issue"


# Clocks change by two hours at most (Antarctica/Troll).
_LONGEST_CHANGE = timedelta(hours=3)
_DAY = timedelta(days=1)
# Prefect resolves the time of a schedule with pendulum, from Python 3.13 on with whenever.
_SKIPPED_IS_LATER = sys.version_info >= (3, 13)


def started_at(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return when (UTC) Prefect starts the run of a schedule whose clock shows `wall`, without a zone.

    A time that the clock shows twice in autumn is its first. One that it skips in spring is moved by
    the length of the gap: back, and from Python 3.13 on forward (PEP 495).
    """
    at = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _SKIPPED_IS_LATER or at.astimezone(zone).replace(tzinfo=None) == wall:
        return at
    return wall.replace(tzinfo=zone, fold=1).astimezone(UTC)


def clock_change(wall: datetime, zone: ZoneInfo) -> Literal["", "skipped", "twice"]:
    """Return what the clock of `zone` does with the time `wall`: skips it, or shows it twice."""
    first, second = (wall.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return ""
    real = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall
    return "twice" if real else "skipped"


@dataclass(frozen=True)
class Schedule:
    """A schedule of a deployment; its flow runs get `parameters`."""

    deployment: str
    cron: str
    timezone: str
    parameters: Mapping[str, Any]

    @property
    def makes_digest(self) -> bool:
        """True if its flow runs make the digest that is due, not the next issue."""
        return self.parameters.get("issue_date") == "digest"

    @property
    def needs_approval(self) -> bool:
        """True if its flow runs wait for an editor's approval."""
        return not self.parameters.get("approve", False)

    def times(self, after: datetime) -> Iterator[tuple[datetime, Schedule]]:
        """Yield the times (UTC) after `after`, earliest first and each once."""
        zone = ZoneInfo(self.timezone)
        # A time in a skipped hour is started before it: what is later on the clock may be earlier.
        waiting: list[datetime] = []
        begin = after.astimezone(zone).replace(tzinfo=None, microsecond=0) - _LONGEST_CHANGE
        for wall in CronSim(self.cron, begin):
            at = started_at(wall, zone)
            if at > after and at not in waiting:
                heapq.heappush(waiting, at)
            while waiting and waiting[0] + _LONGEST_CHANGE < at:
                yield heapq.heappop(waiting), self
        yield from ((heapq.heappop(waiting), self) for _ in range(len(waiting)))


def next_times(
    schedules: Sequence[Schedule], after: datetime
) -> Iterator[tuple[datetime, Schedule]]:
    """Yield the times of all schedules, earliest first; equal times are yielded once a schedule."""
    yield from heapq.merge(
        *(schedule.times(after) for schedule in schedules), key=lambda pair: pair[0]
    )


@dataclass(frozen=True)
class ClockChange:
    """What Prefect does with a time of a schedule that the clock skips, or shows twice.

    `wall` is the time in the schedule, without a zone; `at` when the run is started (UTC).
    """

    schedule: Schedule
    wall: datetime
    kind: Literal["skipped", "twice"]
    at: datetime


def clock_changes(schedules: Sequence[Schedule], after: datetime) -> Iterator[ClockChange]:
    """Yield what the changes of the clocks in the year after `after` do to the schedules."""
    for schedule in schedules:
        zone = ZoneInfo(schedule.timezone)
        first = after.astimezone(zone).replace(
            tzinfo=None, hour=0, minute=0, second=0, microsecond=0
        )
        for number in range(366):
            day = first + timedelta(days=number)
            begin, end = (at.replace(tzinfo=zone).utcoffset() for at in (day, day + _DAY))
            if begin != end:
                yield from _changes_of_day(schedule, day, zone, after)


def _changes_of_day(
    schedule: Schedule, day: datetime, zone: ZoneInfo, after: datetime
) -> Iterator[ClockChange]:
    for wall in CronSim(schedule.cron, day - timedelta(seconds=1)):
        if wall >= day + _DAY:
            return
        kind, at = clock_change(wall, zone), started_at(wall, zone)
        if kind and at > after:
            yield ClockChange(schedule, wall, kind, at)


def function_of(entrypoint: str) -> str:
    """Return the name of the flow's function: in ``package.module.flow`` and ``flows/file.py:flow``."""
    return entrypoint.rpartition(":" if ":" in entrypoint else ".")[2]


def read_schedules(home: Path) -> tuple[Schedule, ...]:
    """Return the active schedules of publish-issue that make issues; none without a prefect.yaml.

    Raises `SettingsError` for a file or a schedule that cannot be used.
    """
    return tuple(one for one in _read(home) if not one.makes_digest)


def read_digest_schedules(home: Path) -> tuple[Schedule, ...]:
    """Return the active schedules of publish-issue that make the digest; otherwise as `read_schedules`."""
    return tuple(one for one in _read(home) if one.makes_digest)


def _read(home: Path) -> tuple[Schedule, ...]:
    try:
        text = (home / FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise SettingsError(
            FILE, None, localized("schedules-not-read", why=os_reason(error))
        ) from None
    try:
        content = load_yaml(text)
        deployments = content["deployments"]
        wanted = [
            deployment
            for deployment in deployments
            if function_of(str(deployment["entrypoint"])) == FLOW
        ]
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise SettingsError(FILE, line, localized("schedules-not-yaml")) from None
    except (yaml.YAMLError, KeyError, TypeError):
        raise SettingsError(FILE, None, localized("schedules-none")) from None
    return tuple(schedule for deployment in wanted for schedule in _schedules(text, deployment))


def _schedules(text: str, deployment: Mapping[str, Any]) -> Iterator[Schedule]:
    name = f"publish-issue/{deployment.get('name', '')}"
    for schedule in deployment.get("schedules") or ():
        if not schedule.get("active", True):
            continue
        cron, zone = str(schedule.get("cron", "")), str(schedule.get("timezone") or "UTC")
        if not cron:
            raise SettingsError(FILE, None, localized("schedules-cron-only", name=name))
        try:
            CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC))
            ZoneInfo(zone)
        except (CronSimError, ZoneInfoNotFoundError, ValueError) as error:
            bad = cron if isinstance(error, CronSimError) else zone
            what = (
                localized("what-cron")
                if isinstance(error, CronSimError)
                else localized("what-zone")
            )
            raise SettingsError(
                FILE,
                _line_of(text, bad),
                localized("schedules-bad", name=name, bad=bad[:60], what=what),
            ) from None
        yield Schedule(name, cron, zone, deployment.get("parameters") or {})


def _line_of(text: str, piece: str) -> int | None:
    return next((n for n, line in enumerate(text.splitlines(), 1) if piece in line), None)

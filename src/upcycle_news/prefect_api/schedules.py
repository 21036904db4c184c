"""The schedules of publish-issue in prefect.yaml: when the next issues are made. Pure but for reading.

The times are those at which Prefect starts a run, on the clock of the schedule's own time zone: at
07:30 before and after the clocks change. Only times within the hour that clocks skip in spring or
show twice in autumn may differ from Prefect's.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from cronsim import CronSim, CronSimError

from upcycle_news.errors import SettingsError

FILE = "prefect.yaml"
FLOW = "publish_issue"


@dataclass(frozen=True)
class Schedule:
    """One line of a schedule; `parameters` are those its runs get. `asks`: an editor approves."""

    deployment: str
    cron: str
    timezone: str
    parameters: Mapping[str, Any]

    @property
    def asks(self) -> bool:
        """Whether its runs wait for an approval."""
        return not self.parameters.get("approve", False)

    def times(self, after: datetime) -> Iterator[tuple[datetime, Schedule]]:
        """The moments (UTC) after `after`, earliest first."""
        zone = ZoneInfo(self.timezone)
        for at in CronSim(self.cron, after.astimezone(zone)):
            yield at.astimezone(UTC), self


def next_times(
    schedules: Sequence[Schedule], after: datetime
) -> Iterator[tuple[datetime, Schedule]]:
    """The times of all schedules, earliest first; two that fall together are one run's each."""
    yield from heapq.merge(*(one.times(after) for one in schedules), key=lambda pair: pair[0])


def read_schedules(home: Path) -> tuple[Schedule, ...]:
    """The schedules of publish-issue in a publication; none where prefect.yaml is missing.

    Raises `SettingsError` for a file or a schedule that cannot be used.
    """
    try:
        text = (home / FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise SettingsError(FILE, None, f"cannot be read ({error.strerror})") from None
    try:
        told = yaml.safe_load(text)
        deployments = told["deployments"]
        wanted = [one for one in deployments if str(one["entrypoint"]).endswith(f":{FLOW}")]
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise SettingsError(FILE, line, "is not YAML here") from None
    except (yaml.YAMLError, KeyError, TypeError):
        raise SettingsError(
            FILE, None, "has no list of deployments, each with its entrypoint"
        ) from None
    return tuple(found for one in wanted for found in _schedules(text, one))


def _schedules(text: str, deployment: Mapping[str, Any]) -> Iterator[Schedule]:
    name = f"publish-issue/{deployment.get('name', '')}"
    for one in deployment.get("schedules") or ():
        if not one.get("active", True):
            continue
        cron, zone = str(one.get("cron", "")), str(one.get("timezone") or "UTC")
        if not cron:
            raise SettingsError(FILE, None, f"{name}: only schedules with 'cron' can be foretold")
        try:
            CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC))
            ZoneInfo(zone)
        except (CronSimError, ZoneInfoNotFoundError, ValueError) as error:
            bad = cron if isinstance(error, CronSimError) else zone
            what = "cron expression" if isinstance(error, CronSimError) else "time zone"
            raise SettingsError(
                FILE, _line_of(text, bad), f"{name}: {bad[:60]!r} is not a {what}"
            ) from None
        yield Schedule(name, cron, zone, deployment.get("parameters") or {})


def _line_of(text: str, piece: str) -> int | None:
    return next((n for n, line in enumerate(text.splitlines(), 1) if piece in line), None)

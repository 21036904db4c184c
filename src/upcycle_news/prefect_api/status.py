"""Prefect as the cockpit sees it: server, runners, deployments, late runs, and its clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import yaml

from upcycle_news.errors import SettingsError
from upcycle_news.prefect_api.client import Cockpit, CockpitError

FILE = "prefect.yaml"
POOL = "newsletter"
_MAIN = "publish_issue"


@dataclass(frozen=True)
class Deployment:
    """A deployment, planned in prefect.yaml or present in Prefect. Schedules are (cron, zone)."""

    name: str
    entrypoint: str
    schedules: frozenset[tuple[str, str]]
    paused: bool = False
    ready: bool = True
    pool: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """The same in the file and in Prefect."""
        return self.name, self.entrypoint.rpartition("/")[2]


@dataclass(frozen=True)
class PrefectFacts:
    """What Prefect's API told. `trouble` is a sentence with its cure when it told nothing.

    `open` tells that it answers without the login; `skew` is its clock minus ours, in seconds;
    `workers` counts those of the pool that are online, None when there is no such pool. `alarms`
    are the events for which an automation of ours is switched on.
    """

    url: str
    version: str = ""
    ours: str = ""
    open: bool = True
    skew: float = 0.0
    deployments: tuple[Deployment, ...] = ()
    workers: int | None = None
    late: int = 0
    next_issue: datetime | None = None
    alarms: frozenset[str] = frozenset()
    trouble: str = ""


def planned(home: Path) -> tuple[Deployment, ...]:
    """The deployments of prefect.yaml; raises `SettingsError`."""
    try:
        told = yaml.safe_load((home / FILE).read_text(encoding="utf-8"))["deployments"]
        return tuple(
            Deployment(
                str(one["name"]),
                str(one["entrypoint"]),
                frozenset(
                    (str(s["cron"]), str(s.get("timezone", "UTC")))
                    for s in one.get("schedules") or ()
                    if s.get("active", True) and "cron" in s
                ),
            )
            for one in told
        )
    except OSError as error:
        raise SettingsError(FILE, None, f"cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, UnicodeDecodeError):
        raise SettingsError(
            FILE, None, "is no list of deployments: compare it with that of a new publication"
        ) from None


def look(
    cockpit: Cockpit, ours: str, clock: Callable[[], datetime], timeout: float
) -> PrefectFacts:
    """Ask the API; `ours` is the version that is installed here."""
    try:
        seen = cockpit.look("/admin/version", timeout=timeout)
        now = clock()
        if seen.status != 200:
            return PrefectFacts(
                cockpit.url,
                trouble=f"what answers at {cockpit.url} is not Prefect's API: mend PREFECT_API_URL, "
                "it ends in /api",
            )
        flows = cockpit.look("/deployments/filter", {"limit": 200}, timeout=timeout).data
        workers = cockpit.look(f"/work_pools/{POOL}/workers/filter", {}, timeout=timeout)
        late = cockpit.look("/flow_runs/count", _late(), timeout=timeout).data
        alarms = cockpit.look("/automations/filter", {}, timeout=timeout).data
        deployments = tuple(_deployment(one) for one in flows)
        issue = [one["id"] for one in flows if _deployment(one).entrypoint.endswith(f":{_MAIN}")]
        coming = cockpit.look("/flow_runs/filter", _coming(issue), timeout=timeout).data
        return PrefectFacts(
            cockpit.url,
            version=str(seen.data),
            ours=ours,
            open=not cockpit.login or _answers_strangers(cockpit, timeout),
            skew=_skew(seen.date, now),
            deployments=deployments,
            workers=_online(workers.data) if workers.status == 200 else None,
            late=int(late),
            next_issue=datetime.fromisoformat(coming[0]["expected_start_time"]) if coming else None,
            alarms=frozenset(
                event
                for one in alarms
                if one["name"].startswith("upcycle-news") and one["enabled"]
                for event in one["trigger"].get("expect", ())
            ),
        )
    except CockpitError as error:
        return PrefectFacts(cockpit.url, trouble=str(error))
    except (KeyError, TypeError, ValueError):
        return PrefectFacts(
            cockpit.url,
            trouble=f"what answers at {cockpit.url} does not speak as Prefect's API does: check "
            "PREFECT_API_URL and the server's version",
        )


def _answers_strangers(cockpit: Cockpit, timeout: float) -> bool:
    try:
        return Cockpit(cockpit.url).look("/admin/version", timeout=timeout).status == 200
    except CockpitError:
        return False


def _late() -> Mapping[str, Any]:
    return {"flow_runs": {"state": {"name": {"any_": ["Late"]}}}}


def _coming(deployments: Sequence[str]) -> Mapping[str, Any]:
    return {
        "flow_runs": {
            "state": {"type": {"any_": ["SCHEDULED"]}},
            "deployment_id": {"any_": list(deployments)},
        },
        "sort": "EXPECTED_START_TIME_ASC",
        "limit": 1,
    }


def _deployment(told: Mapping[str, Any]) -> Deployment:
    schedules = frozenset(
        (str(one["schedule"]["cron"]), str(one["schedule"].get("timezone") or "UTC"))
        for one in told["schedules"]
        if one["active"] and "cron" in one["schedule"]
    )
    return Deployment(
        str(told["name"]),
        str(told["entrypoint"]),
        schedules,
        paused=bool(told["paused"]),
        ready=told["status"] == "READY",
        pool=str(told["work_pool_name"] or ""),
    )


def _online(workers: Sequence[Mapping[str, Any]]) -> int:
    return sum(one["status"] == "ONLINE" for one in workers)


def _skew(date: str, now: datetime) -> float:
    """The server's clock minus ours, to the second, as HTTP tells it."""
    try:
        return (parsedate_to_datetime(date) - now).total_seconds()
    except (ValueError, TypeError):
        return 0.0

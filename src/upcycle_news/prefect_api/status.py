"""Facts about the Prefect server for the doctor: version, deployments, workers, late runs, clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import yaml

from upcycle_news.errors import SettingsError
from upcycle_news.fileio import os_reason
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.prefect_api.client import PrefectApiError, PrefectClient
from upcycle_news.prefect_api.schedules import FILE, FLOW, function_of
from upcycle_news.prefect_api.yaml_files import load_yaml

POOL = "newsletter"


@dataclass(frozen=True)
class Deployment:
    """A deployment, from prefect.yaml or from the server. Schedules are (cron, time zone)."""

    name: str
    entrypoint: str
    schedules: frozenset[tuple[str, str]]
    paused: bool = False
    ready: bool = True
    pool: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Its identity, the same in prefect.yaml and on the server."""
        return self.name, self.entrypoint.rpartition("/")[2]


@dataclass(frozen=True)
class PrefectFacts:
    """Facts from Prefect's API. `error` is a sentence with its fix when there are no others.

    `version` is the server's, `installed` ours; `skew` is the server's clock minus ours, in seconds;
    `workers` counts those of the pool that are online, None when there is no such pool;
    `alert_events` are the events for which one of our automations is enabled.
    """

    url: str
    version: str = ""
    installed: str = ""
    answers_without_login: bool = True
    skew: float = 0.0
    deployments: tuple[Deployment, ...] = ()
    workers: int | None = None
    late_runs: int = 0
    next_issue: datetime | None = None
    alert_events: frozenset[str] = frozenset()
    error: LocalizedText | None = None


def deployment_entries(file: Path) -> list[dict[str, Any]]:
    """Return the entries of the deployments in a prefect.yaml, as they stand there; raises `SettingsError`."""
    try:
        return list(map(dict, load_yaml(file.read_text(encoding="utf-8"))["deployments"]))
    except OSError as error:
        raise SettingsError(
            FILE, None, localized("schedules-not-read", why=os_reason(error))
        ) from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        raise SettingsError(FILE, None, localized("deployments-none")) from None


def read_deployments(home: Path) -> tuple[Deployment, ...]:
    """Return the deployments of prefect.yaml; raises `SettingsError`."""
    deployments = deployment_entries(home / FILE)
    try:
        return tuple(
            Deployment(
                str(deployment["name"]),
                str(deployment["entrypoint"]),
                frozenset(
                    (str(schedule["cron"]), str(schedule.get("timezone", "UTC")))
                    for schedule in deployment.get("schedules") or ()
                    if schedule.get("active", True) and "cron" in schedule
                ),
            )
            for deployment in deployments
        )
    except (KeyError, TypeError, AttributeError):
        raise SettingsError(FILE, None, localized("deployments-none")) from None


def fetch_facts(
    client: PrefectClient, installed: str, clock: Callable[[], datetime], timeout: float
) -> PrefectFacts:
    """Fetch the facts from the API; `installed` is the version of Prefect on this machine."""
    try:
        version = client.query("/admin/version", timeout=timeout)
        now = clock()
        if version.status != 200:
            return PrefectFacts(
                client.url,
                error=localized("prefect-other-server", url=client.url),
            )
        rows = client.query("/deployments/filter", {"limit": 200}, timeout=timeout).data
        workers = client.query(f"/work_pools/{POOL}/workers/filter", {}, timeout=timeout)
        late_runs = client.query("/flow_runs/count", _late_runs_filter(), timeout=timeout).data
        automations = client.query("/automations/filter", {}, timeout=timeout).data
        deployments = tuple(_deployment(row) for row in rows)
        publishing = [row["id"] for row in rows if function_of(_deployment(row).entrypoint) == FLOW]
        next_runs = client.query(
            "/flow_runs/filter", _next_run_filter(publishing), timeout=timeout
        ).data
        return PrefectFacts(
            client.url,
            version=str(version.data),
            installed=installed,
            answers_without_login=not client.login or _answers_without_login(client, timeout),
            skew=_skew(version.date, now),
            deployments=deployments,
            workers=_count_online(workers.data) if workers.status == 200 else None,
            late_runs=int(late_runs),
            next_issue=datetime.fromisoformat(next_runs[0]["expected_start_time"])
            if next_runs
            else None,
            alert_events=frozenset(
                event
                for automation in automations
                if automation["name"].startswith("upcycle-news") and automation["enabled"]
                for event in automation["trigger"].get("expect", ())
            ),
        )
    except PrefectApiError as error:
        return PrefectFacts(client.url, error=error.localized_text)
    except (KeyError, TypeError, ValueError):
        return PrefectFacts(
            client.url,
            error=localized("prefect-odd-server", url=client.url),
        )


def _answers_without_login(client: PrefectClient, timeout: float) -> bool:
    try:
        return PrefectClient(client.url).query("/admin/version", timeout=timeout).status == 200
    except PrefectApiError:
        return False


def _late_runs_filter() -> Mapping[str, Any]:
    return {"flow_runs": {"state": {"name": {"any_": ["Late"]}}}}


def _next_run_filter(deployments: Sequence[str]) -> Mapping[str, Any]:
    return {
        "flow_runs": {
            "state": {"type": {"any_": ["SCHEDULED"]}},
            "deployment_id": {"any_": list(deployments)},
        },
        "sort": "EXPECTED_START_TIME_ASC",
        "limit": 1,
    }


def _deployment(row: Mapping[str, Any]) -> Deployment:
    schedules = frozenset(
        (str(entry["schedule"]["cron"]), str(entry["schedule"].get("timezone") or "UTC"))
        for entry in row["schedules"]
        if entry["active"] and "cron" in entry["schedule"]
    )
    return Deployment(
        str(row["name"]),
        str(row["entrypoint"]),
        schedules,
        paused=bool(row["paused"]),
        ready=row["status"] == "READY",
        pool=str(row["work_pool_name"] or ""),
    )


def _count_online(workers: Sequence[Mapping[str, Any]]) -> int:
    return sum(worker["status"] == "ONLINE" for worker in workers)


def _skew(date: str, now: datetime) -> float:
    """Return the server's clock minus ours in seconds, from the Date header; 0 without one."""
    try:
        return (parsedate_to_datetime(date) - now).total_seconds()
    except (ValueError, TypeError):
        return 0.0

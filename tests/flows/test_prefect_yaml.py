"""prefect.yaml: its deployments and their schedules; that these produce runs shows test_approval.py."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from upcycle_news.prefect_api.schedules import Schedule

FILE = Path(__file__).parents[2] / "prefect.yaml"
DEPLOYMENTS = yaml.safe_load(FILE.read_text(encoding="utf-8"))["deployments"]
BERLIN = ZoneInfo("Europe/Berlin")

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


def test_every_deployment_names_an_existing_flow() -> None:
    for deployment in DEPLOYMENTS:
        package, module, name = deployment["entrypoint"].split(".")
        assert package == "upcycle_news_flows"
        text = (FILE.parent / "flows" / f"{module}.py").read_text(encoding="utf-8")
        assert f"\ndef {name}(" in text
        queue = {"work_queue_name": "alarms"} if "alarm" in deployment["tags"] else {}
        assert deployment["work_pool"] == {"name": "newsletter", **queue}
        assert deployment["version"] == "{{ source.version }}"


@pytest.mark.parametrize("day", ["2026-11-26", "2026-12-01", "2027-03-28", "2026-10-25"])
def test_an_idle_day_has_at_most_120_runs(day: str) -> None:
    """An issue's day and one without, and the days of 23 and 25 hours: counted from the schedules."""
    begin = datetime.fromisoformat(day).replace(tzinfo=BERLIN)
    end = (begin + timedelta(days=1)).astimezone(UTC)
    counts = Counter[str]()
    for deployment in DEPLOYMENTS:
        for entry in deployment.get("schedules", ()):
            schedule = Schedule(deployment["name"], entry["cron"], entry["timezone"], {})
            times = schedule.times(begin.astimezone(UTC) - timedelta(seconds=1))
            counts[deployment["name"]] += sum(1 for _ in takewhile(lambda at: at[0] < end, times))
    assert counts["around-the-clock"] in (23, 24, 25)
    assert 90 < counts.total() <= 120


def test_a_run_of_watch_stays_until_the_next_one_takes_over() -> None:
    [watch] = [entry for entry in DEPLOYMENTS if entry["name"] == "around-the-clock"]
    [schedule] = watch["schedules"]
    assert schedule["cron"].split()[1:] == ["*"] * 4, "every hour"
    minutes = schedule["parameters"]["stay_minutes"]
    assert 60 < minutes < 120
    # By hand it looks once: what stays comes from the schedule alone.
    assert "parameters" not in watch


def test_only_housekeeping_waits_for_itself_and_nothing_that_sends_is_cancelled() -> None:
    limits = {
        entry["entrypoint"].rpartition(".")[2]: entry.get("concurrency_limit")
        for entry in DEPLOYMENTS
    }
    sending = {"publish_issue", "deliver_pending", "deliver_issue", "notify", "watch"}
    assert {name for name, limit in limits.items() if limit is None} == sending
    for name in limits.keys() - sending:
        assert limits[name] == {"limit": 1, "collision_strategy": "ENQUEUE"}


def test_every_flow_has_a_timeout_beyond_what_it_may_take(flows: Any) -> None:
    timeouts = {name: flow.timeout_seconds for name, flow in vars(flows).items()}
    assert all(timeouts.values()), timeouts
    [watch] = [entry for entry in DEPLOYMENTS if entry["name"] == "around-the-clock"]
    assert timeouts["watch"] > 60 * watch["schedules"][0]["parameters"]["stay_minutes"] + 3600
    # Deferred mails are tried for a day (retry.give_up_hours), and then the issue closes.
    for name in ("publish_issue", "deliver_pending", "deliver_issue"):
        assert timeouts[name] > 24 * 3600


@pytest.mark.parametrize("day", ["2027-03-28", "2026-10-25"])  # the clocks change on these Sundays
def test_thursdays_at_half_past_seven_and_never_twice(flows: Any, day: str) -> None:
    from prefect.client.schemas.schedules import CronSchedule

    [thursday] = [entry for entry in DEPLOYMENTS if entry["name"] == "thursday"]
    schedule = CronSchedule(**thursday["schedules"][0])
    sundays = CronSchedule(cron="30 7 * * 0", timezone="Europe/Berlin")
    start = datetime.fromisoformat(day).replace(tzinfo=BERLIN) - timedelta(days=8)
    for times, weekday in ((dates(schedule, start), 3), (dates(sundays, start), 6)):
        local = [at.astimezone(BERLIN) for at in times]
        assert {(at.weekday(), at.hour, at.minute) for at in local} == {(weekday, 7, 30)}
        assert len({at.date() for at in local}) == len(local) == 3


def dates(schedule: Any, start: datetime) -> list[datetime]:
    import asyncio

    from prefect.server.schemas.schedules import CronSchedule

    server_schedule = CronSchedule(cron=schedule.cron, timezone=schedule.timezone)
    times = asyncio.run(server_schedule.get_dates(n=3, start=start))
    return [datetime.fromtimestamp(at.timestamp(), UTC) for at in times]

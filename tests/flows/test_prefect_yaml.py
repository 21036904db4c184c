"""prefect.yaml: its deployments, and its schedules, which do produce runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from ..publications import Publication
from ..waiting import wait_until
from .prefect_server import PrefectServer

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
        assert deployment["work_pool"] == {"name": "newsletter"}


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


@pytest.mark.slow
@pytest.mark.timeout(300)  # a real server, a runner and three processes on a busy machine
def test_schedules_produce_runs_and_an_editor_approves_one(publication: Publication) -> None:
    """A real server and runner: what SQLAlchemy 2.1 breaks silently shows here."""
    publication.write_essay()
    readers = publication.add_many_subscribers(2)
    with PrefectServer(publication.home) as server:
        scheduled = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
        wait_until(
            lambda: server.request("POST", "/flow_runs/count", scheduled),
            "no schedule produced a run",
        )
        run = server.start("publish-issue/thursday")
        state = server.wait_for_state(run, "PAUSED")
        assert "**2** Leserinnen" in server.form_markdown(run, state)
        assert publication.mails() == []
        server.submit_form(run, decision="send", name="Anna")
        state = server.wait_for_state(run, "COMPLETED", "FAILED", "CRASHED", "CANCELLED")
        assert "an 2 von 2 verschickt" in state["message"]
    assert publication.recipients() == readers
    data = b"".join(path.read_bytes() for path in server.prefect_home.glob("prefect.db*"))
    assert b"@example.org" not in data

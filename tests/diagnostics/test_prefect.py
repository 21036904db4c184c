"""What Prefect's API tells, and what is no Prefect at all. The real server is asked in tests/flows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from upcycle_news.diagnostics import prefect
from upcycle_news.diagnostics.results import Line
from upcycle_news.errors import SettingsError
from upcycle_news.prefect_api.client import Cockpit
from upcycle_news.prefect_api.status import (
    Deployment,
    PrefectFacts,
    look,
    planned,
)

from ..prefect_api.test_client import Api, api  # noqa: F401  the fixture

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 26, 6, tzinfo=UTC)
THURSDAY = frozenset({("30 7 * * 4", "Europe/Berlin")})
WANTED = (
    Deployment("thursday", "flows/publish_issue.py:publish_issue", THURSDAY),
    Deployment("operators", "flows/notify.py:notify", frozenset()),
)
ALARMS = frozenset({"upcycle-news.issue.late", "upcycle-news.doctor.red"})
WELL = PrefectFacts(
    "http://127.0.0.1:4200/api",
    version="3.8.8",
    ours="3.8.8",
    deployments=WANTED,
    next_issue=NOW,
    alarms=ALARMS,
)

AUTOMATIONS = [
    {
        "name": "upcycle-news alarms",
        "enabled": True,
        "trigger": {"expect": ["upcycle-news.issue.late"]},
    },
    {
        "name": "upcycle-news old",
        "enabled": False,
        "trigger": {"expect": ["upcycle-news.feed.dead"]},
    },
    {"name": "somebody's", "enabled": True, "trigger": {"triggers": []}},
]


def judged(facts: PrefectFacts, operators: int = 1) -> list[Line]:
    return prefect.verdict(facts, WANTED, BERLIN, alarms=ALARMS, operators=operators)


def one(facts: PrefectFacts, check: str) -> Line:
    [line] = [line for line in judged(facts) if line.check == check]
    return line


def changed(**told: Any) -> PrefectFacts:
    thursday, operators = WANTED
    return replace(WELL, deployments=(replace(thursday, **told), operators))


def test_all_is_well() -> None:
    assert {str(line.state) for line in judged(WELL)} == {"ok"}
    assert "Thursday, 26 November, 07:00" in one(WELL, "prefect-deployments").found


@pytest.mark.parametrize(
    ("facts", "check", "state"),
    [
        (replace(WELL, version="3.9.1"), "prefect", "warning"),
        (replace(WELL, version="3.8.1"), "prefect", "ok"),
        (replace(WELL, url="http://192.0.2.7:4200/api"), "prefect-login", "problem"),
        (replace(WELL, url="http://192.0.2.7:4200/api", open=False), "prefect-login", "warning"),
        (replace(WELL, url="https://prefect.example.org/api", open=False), "prefect-login", "ok"),
        (replace(WELL, deployments=WANTED[1:]), "prefect-deployments", "problem"),
        (changed(paused=True), "prefect-deployments", "problem"),
        (changed(schedules=frozenset()), "prefect-deployments", "warning"),
        (
            changed(entrypoint="flows/deliver_pending.py:deliver_pending"),
            "prefect-deployments",
            "problem",
        ),
        (changed(ready=False), "prefect-workers", "problem"),
        (changed(pool="newsletter"), "prefect-workers", "problem"),
        (replace(changed(pool="newsletter"), workers=0), "prefect-workers", "problem"),
        (replace(changed(pool="newsletter"), workers=2), "prefect-workers", "ok"),
        (replace(WELL, late=2), "prefect-late", "ok"),
        (replace(WELL, late=9), "prefect-late", "warning"),
        (replace(WELL, skew=-31.0), "clock", "warning"),
        (replace(WELL, skew=500.0), "clock", "problem"),
        (replace(WELL, alarms=frozenset()), "alarms", "warning"),
        (replace(WELL, alarms=ALARMS - {"upcycle-news.doctor.red"}), "alarms", "warning"),
    ],
)
def test_each_trouble_has_its_line(facts: PrefectFacts, check: str, state: str) -> None:
    line = one(facts, check)
    assert line.state == state
    assert state == "ok" or (line.meaning and line.cure)


def test_alarms_that_nobody_gets_are_told() -> None:
    [line] = [one for one in judged(WELL, operators=0) if one.check == "alarms"]
    assert line.state == "warning"
    assert "cockpit.operators" in line.cure


def test_a_missing_pool_is_made_first() -> None:
    assert "work-pool create" in one(changed(pool="newsletter"), "prefect-workers").cure
    asleep = replace(changed(pool="newsletter"), workers=0)
    assert "work-pool create" not in one(asleep, "prefect-workers").cure


def test_the_deployments_of_this_repository_are_read() -> None:
    found = {one.name: one for one in planned(Path(__file__).parents[2])}
    assert found["thursday"].schedules == THURSDAY
    assert found["daily"].entrypoint == "flows/checkup.py:checkup"


@pytest.mark.parametrize("text", ["", "deployments: 3", "deployments: [3]", "\t- x", "a: [", None])
def test_a_prefect_yaml_that_is_none_is_told(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "prefect.yaml").write_text(text)
    with pytest.raises(SettingsError, match=r"prefect\.yaml"):
        planned(tmp_path)


def test_nobody_answers() -> None:
    facts = look(Cockpit("http://127.0.0.1:9/api"), "3.8.8", lambda: NOW, 2.0)
    [line] = judged(facts)
    assert (line.check, line.state) == ("prefect", "problem")
    assert "upcycle-news up" in line.cure


def test_what_answers_is_not_prefect(api: Any) -> None:  # noqa: F811
    facts = look(Cockpit(api.url), "3.8.8", lambda: NOW, 2.0)
    assert "not Prefect's API" in facts.trouble
    api.answers["/api/admin/version"] = (200, "3.8.8")
    api.answers["/api/deployments/filter"] = (200, {"detail": "nonsense"})
    facts = look(Cockpit(api.url), "3.8.8", lambda: NOW, 2.0)
    assert "does not speak" in facts.trouble


def test_a_wrong_login_is_named(api: Any) -> None:  # noqa: F811
    api.answers["/api/admin/version"] = (401, {})
    facts = look(Cockpit(api.url, "anna:geheim-4711"), "3.8.8", lambda: NOW, 2.0)
    [line] = judged(facts)
    assert "PREFECT_API_AUTH_STRING" in line.cure
    assert "geheim" not in str(line)


def test_the_servers_clock_is_compared_with_ours(
    api: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """HTTP tells the time in the header Date."""
    ahead = NOW + timedelta(minutes=2)

    def date(self: Any, timestamp: float | None = None) -> str:
        return format_datetime(ahead, usegmt=True)

    monkeypatch.setattr(Api, "date_time_string", date)
    api.answers |= {
        "/api/admin/version": (200, "3.8.8"),
        "/api/deployments/filter": (200, []),
        "/api/work_pools/newsletter/workers/filter": (200, [{"status": "ONLINE"}, {"status": "X"}]),
        "/api/flow_runs/count": (200, 4),
        "/api/automations/filter": (200, AUTOMATIONS),
        "/api/flow_runs/filter": (200, []),
    }
    facts = look(Cockpit(api.url, "anna:geheim"), "3.8.8", lambda: NOW, 2.0)
    assert (facts.skew, facts.workers, facts.late, facts.alarms) == (
        120.0,
        1,
        4,
        {"upcycle-news.issue.late"},
    )
    assert facts.open  # the stub answers strangers as well
    [line] = [one for one in judged(facts) if one.check == "clock"]
    assert "120 s ahead" in line.found

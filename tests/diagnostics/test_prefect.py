"""Checks of Prefect against a stub of its API. The real server is used in tests/flows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from upcycle_news.diagnostics import prefect
from upcycle_news.diagnostics.results import CheckResult
from upcycle_news.errors import SettingsError
from upcycle_news.prefect_api.client import PrefectClient
from upcycle_news.prefect_api.status import (
    Deployment,
    PrefectFacts,
    fetch_facts,
    read_deployments,
)

from ..prefect_api.test_client import Api, api  # noqa: F401  the fixture

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 26, 6, tzinfo=UTC)
THURSDAY = frozenset({("30 7 * * 4", "Europe/Berlin")})
WANTED = (
    Deployment("thursday", "upcycle_news_flows.publish_issue.publish_issue", THURSDAY),
    Deployment("operators", "upcycle_news_flows.notify.notify", frozenset()),
)
ALARMS = frozenset({"upcycle-news.issue.late", "upcycle-news.doctor.red"})
HEALTHY = PrefectFacts(
    "http://127.0.0.1:4200/api",
    version="3.8.8",
    installed="3.8.8",
    deployments=WANTED,
    next_issue=NOW,
    alert_events=ALARMS,
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


def evaluated(facts: PrefectFacts, operators: int = 1) -> list[CheckResult]:
    return prefect.evaluate(facts, WANTED, BERLIN, alarms=ALARMS, operators=operators)


def result_of(facts: PrefectFacts, check: str) -> CheckResult:
    [result] = [result for result in evaluated(facts) if result.check == check]
    return result


def changed(**changes: Any) -> PrefectFacts:
    thursday, operators = WANTED
    return replace(HEALTHY, deployments=(replace(thursday, **changes), operators))


def test_a_healthy_prefect_has_only_ok_results() -> None:
    assert {str(result.state) for result in evaluated(HEALTHY)} == {"ok"}
    assert "Thursday, 26 November, 07:00" in str(result_of(HEALTHY, "prefect-deployments").finding)


@pytest.mark.parametrize(
    ("facts", "check", "state"),
    [
        (replace(HEALTHY, version="3.9.1"), "prefect", "warning"),
        (replace(HEALTHY, version="3.8.1"), "prefect", "ok"),
        (replace(HEALTHY, url="http://192.0.2.7:4200/api"), "prefect-login", "problem"),
        (
            replace(HEALTHY, url="http://192.0.2.7:4200/api", answers_without_login=False),
            "prefect-login",
            "warning",
        ),
        (
            replace(HEALTHY, url="https://prefect.example.org/api", answers_without_login=False),
            "prefect-login",
            "ok",
        ),
        (replace(HEALTHY, deployments=WANTED[1:]), "prefect-deployments", "problem"),
        (changed(paused=True), "prefect-deployments", "problem"),
        (changed(schedules=frozenset()), "prefect-deployments", "warning"),
        (
            changed(entrypoint="upcycle_news_flows.deliver_pending.deliver_pending"),
            "prefect-deployments",
            "problem",
        ),
        (
            replace(
                HEALTHY,
                deployments=(
                    *WANTED,
                    Deployment("old", "upcycle_news_flows.watch.watch", THURSDAY),
                ),
            ),
            "prefect-deployments",
            "warning",
        ),
        (
            replace(
                HEALTHY, deployments=(*WANTED, Deployment("mine", "flows/mine.py:mine", THURSDAY))
            ),
            "prefect-deployments",
            "ok",
        ),
        (changed(ready=False), "prefect-workers", "problem"),
        (changed(pool="newsletter"), "prefect-workers", "problem"),
        (replace(changed(pool="newsletter"), workers=0), "prefect-workers", "problem"),
        (replace(changed(pool="newsletter"), workers=2), "prefect-workers", "ok"),
        (replace(HEALTHY, late_runs=2), "prefect-late", "ok"),
        (replace(HEALTHY, late_runs=9), "prefect-late", "warning"),
        (replace(HEALTHY, skew=-31.0), "clock", "warning"),
        (replace(HEALTHY, skew=500.0), "clock", "problem"),
        (replace(HEALTHY, alert_events=frozenset()), "alarms", "warning"),
        (replace(HEALTHY, alert_events=ALARMS - {"upcycle-news.doctor.red"}), "alarms", "warning"),
    ],
)
def test_each_fault_has_its_result_with_impact_and_fix(
    facts: PrefectFacts, check: str, state: str
) -> None:
    result = result_of(facts, check)
    assert result.state == state
    assert state == "ok" or (str(result.impact or "") and str(result.fix or ""))


def test_alarms_without_operators_are_a_warning() -> None:
    [result] = [result for result in evaluated(HEALTHY, operators=0) if result.check == "alarms"]
    assert result.state == "warning"
    assert "cockpit.operators" in str(result.fix or "")


def test_a_missing_pool_is_to_be_created_first() -> None:
    assert "work-pool create" in str(result_of(changed(pool="newsletter"), "prefect-workers").fix)
    no_worker = replace(changed(pool="newsletter"), workers=0)
    assert "work-pool create" not in str(result_of(no_worker, "prefect-workers").fix)


def test_the_deployments_of_this_repository_are_read() -> None:
    deployments = {
        deployment.name: deployment for deployment in read_deployments(Path(__file__).parents[2])
    }
    assert deployments["thursday"].schedules == THURSDAY
    assert deployments["daily"].entrypoint == "upcycle_news_flows.checkup.checkup"


@pytest.mark.parametrize("text", ["", "deployments: 3", "deployments: [3]", "\t- x", "a: [", None])
def test_an_invalid_prefect_yaml_is_an_error(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "prefect.yaml").write_text(text)
    with pytest.raises(SettingsError, match=r"prefect\.yaml"):
        read_deployments(tmp_path)


def test_a_server_that_does_not_answer_is_a_problem() -> None:
    facts = fetch_facts(PrefectClient("http://127.0.0.1:9/api"), "3.8.8", lambda: NOW, 2.0)
    [result] = evaluated(facts)
    assert (result.check, result.state) == ("prefect", "problem")
    assert "upcycle-news up" in str(result.fix or "")


def test_another_server_at_the_address_is_recognised(api: Any) -> None:  # noqa: F811
    facts = fetch_facts(PrefectClient(api.url), "3.8.8", lambda: NOW, 2.0)
    assert "not Prefect's API" in str(facts.error)
    api.answers["/api/admin/version"] = (200, "3.8.8")
    api.answers["/api/deployments/filter"] = (200, {"detail": "nonsense"})
    facts = fetch_facts(PrefectClient(api.url), "3.8.8", lambda: NOW, 2.0)
    assert "does not speak" in str(facts.error)


def test_a_wrong_login_is_named(api: Any) -> None:  # noqa: F811
    api.answers["/api/admin/version"] = (401, {})
    facts = fetch_facts(PrefectClient(api.url, "anna:geheim-4711"), "3.8.8", lambda: NOW, 2.0)
    [result] = evaluated(facts)
    assert "PREFECT_API_AUTH_STRING" in str(result.fix or "")
    assert "geheim" not in str(result)


def test_the_clock_of_the_server_is_compared_with_ours(
    api: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server's time is in the Date header of HTTP."""
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
    facts = fetch_facts(PrefectClient(api.url, "anna:geheim"), "3.8.8", lambda: NOW, 2.0)
    assert (facts.skew, facts.workers, facts.late_runs, facts.alert_events) == (
        120.0,
        1,
        4,
        {"upcycle-news.issue.late"},
    )
    assert facts.answers_without_login  # the stub answers without a login as well
    [result] = [result for result in evaluated(facts) if result.check == "clock"]
    assert "120 s ahead" in str(result.finding or "")

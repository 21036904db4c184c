"""Checks of packages, time zones, keys on disk, sizes and feeds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from upcycle_news.diagnostics import content, host
from upcycle_news.diagnostics.content import LastIssue
from upcycle_news.diagnostics.host import HostFacts, Package, SecretFile
from upcycle_news.diagnostics.results import CheckResult
from upcycle_news.models import Finding
from upcycle_news.services.feeds.status import FeedStatus

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 26, 6, tzinfo=UTC)


def state(results: list[CheckResult], check: str) -> str:
    [result] = [result for result in results if result.check == check]
    return str(result.state)


def test_the_installed_packages_satisfy_pyproject_toml() -> None:
    facts = host.inspect_host(ROOT / "requirements.lock")
    assert facts.unfit == ()
    assert facts.unlocked is not None
    assert host.inspect_host(ROOT / "no.lock").unlocked is None


def test_a_package_that_breaks_prefect_silently_is_a_problem_with_its_impact() -> None:
    facts = HostFacts("3.11.7", (Package("sqlalchemy", "2.1.0", "<2.1,>=2.0.36"),), None)
    [_, result] = host.evaluate(facts)
    assert result.state == "problem"
    assert "never creates a scheduled run" in str(result.impact or "")
    assert str(result.fix or "") == "pip install 'sqlalchemy<2.1,>=2.0.36'"


def test_other_versions_than_locked_are_named() -> None:
    locked = host.locked_versions(
        "alpha==1.0 ; sys_platform == 'linux' \\\n    --hash=sha256:00\n# beta==3\nGamma.Delta==2.0 \\\n"
    )
    assert locked == {"alpha": "1.0", "gamma-delta": "2.0"}
    differing = tuple(host.differences({"alpha": "1.1", "gamma-delta": "2.0"}, locked))
    assert differing == (Package("alpha", "1.1", "1.0"),)
    assert state(host.evaluate(HostFacts("3.11", (), differing)), "packages") == "warning"
    assert state(host.evaluate(HostFacts("3.11", (), ())), "packages") == "ok"
    assert state(host.evaluate(HostFacts("3.11", (), None)), "packages") == "ok"


def test_schedules_in_another_time_zone_are_a_warning() -> None:
    assert host.evaluate_zones("Europe/Berlin", ["Europe/Berlin"]).state == "ok"
    assert host.evaluate_zones("Europe/Berlin", ["UTC", "Europe/Berlin"]).state == "warning"


def test_keys_must_exist_and_be_readable_by_their_owner_only() -> None:
    folder, key = SecretFile("var/secrets", 0o700), SecretFile("token-1.key", 0o600)
    assert state(host.evaluate_keys(folder, [key], in_use=True), "secrets") == "ok"
    exposed_key = SecretFile("token-1.key", 0o644)
    assert state(host.evaluate_keys(folder, [exposed_key], in_use=True), "secrets") == "problem"
    exposed_folder = SecretFile("var/secrets", 0o755)
    assert state(host.evaluate_keys(exposed_folder, [key], in_use=True), "secrets") == "problem"
    assert state(host.evaluate_keys(folder, [], in_use=True), "secrets") == "problem"
    missing = SecretFile("var/secrets", -1)
    assert state(host.evaluate_keys(missing, [], in_use=False), "secrets") == "skipped"


def test_a_password_file_that_others_can_read_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("geheim")
    path.chmod(0o640)
    [result] = host.evaluate_secret_files([host.inspect_secret(path, "UPCYCLE_NEWS_X_FILE")])
    assert "UPCYCLE_NEWS_X_FILE" in str(result.finding or "")
    path.chmod(0o600)
    assert host.evaluate_secret_files([host.inspect_secret(path, "UPCYCLE_NEWS_X_FILE")]) == []
    assert host.evaluate_secret_files([host.inspect_secret(tmp_path / "none", "X")]) == []


@pytest.mark.parametrize(
    ("size", "wanted"), [(50_000, "ok"), (90_000, "warning"), (120_000, "problem")]
)
def test_an_issue_that_gmail_would_clip_is_reported(size: int, wanted: str) -> None:
    assert content.evaluate_issue_size(LastIssue("2026-11-26", size, 0)).state == wanted
    assert content.evaluate_issue_size(None).state == "skipped"


def test_content_errors_are_counted() -> None:
    broken = Finding("error", "front-matter", "content/essays/x.md:3", "no date")
    hint = Finding("warning", "alt", "content/essays/x.md:9", "no alt text")
    result = content.evaluate_findings([hint, broken, broken])
    assert result.state == "warning"
    assert "2 errors" in str(result.finding or "")
    assert "content/essays/x.md:3" in str(result.finding or "")
    assert content.evaluate_findings([hint]).state == "ok"
    assert content.evaluate_findings([]).state == "ok"


def feed(name: str = "Bauhof", **changes: Any) -> FeedStatus:
    url, at = "https://a.example/feed", NOW - timedelta(hours=1)
    healthy = FeedStatus(name, url, True, at, at, 0, "", None, False, url, "", "well")
    return replace(healthy, **changes)


@pytest.mark.parametrize(
    ("health", "wanted"),
    [
        ([], "skipped"),
        ([feed(active=False)], "skipped"),
        ([feed(tried_at=None)], "skipped"),
        ([feed()], "ok"),
        ([feed(errors=2)], "ok"),
        ([feed(), feed(errors=5)], "warning"),
        ([feed(stopped=True)], "problem"),
        ([feed(asked_at_address="https://b.example/feed")], "warning"),
        ([feed(tried_at=NOW - timedelta(days=3))], "warning"),
    ],
)
def test_feed_health_is_one_result(health: list[FeedStatus], wanted: str) -> None:
    [result] = content.evaluate_feeds(health, NOW)
    assert result.state == wanted

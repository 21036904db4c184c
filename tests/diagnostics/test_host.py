"""Python's packages, time zones, keys on disk, sizes and feeds: the small verdicts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from upcycle_news.diagnostics import content, host
from upcycle_news.diagnostics.content import LastIssue
from upcycle_news.diagnostics.host import MachineFacts, Package, Secret
from upcycle_news.diagnostics.results import Line
from upcycle_news.models import Finding

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 26, 6, tzinfo=UTC)


def state(lines: list[Line], check: str) -> str:
    [line] = [line for line in lines if line.check == check]
    return str(line.state)


def test_what_is_installed_here_fits_our_bounds() -> None:
    facts = host.look(ROOT / "requirements.lock")
    assert facts.unfit == ()
    assert facts.unlocked is not None
    assert host.look(ROOT / "no.lock").unlocked is None


def test_a_package_that_breaks_prefect_silently_is_red_and_says_so() -> None:
    facts = MachineFacts("3.11.7", (Package("sqlalchemy", "2.1.0", "<2.1,>=2.0.36"),), None)
    [_, line] = host.verdict(facts)
    assert line.state == "problem"
    assert "never creates a scheduled run" in line.meaning
    assert line.cure == "pip install 'sqlalchemy<2.1,>=2.0.36'"


def test_other_versions_than_locked_are_named() -> None:
    locked = host.locked_versions(
        "alpha==1.0 ; sys_platform == 'linux' \\\n    --hash=sha256:00\n# beta==3\nGamma.Delta==2.0 \\\n"
    )
    assert locked == {"alpha": "1.0", "gamma-delta": "2.0"}
    differing = tuple(host.differences({"alpha": "1.1", "gamma-delta": "2.0"}, locked))
    assert differing == (Package("alpha", "1.1", "1.0"),)
    assert state(host.verdict(MachineFacts("3.11", (), differing)), "packages") == "warning"
    assert state(host.verdict(MachineFacts("3.11", (), ())), "packages") == "ok"
    assert state(host.verdict(MachineFacts("3.11", (), None)), "packages") == "ok"


def test_schedules_of_another_zone_are_told() -> None:
    assert host.zones("Europe/Berlin", ["Europe/Berlin"]).state == "ok"
    assert host.zones("Europe/Berlin", ["UTC", "Europe/Berlin"]).state == "warning"


def test_keys_must_be_there_and_for_us_only() -> None:
    folder, key = Secret("var/secrets", 0o700), Secret("token-1.key", 0o600)
    assert state(host.secrets(folder, [key], in_use=True), "secrets") == "ok"
    open_key = Secret("token-1.key", 0o644)
    assert state(host.secrets(folder, [open_key], in_use=True), "secrets") == "problem"
    open_folder = Secret("var/secrets", 0o755)
    assert state(host.secrets(open_folder, [key], in_use=True), "secrets") == "problem"
    assert state(host.secrets(folder, [], in_use=True), "secrets") == "problem"
    gone = Secret("var/secrets", -1)
    assert state(host.secrets(gone, [], in_use=False), "secrets") == "skipped"


def test_a_file_with_a_password_that_others_can_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("geheim")
    path.chmod(0o640)
    [line] = host.secret_files([host.secret_at(path, "UPCYCLE_NEWS_X_FILE")])
    assert "UPCYCLE_NEWS_X_FILE" in line.found
    path.chmod(0o600)
    assert host.secret_files([host.secret_at(path, "UPCYCLE_NEWS_X_FILE")]) == []
    assert host.secret_files([host.secret_at(tmp_path / "none", "X")]) == []


@pytest.mark.parametrize(
    ("size", "wanted"), [(50_000, "ok"), (90_000, "warning"), (120_000, "problem")]
)
def test_an_issue_that_gmail_would_cut_is_told(size: int, wanted: str) -> None:
    assert content.size(LastIssue("2026-11-26", size, 0)).state == wanted
    assert content.size(None).state == "skipped"


def test_errors_of_the_content_are_counted() -> None:
    broken = Finding("error", "front-matter", "content/essays/x.md:3", "no date")
    hint = Finding("warning", "alt", "content/essays/x.md:9", "no alt text")
    line = content.checked([hint, broken, broken])
    assert line.state == "warning"
    assert "2 errors" in line.found
    assert "content/essays/x.md:3" in line.found
    assert content.checked([hint]).state == "ok"
    assert content.checked([]).state == "ok"


def feed(name: str = "Bauhof", **told: Any) -> dict[str, Any]:
    known = {
        "name": name,
        "url": "https://a.example/feed",
        "asked_at_address": "https://a.example/feed",
        "active": True,
        "tried_at": (NOW - timedelta(hours=1)).isoformat(),
        "errors": 0,
        "stopped": False,
    }
    return known | told


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        ([], "skipped"),
        ([feed(active=False)], "skipped"),
        ([feed(tried_at=None)], "skipped"),
        ([feed()], "ok"),
        ([feed(errors=2)], "ok"),
        ([feed(), feed(errors=5)], "warning"),
        ([feed(stopped=True)], "problem"),
        ([feed(asked_at_address="https://b.example/feed")], "warning"),
        ([feed(tried_at=(NOW - timedelta(days=3)).isoformat())], "warning"),
    ],
)
def test_feeds_are_judged_together(known: list[dict[str, Any]], wanted: str) -> None:
    [line] = content.feeds(known, NOW)
    assert line.state == wanted

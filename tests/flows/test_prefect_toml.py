"""prefect.toml: what Prefect's own commands do in a publication, and how long its history is kept."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from upcycle_news.prefect_api.environment import server_environment

from ..publications import Publication

ROOT = Path(__file__).parents[2]
ENABLED = "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED"
RETENTION = "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD"
DAYS_90 = 90 * 86400

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


def without_an_address() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}


def python(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", *arguments], cwd=home, text=True, capture_output=True,
        env={**without_an_address(), "DO_NOT_TRACK": "1"}, timeout=240, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_prefects_commands_fail_where_no_servers_address_is_known(publication: Publication) -> None:
    done = python(
        publication.home, "-m", "prefect", "work-pool", "create", "newsletter", "--type", "process"
    )
    assert done.returncode != 0
    assert "PREFECT_API_URL" in done.stdout + done.stderr
    assert not (publication.home / "var/prefect/prefect.db").exists()


@pytest.mark.slow
def test_a_flow_by_hand_says_that_its_server_is_temporary(
    publication: Publication, empty_prefect_database: bytes
) -> None:
    (publication.home / "var/prefect").mkdir(exist_ok=True)
    (publication.home / "var/prefect/prefect.db").write_bytes(empty_prefect_database)
    done = python(publication.home, "flows/tidy.py")
    assert done.returncode == 0, done.stderr
    assert '"state": "Completed"' in done.stdout
    assert "vorübergehenden Server" in done.stderr
    assert "PREFECT_API_URL" in done.stderr


def test_history_ends_in_prefects_own_settings(publication: Publication) -> None:
    code = (
        "from prefect.settings import get_current_settings as now; v = now().server.services.db_vacuum;"
        "print(sorted(v.enabled_vacuum_types), int(v.retention_period.total_seconds()))"
    )
    done = python(publication.home, "-c", code)
    kinds, _, seconds = done.stdout.strip().rpartition(" ")
    assert kinds == "['events', 'flow_runs', 'orphans']"
    # A run that waits for an approval has not ended and stays, however long it waits.
    assert 3 * 86400 <= int(seconds) <= DAYS_90


def test_every_way_to_start_a_server_keeps_the_same_history(tmp_path: Path) -> None:
    started = server_environment({}, tmp_path, host="127.0.0.1", port=4200)
    own = tomllib.loads((ROOT / "prefect.toml").read_text())["server"]["services"]["db_vacuum"]
    assert started[ENABLED].split(",") == own["enabled"] == ["events", "flow_runs"]
    assert int(started[RETENTION]) == own["retention_period"]
    for file in ("deploy/systemd/upcycle-news.env", "deploy/docker/Dockerfile"):
        text = (ROOT / file).read_text()
        assert f"{ENABLED}={started[ENABLED]}" in text
        assert f"{RETENTION}={started[RETENTION]}" in text


def test_a_server_with_a_history_of_its_own_keeps_it(tmp_path: Path) -> None:
    chosen = server_environment({RETENTION: "86400"}, tmp_path, host="127.0.0.1", port=4200)
    assert chosen[RETENTION] == "86400"

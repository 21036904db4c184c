"""A simulated time: an issue a week, people who come and go, every run of prefect.yaml, and kills."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..postgres_server import DebianPostgres, skip_without_postgres
from .simulated_year import Outcome, simulate
from .year_process import Plan


def lived(
    folder: Path,
    begin: str,
    python: str,
    *,
    store: str = "",
    kills: int,
    sending_kills: int,
    **plan: int,
) -> Outcome:
    chosen = {"readers": 60, "joining": 4, "leaving": 2, "bouncing": 1, **plan}
    return simulate(
        folder,
        Plan(home=str(folder / "umbaupost"), begin=begin, **chosen),
        python=python,
        store=store,
        kills=kills,
        sending_kills=sending_kills,
    )


@pytest.mark.slow
@pytest.mark.xdist_group("prefect")  # for its `warm_python`
@pytest.mark.timeout(600)
def test_in_six_weeks_everybody_due_gets_each_issue_once_whatever_is_killed(
    tmp_path: Path, warm_python: str
) -> None:
    # The clocks are put back on 25 October; the issue of the 29th is approved by hand.
    outcome = lived(
        tmp_path, "2026-10-02", warm_python, weeks=6, every=24, kills=2, sending_kills=1
    )
    assert outcome.faults() == []
    assert len(outcome.killed) == 2 and "publish_issue" in outcome.killed
    assert {one["at"][11:16] for one in outcome.of("publish_issue")} == {"05:30", "06:30"}


@pytest.mark.nightly
@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_in_a_year_everybody_due_gets_each_issue_once_whatever_is_killed(
    tmp_path: Path, kind: str, warm_python: str
) -> None:
    with DebianPostgres("fsync=off") as postgres:
        skip_without_postgres()
        store = postgres.database("year").replace("postgresql://", "postgresql+psycopg://")
        outcome = lived(
            tmp_path,
            "2026-09-04",
            warm_python,
            store=store if kind == "postgres" else "",
            weeks=52,
            every=1,
            readers=500,
            kills=10,
            sending_kills=3,
        )
    assert outcome.faults() == []
    assert len(outcome.killed) == 10 and outcome.killed.count("publish_issue") == 3

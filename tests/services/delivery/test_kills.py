"""The short version of bench/crash.py, which `make nightly` runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from .kill_trial import trial

pytestmark = pytest.mark.slow
READERS, KILLS = 240, 2


@pytest.mark.timeout(300)
def test_kills_lose_no_delivery_and_send_none_twice(any_store: str, tmp_path: Path) -> None:
    outcome = trial(tmp_path / "home", readers=READERS, kills=KILLS, policy="hold", store=any_store)
    assert outcome.inside >= KILLS - 1
    assert outcome.forgotten == []
    assert outcome.doubled == {}
    assert len(outcome.unknown) <= KILLS * outcome.connections
    status = outcome.status
    assert status["closed"]
    assert status["audience"] == READERS == status["sent"] + status["unknown"]


@pytest.mark.timeout(300)
def test_with_resend_a_second_copy_has_the_same_message_id(any_store: str, tmp_path: Path) -> None:
    outcome = trial(
        tmp_path / "home", readers=READERS, kills=KILLS, policy="resend", store=any_store
    )
    assert outcome.forgotten == []
    assert outcome.unknown == []
    assert len(outcome.doubled) <= KILLS * outcome.connections
    assert outcome.same_message_id
    assert outcome.status["sent"] == READERS


@pytest.mark.timeout(300)
def test_two_runs_started_at_once_send_each_mail_once(any_store: str, tmp_path: Path) -> None:
    outcome = trial(
        tmp_path / "home", readers=READERS, kills=2, policy="hold", store=any_store, senders=2
    )
    assert (outcome.forgotten, outcome.doubled) == ([], {})
    assert len(outcome.unknown) <= 2 * outcome.connections
    assert outcome.status["closed"]

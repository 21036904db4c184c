"""The short version of bench/crash.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from .kill_trial import trial

pytestmark = pytest.mark.slow
READERS, KILLS = 240, 4


@pytest.mark.timeout(300)
def test_whoever_is_killed_when_nobody_is_forgotten_and_nobody_gets_it_twice(
    any_store: str, tmp_path: Path
) -> None:
    found = trial(tmp_path / "home", readers=READERS, kills=KILLS, policy="hold", store=any_store)
    assert found.inside >= KILLS - 1
    assert found.forgotten == []
    assert found.doubled == {}
    assert len(found.unknown) <= KILLS * found.connections
    told = found.status
    assert told["closed"]
    assert told["audience"] == READERS == told["sent"] + told["unknown"]


@pytest.mark.timeout(300)
def test_with_resend_a_second_copy_has_the_same_message_id(any_store: str, tmp_path: Path) -> None:
    found = trial(tmp_path / "home", readers=READERS, kills=KILLS, policy="resend", store=any_store)
    assert found.forgotten == []
    assert found.unknown == []
    assert len(found.doubled) <= KILLS * found.connections
    assert found.same_message_id
    assert found.status["sent"] == READERS


@pytest.mark.timeout(300)
def test_two_senders_started_at_once_send_one_mail_each(any_store: str, tmp_path: Path) -> None:
    found = trial(
        tmp_path / "home", readers=READERS, kills=2, policy="hold", store=any_store, senders=2
    )
    assert (found.forgotten, found.doubled) == ([], {})
    assert len(found.unknown) <= 2 * found.connections
    assert found.status["closed"]

"""Restore a backup that was taken during a send (the short version of bench/restore.py).

Each on one of the stores; `make nightly` tries the other one, too.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from .mid_send_trial import Outcome, trial

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
READERS = 300
ON_SQLITE, ON_POSTGRES = (
    [
        pytest.param(kind, marks=() if kind == first else pytest.mark.nightly)
        for kind in ("sqlite", "postgres")
    ]
    for first in ("sqlite", "postgres")
)
RESTORED = (
    r"Es geht nichts hinaus: Dieser Speicher wurde aus einem Backup vom .* UTC wiederhergestellt "
    r"und weiß nicht, was seither verschickt wurde"
)


def assert_refused_until_confirmed(outcome: Outcome) -> None:
    assert outcome.restored["paused"]
    assert len(outcome.refused) == 6
    for sentence in outcome.refused[:-1]:
        assert re.search(RESTORED, sentence), sentence
    worker = json.loads(outcome.refused[-1])  # of the protocol between programs, in English
    assert "nothing goes out: this store was restored from a backup of" in worker["error"]
    assert outcome.sent_while_held == 0
    assert outcome.sent_by_confirming == 0


def assert_no_known_delivery_is_repeated(outcome: Outcome) -> None:
    assert READERS // 3 - 8 <= len(outcome.in_backup) < READERS
    assert outcome.in_backup <= outcome.seen_before
    assert not outcome.resent & outcome.in_backup
    assert all(len(outcome.copies[address]) == 1 for address in outcome.in_backup)


def assert_all_deliveries_are_accounted_for(outcome: Outcome) -> None:
    status = outcome.status
    assert status["closed"]
    assert status["audience"] == READERS == status["sent"] + status["unknown"]
    assert (status["queued"], status["sending"], status["deferred"]) == (0, 0, 0)
    assert status["unknown"] == len(outcome.unknown)
    assert outcome.final_status["closed"]
    assert (outcome.final_status["sent"], outcome.final_status["unknown"]) == (READERS, 0)


def assert_second_copies_have_the_same_message_id(outcome: Outcome) -> None:
    assert len(outcome.copies) == READERS
    assert all(len(set(ids)) == 1 for ids in outcome.copies.values())
    duplicates = {address for address, ids in outcome.copies.items() if len(ids) > 1}
    assert duplicates <= {row["email"] for row in outcome.unknown}


@pytest.mark.parametrize(
    ("killed", "any_store"),
    [
        pytest.param(False, "sqlite", id="completed-sqlite"),
        pytest.param(True, "postgres", id="killed-postgres"),
        pytest.param(False, "postgres", id="completed-postgres", marks=pytest.mark.nightly),
        pytest.param(True, "sqlite", id="killed-sqlite", marks=pytest.mark.nightly),
    ],
    indirect=["any_store"],
)
def test_after_a_lost_disk_nothing_is_sent_until_an_operator_confirms(
    any_store: str, tmp_path: Path, killed: bool
) -> None:
    outcome = trial(tmp_path / "home", readers=READERS, fate="lost", store=any_store, killed=killed)
    assert_refused_until_confirmed(outcome)
    assert_no_known_delivery_is_repeated(outcome)
    assert_all_deliveries_are_accounted_for(outcome)
    assert_second_copies_have_the_same_message_id(outcome)
    assert outcome.status["sent"] == len(outcome.in_backup)
    assert all("restored from a backup of" in row["reason"] for row in outcome.unknown)
    assert outcome.resent == {row["email"] for row in outcome.unknown}
    assert not outcome.restored["merged"]


@pytest.mark.parametrize("any_store", ON_SQLITE, indirect=True)
def test_results_of_the_replaced_store_leave_no_delivery_unknown(
    any_store: str, tmp_path: Path
) -> None:
    outcome = trial(tmp_path / "home", readers=READERS, fate="replaced", store=any_store)
    assert_refused_until_confirmed(outcome)
    assert_no_known_delivery_is_repeated(outcome)
    assert_all_deliveries_are_accounted_for(outcome)
    assert outcome.unknown == []
    assert outcome.restored["learned"]["results"] == READERS - len(outcome.in_backup)
    assert all(len(ids) == 1 for ids in outcome.copies.values())


@pytest.mark.parametrize("any_store", ON_POSTGRES, indirect=True)
def test_after_a_killed_send_only_lost_replies_stay_unknown(any_store: str, tmp_path: Path) -> None:
    outcome = trial(
        tmp_path / "home", readers=READERS, fate="replaced", store=any_store, killed=True
    )
    assert_refused_until_confirmed(outcome)
    assert_no_known_delivery_is_repeated(outcome)
    assert_all_deliveries_are_accounted_for(outcome)
    assert_second_copies_have_the_same_message_id(outcome)
    duplicates = {address for address, ids in outcome.copies.items() if len(ids) > 1}
    assert len(duplicates) <= 4  # one for each open connection of the sender that was killed

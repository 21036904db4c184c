"""A backup taken in the middle of a send, restored (the short version of bench/restore.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from .mid_send_trial import Outcome, trial

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
READERS = 300


def refused_until_confirmed(found: Outcome) -> None:
    assert found.restored["paused"]
    assert len(found.refused) == 6
    for sentence in found.refused:
        assert "nothing goes out: this store was restored from a backup of" in sentence
    assert found.sent_while_paused == 0
    assert found.sent_by_confirming == 0


def nobody_had_it_before_and_gets_it_again(found: Outcome) -> None:
    assert READERS // 3 - 8 <= len(found.in_backup) < READERS
    assert found.in_backup <= found.seen_before
    assert not found.resent & found.in_backup
    assert all(len(found.copies[who]) == 1 for who in found.in_backup)


def the_sum_closes(found: Outcome) -> None:
    told = found.status
    assert told["closed"]
    assert told["audience"] == READERS == told["sent"] + told["unknown"]
    assert (told["queued"], told["sending"], told["deferred"]) == (0, 0, 0)
    assert told["unknown"] == len(found.in_doubt)
    assert found.at_last["closed"]
    assert (found.at_last["sent"], found.at_last["unknown"]) == (READERS, 0)


def everybody_has_it_and_a_second_copy_is_known_by_its_message_id(found: Outcome) -> None:
    assert len(found.copies) == READERS
    assert all(len(set(ids)) == 1 for ids in found.copies.values())
    twice = {who for who, ids in found.copies.items() if len(ids) > 1}
    assert twice <= {one["email"] for one in found.in_doubt}


@pytest.mark.parametrize("killed", [False, True], ids=["sent to the end", "killed"])
def test_after_a_lost_disk_nothing_goes_out_until_a_person_knows_who_is_in_doubt(
    any_store: str, tmp_path: Path, killed: bool
) -> None:
    found = trial(tmp_path / "home", readers=READERS, fate="lost", store=any_store, killed=killed)
    refused_until_confirmed(found)
    nobody_had_it_before_and_gets_it_again(found)
    the_sum_closes(found)
    everybody_has_it_and_a_second_copy_is_known_by_its_message_id(found)
    assert found.status["sent"] == len(found.in_backup)
    assert all("restored from a backup of" in one["reason"] for one in found.in_doubt)
    assert found.resent == {one["email"] for one in found.in_doubt}
    assert not found.restored["merged"]


def test_what_the_replaced_store_knows_leaves_nobody_in_doubt(
    any_store: str, tmp_path: Path
) -> None:
    found = trial(tmp_path / "home", readers=READERS, fate="replaced", store=any_store)
    refused_until_confirmed(found)
    nobody_had_it_before_and_gets_it_again(found)
    the_sum_closes(found)
    assert found.in_doubt == []
    assert found.restored["learned"]["results"] == READERS - len(found.in_backup)
    assert all(len(ids) == 1 for ids in found.copies.values())


def test_of_a_killed_send_only_those_stay_in_doubt_whom_nobody_knows_of(
    any_store: str, tmp_path: Path
) -> None:
    found = trial(tmp_path / "home", readers=READERS, fate="replaced", store=any_store, killed=True)
    refused_until_confirmed(found)
    nobody_had_it_before_and_gets_it_again(found)
    the_sum_closes(found)
    everybody_has_it_and_a_second_copy_is_known_by_its_message_id(found)
    twice = {who for who, ids in found.copies.items() if len(ids) > 1}
    assert len(twice) <= 4  # one for each open connection of the sender that was killed

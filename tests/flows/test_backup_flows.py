"""The nightly backup, and the flows while a restored store stands still."""

from __future__ import annotations

from typing import Any

import pytest

from ..publications import Publication

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


def test_every_night_makes_a_backup_and_a_failure_is_a_failed_run(
    publication: Publication, flows: Any
) -> None:
    publication.add_many_subscribers(2)
    state = flows.backup(return_state=True)
    assert (state.name, state.is_completed()) == ("Completed", True)
    [made] = (publication.home / "var/backups").iterdir()
    assert made.name in state.message
    made.unlink()
    made.parent.rmdir()
    made.parent.write_text("a file where the folder should be")
    state = flows.backup(return_state=True)
    assert state.is_failed(), "deploy/automations.yaml tells operators of failed runs"
    assert "cannot be written" in state.message


def test_flows_send_nothing_from_a_restored_store_and_say_why(
    publication: Publication, flows: Any
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    publication.run("issue", "preview", "--no-open")
    publication.run("issue", "approve")
    backup = publication.run("backup", "--json").json["file"]
    publication.run("restore", backup, "--yes")
    state = flows.deliver_pending(return_state=True)
    assert (state.name, state.is_completed()) == ("Paused", True)
    assert "restored from a backup" in state.message
    state = flows.publish_issue(approve=True, return_state=True)
    assert (state.name, state.is_failed()) == ("Paused", True)
    assert "upcycle-news store confirm" in state.message
    assert publication.mails() == []
    publication.run("store", "confirm", "--yes")
    assert flows.deliver_pending(return_state=True).name == "NothingPending"
    # The approval was taken back, since the issue may have gone out after the backup: a person decides.
    state = flows.publish_issue(approve=True, return_state=True)
    assert (state.name, publication.mails()) == ("Rejected", [])
    assert "upcycle-news issue approve" in state.message
    publication.run("issue", "approve")
    assert flows.publish_issue(approve=True, return_state=True).name == "Completed"
    assert len(publication.mails()) == 2

"""The nightly backup, and the flows while a restored store has a send hold."""

from __future__ import annotations

from typing import Any

import pytest

from ..publications import Publication

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


def test_the_flow_writes_a_backup_and_a_failure_fails_the_run(
    publication: Publication, flows: Any
) -> None:
    publication.add_many_subscribers(2)
    state = flows.backup(return_state=True)
    assert (state.name, state.is_completed()) == ("Completed", True)
    [backup] = (publication.home / "var/backups").iterdir()
    assert backup.name in state.message
    backup.unlink()
    backup.parent.rmdir()
    backup.parent.write_text("a file where the folder should be")
    state = flows.backup(return_state=True)
    assert state.is_failed(), "deploy/automations.yaml tells operators of failed runs"
    assert "wo der Ordner sein müsste, liegt eine Datei" in state.message


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
    assert (state.name, state.is_cancelled()) == ("SendHold", True)
    assert "aus einem Backup" in state.message
    state = flows.publish_issue(approve=True, return_state=True)
    assert (state.name, state.is_failed()) == ("SendHold", True)
    assert "upcycle-news store confirm" in state.message
    assert publication.mails() == []
    publication.run("store", "confirm", "--yes")
    assert flows.deliver_pending(return_state=True).name == "NothingPending"
    # The approval was withdrawn, since the issue may have been sent after the backup: an editor decides.
    state = flows.publish_issue(approve=True, return_state=True)
    assert (state.name, publication.mails()) == ("Rejected", [])
    assert "upcycle-news issue approve" in state.message
    publication.run("issue", "approve")
    assert flows.publish_issue(approve=True, return_state=True).name == "Completed"
    assert len(publication.mails()) == 2

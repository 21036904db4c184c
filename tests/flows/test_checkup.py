"""The daily checkup as Prefect runs it."""

from __future__ import annotations

from typing import Any

import pytest

from upcycle_news.diagnostics import scheduled
from upcycle_news.storage import alerts

from ..publications import Publication, relay_variables

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


def test_a_checkup_ends_degraded_with_a_table_and_no_address(
    publication: Publication, flows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.artifacts import Artifact

    for name, value in relay_variables(9).items():
        monkeypatch.setenv(f"UPCYCLE_NEWS_{name}", value)
    state = flows.checkup(return_state=True)
    assert state.is_completed()
    assert state.name == "Degraded"
    assert "Das Relay 127.0.0.1:9 ist nicht erreichbar" in state.message
    artifact = Artifact.get("doctor")
    assert artifact is not None
    assert "| Problem | Das Relay 127.0.0.1:9" in str(artifact.data)
    assert "@" not in str(artifact.data) + state.message
    context = publication.context()
    assert "relay main" in alerts.open_alerts(context.store, scheduled.RED_EVENT)

"""Events that trigger the automations, evaluated by Prefect's own trigger class."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

FILE = Path(__file__).parents[2] / "deploy/automations.yaml"
AUTOMATIONS = {
    automation["name"]: automation
    for automation in yaml.safe_load(FILE.read_text(encoding="utf-8"))["automations"]
}

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


def triggers(name: str, event: str, flow: str = "") -> bool:
    """True if an automation of the file is triggered by this event of a run of this flow."""
    from prefect.server.events.schemas.automations import EventTrigger
    from prefect.server.events.schemas.events import ReceivedEvent

    related: list[dict[str, Any]] = []
    if flow:
        for role in ("flow", "deployment"):
            related.append(
                {
                    "prefect.resource.id": f"prefect.{role}.{uuid4()}",
                    "prefect.resource.role": role,
                    "prefect.resource.name": flow if role == "flow" else "thursday",
                }
            )
    received = ReceivedEvent(
        occurred=datetime.now(UTC),
        event=event,
        resource={"prefect.resource.id": "prefect.flow-run.1"},  # type: ignore[arg-type]
        related=related,  # type: ignore[arg-type]
        id=uuid4(),
        received=datetime.now(UTC),
    )
    return bool(EventTrigger.model_validate(AUTOMATIONS[name]["trigger"]).covers(received))


def test_every_alert_event_triggers_the_mail() -> None:
    for event in ("issue.refused", "issue.late", "issue.stalled", "relay.slow", "feed.dead"):
        assert triggers("upcycle-news alarms", f"upcycle-news.{event}"), event
    assert not triggers("upcycle-news alarms", "upcycle-news.issue.sent")


@pytest.mark.parametrize("flow", ["publish-issue", "deliver-pending", "backup"])
def test_a_failed_run_triggers_the_mail(flow: str) -> None:
    assert triggers("upcycle-news failed runs", "prefect.flow-run.Failed", flow)
    assert not triggers("upcycle-news failed runs", "prefect.flow-run.Completed", flow)


def test_a_failed_notification_does_not_trigger_another() -> None:
    """Without a relay `notify` fails: an alert on that would start it again and again."""
    assert not triggers("upcycle-news failed runs", "prefect.flow-run.Failed", "notify")

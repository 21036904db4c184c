"""What rings an alarm, judged by Prefect's own trigger."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

FILE = Path(__file__).parents[2] / "deploy/automations.yaml"
AUTOMATIONS = {
    one["name"]: one for one in yaml.safe_load(FILE.read_text(encoding="utf-8"))["automations"]
}

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


def rings(name: str, event: str, flow: str = "") -> bool:
    """Whether an automation of the file hears this event, of a run of this flow."""
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
    told = ReceivedEvent(
        occurred=datetime.now(UTC),
        event=event,
        resource={"prefect.resource.id": "prefect.flow-run.1"},  # type: ignore[arg-type]
        related=related,  # type: ignore[arg-type]
        id=uuid4(),
        received=datetime.now(UTC),
    )
    return bool(EventTrigger.model_validate(AUTOMATIONS[name]["trigger"]).covers(told))


def test_every_event_that_somebody_should_hear_rings() -> None:
    for event in ("issue.refused", "issue.late", "issue.stalled", "relay.slow", "feed.dead"):
        assert rings("upcycle-news alarms", f"upcycle-news.{event}"), event
    assert not rings("upcycle-news alarms", "upcycle-news.issue.sent")


@pytest.mark.parametrize("flow", ["publish-issue", "deliver-pending", "backup"])
def test_a_run_that_failed_rings(flow: str) -> None:
    assert rings("upcycle-news failed runs", "prefect.flow-run.Failed", flow)
    assert not rings("upcycle-news failed runs", "prefect.flow-run.Completed", flow)


def test_a_letter_that_could_not_be_sent_does_not_cause_the_next_one() -> None:
    """The relay is away, `notify` fails: with an alarm for that, the two would never end."""
    assert not rings("upcycle-news failed runs", "prefect.flow-run.Failed", "notify")

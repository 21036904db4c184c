"""What the doctor says of webhooks: which fail, since when, and what waits."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from upcycle_news.diagnostics.results import State
from upcycle_news.diagnostics.webhooks import evaluate
from upcycle_news.services.webhooks.status import WebhookStatus

from ..publications import Publication
from ..services.webhooks.receiver import new_secret

AT = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)


def status(**changed: object) -> WebhookStatus:
    values: dict[str, object] = {
        "name": "crm", "host": "crm.example.org", "events": ("subscriber.left",), "usable": True,
        "waiting": 3, "attempts": 0, "failing_since": None, "next_at": None, "reason": "",
        "stopped": False, "delivered_at": AT,
    }  # fmt: skip
    return WebhookStatus(**(values | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "state", "said"),
    [
        ({}, State.OK, "2026-11-26 06:00"),
        ({"delivered_at": None}, State.OK, "nothing went there yet"),
        ({"failing_since": AT, "reason": "it answered 500"}, State.WARNING, "it answered 500"),
        (
            {"failing_since": AT, "stopped": True, "reason": "x"},
            State.PROBLEM,
            "none of them dropped",
        ),
        ({"usable": False}, State.PROBLEM, "UPCYCLE_NEWS_WEBHOOKS__CRM__SECRET"),
    ],
)
def test_each_state_has_its_colour_and_says_what_waits(
    changed: dict[str, object], state: State, said: str
) -> None:
    [result] = evaluate([status(**changed)])
    assert (result.state, result.about) == (state, "crm")
    assert said in str(result.finding)
    if state is not State.OK:
        assert result.fix is not None and result.impact is not None


def test_without_a_webhook_nothing_is_called_fine() -> None:
    [result] = evaluate(())
    assert result.state is State.SKIPPED


def test_the_command_says_in_german_which_webhook_cannot_be_used(publication: Publication) -> None:
    publication.add_subscribers("anna@example.org")
    there = {"WEBHOOKS__CRM__URL": "https://crm.example.org/"}
    done = publication.run("doctor", "webhooks", "--offline", code=1, **there)
    assert "Webhook crm: Adresse oder Geheimnis fehlt" in " ".join(done.out.split())
    there["WEBHOOKS__CRM__SECRET"] = new_secret()
    done = publication.run("doctor", "webhooks", "--offline", **there)
    assert "Noch ging nichts dorthin" in done.out

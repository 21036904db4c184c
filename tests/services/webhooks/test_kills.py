"""A process that posts to webhooks is killed at each step: nothing is lost, and what comes twice has one id."""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta
from itertools import groupby
from pathlib import Path

import pytest

from upcycle_news.models import EventKind
from upcycle_news.services.webhooks.deliver import LEASE, deliver
from upcycle_news.services.webhooks.status import statuses

from ... import fork_server
from ...delivery.memory_ledger import Clock
from ...publications import Publication
from .conftest import Open, happen
from .delivering_process import STEPS
from .receiver import Receiver

ROOT = Path(__file__).parents[3]
DOUBLES = ("when the second was answered", "before the second position")
"""The steps at which an event was taken and that is not kept yet."""


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_nothing_is_lost_and_doubles_have_one_id(
    publication: Publication,
    open_context: Open,
    receiver: Receiver,
    secret: str,
    clock: Clock,
    step: str,
) -> None:
    context = open_context()
    for number in range(4):
        happen(context, EventKind.SUBSCRIBER_CONFIRMED, subscriber=number)
    variables = {"WEBHOOKS__CRM__URL": receiver.url, "WEBHOOKS__CRM__SECRET": secret}
    ended = fork_server.run(
        [sys.executable, "-m", "tests.services.webhooks.delivering_process",
         str(publication.home), clock.now.isoformat(), step],
        cwd=ROOT,
        env={**os.environ, **{f"UPCYCLE_NEWS_{name}": value for name, value in variables.items()}},
        capture_output=True,
        timeout=60,
        check=False,
    )  # fmt: skip
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    deliver(context)  # while the dead one has the lease, nobody posts
    clock.now += LEASE
    deliver(context)
    told = [(request.id, request.body) for request in receiver.requests]
    groups = [list(group) for _, group in groupby(told)]
    assert (
        len(groups) == len(set(told)) == 4
    )  # in order, and doubles follow each other, word for word
    assert len(told) == (5 if step in DOUBLES else 4)
    assert [request.json["data"]["subscriber"] for request in receiver.requests] == sorted(
        request.json["data"]["subscriber"] for request in receiver.requests
    )
    assert statuses(context)[0].waiting == 0
    clock.now += timedelta(minutes=1)
    assert deliver(context) == ()

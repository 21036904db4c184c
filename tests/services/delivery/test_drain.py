"""Before a service stops, its workers finish what is on the wire."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from upcycle_news.models import IssueId
from upcycle_news.services.delivery import send, worker_identity
from upcycle_news.services.delivery.drain import DrainResult, drain
from upcycle_news.storage import workers

from ...publications import (
    Publication,
    approve_issue,
    issue_status,
    relay_variables,
)
from .sink_relay import Sink


@pytest.mark.slow
def test_a_drained_worker_leaves_no_delivery_unknown(publication: Publication) -> None:
    publication.add_many_subscribers(120)
    publication.write_essay()
    with Sink() as sink:
        relay = {**relay_variables(sink.port), "RELAYS__MAIN__QUOTAS": '["40/s"]'}
        context = publication.context(**relay)
        issue, rendered = approve_issue(context)
        send.enqueue(context, rendered)
        sender = publication.start("issue", "resume", str(issue), **relay)
        assert sink.wait_for(5, 60)
        drained = publication.run("drain", "--seconds", "30", "--json")
        assert drained.json == {"asked": 1, "left": 0}
        sender.wait(60)
        counts = issue_status(context, IssueId.parse(str(issue))).as_dict()
        assert counts["sent"] == sink.count
        assert (counts["sending"], counts["unknown"]) == (0, 0)
        assert counts["queued"] == 120 - sink.count > 0
        publication.run("issue", "resume", str(issue), **relay_variables(sink.port))
        assert sorted(map(len, sink.accepted.values())) == [1] * 120


def test_without_workers_there_is_nothing_to_wait_for(publication: Publication) -> None:
    assert publication.run("drain").out == "Hier läuft kein Sender.\n"


def test_a_worker_of_another_user_is_reported_as_left(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(pid: int, number: int) -> None:
        raise PermissionError

    context = publication.context()
    workers.register_worker(
        context.store, host=worker_identity.this_host(), pid=os.getppid(), now=context.clock(),
        process_start=worker_identity.process_start(os.getppid()),
    )  # fmt: skip
    monkeypatch.setattr(os, "kill", refused)
    ticks = iter(range(100))
    assert drain(context, seconds=3, timer=lambda: next(ticks), wait=lambda _: None) == DrainResult(
        1, 1
    )


def test_a_worker_that_takes_too_long_is_reported_as_left(publication: Publication) -> None:
    context = publication.context()
    unresponsive = subprocess.Popen(
        [sys.executable, "-c", "import signal; signal.signal(15, lambda *_: None); print(flush=True)\nwhile True: signal.pause()"],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert unresponsive.stdout is not None
        unresponsive.stdout.readline()
        for host, start in ((worker_identity.this_host(), None), ("elsewhere", "1"), (worker_identity.this_host(), "of another")):  # fmt: skip
            workers.register_worker(
                context.store, host=host, pid=unresponsive.pid, now=context.clock(),
                process_start=start or worker_identity.process_start(unresponsive.pid),
            )  # fmt: skip
        ticks = iter(range(100))
        assert drain(
            context, seconds=3, timer=lambda: next(ticks), wait=lambda _: None
        ) == DrainResult(1, 1)
        assert unresponsive.poll() is None
    finally:
        unresponsive.send_signal(signal.SIGKILL)
        unresponsive.wait()
    assert drain(context, seconds=3) == DrainResult(0, 0)
    assert os.getpid() not in {sender.pid for sender in workers.registered_workers(context.store)}

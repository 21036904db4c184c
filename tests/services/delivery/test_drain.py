"""Before a service stops, its senders finish what is on the wire."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

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


def test_a_sender_that_is_drained_leaves_nothing_in_doubt(publication: Publication) -> None:
    publication.add_many_subscribers(120)
    publication.write_essay()
    context = publication.context()
    issue, revision_id = approve_issue(context)
    send.enqueue(context, issue, revision_id)
    with Sink() as sink:
        relay = {**relay_variables(sink.port), "RELAYS__MAIN__QUOTAS": '["40/s"]'}
        sender = publication.start("issue", "resume", str(issue), **relay)
        deadline = time.monotonic() + 60
        while sink.count < 5:
            assert sender.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        told = publication.run("drain", "--seconds", "30", "--json")
        assert told.json == {"asked": 1, "left": 0}
        sender.wait(20)
        found = issue_status(context, IssueId.parse(str(issue))).as_dict()
        assert found["sent"] == sink.count
        assert (found["sending"], found["unknown"]) == (0, 0)
        assert found["queued"] == 120 - sink.count > 0
        publication.run("issue", "resume", str(issue), **relay_variables(sink.port))
        assert sorted(map(len, sink.accepted.values())) == [1] * 120


def test_where_nobody_sends_there_is_nothing_to_wait_for(publication: Publication) -> None:
    assert publication.run("drain").out == "no worker runs here\n"


def test_a_sender_of_another_user_is_told_of_and_left_alone(
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


def test_who_takes_too_long_is_told_of_and_left_alone(publication: Publication) -> None:
    context = publication.context()
    deaf = subprocess.Popen(
        [sys.executable, "-c", "import signal; signal.signal(15, lambda *_: None); print(flush=True)\nwhile True: signal.pause()"],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert deaf.stdout is not None
        deaf.stdout.readline()
        for host, start in ((worker_identity.this_host(), None), ("elsewhere", "1"), (worker_identity.this_host(), "of another")):  # fmt: skip
            workers.register_worker(
                context.store, host=host, pid=deaf.pid, now=context.clock(),
                process_start=start or worker_identity.process_start(deaf.pid),
            )  # fmt: skip
        ticks = iter(range(100))
        assert drain(
            context, seconds=3, timer=lambda: next(ticks), wait=lambda _: None
        ) == DrainResult(1, 1)
        assert deaf.poll() is None
    finally:
        deaf.send_signal(signal.SIGKILL)
        deaf.wait()
    assert drain(context, seconds=3) == DrainResult(0, 0)
    assert os.getpid() not in {sender.pid for sender in workers.registered_workers(context.store)}

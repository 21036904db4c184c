"""Several processes: quotas in one store, a worker that is stopped, reports, signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from upcycle_news.delivery.ports import DeliveryReport
from upcycle_news.models import Rate, Relay
from upcycle_news.services.delivery import send, worker_identity
from upcycle_news.services.delivery.stop_signals import stop_on_signals
from upcycle_news.services.delivery.worker_job import WorkerJob
from upcycle_news.services.delivery.worker_pool import WorkerPool, _WorkerProcess
from upcycle_news.storage.database import open_store
from upcycle_news.storage.ledger import Ledger

from ...fork_server import ForkedPython
from ...publications import Publication
from ...storage.sample_rows import ISSUE, NOW, queued
from ...transports.bad_relays import MisbehavingRelay
from .test_send_settings import issue_status, relay_variables
from .test_send_settings import queued as queued_issue

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
@pytest.mark.parametrize("rate", ["2/h", "30/min", "14/s"])
def test_two_processes_never_exceed_their_common_quota(any_store: str, rate: str) -> None:
    limit, span = Rate.parse(rate).limit, timedelta(seconds=Rate.parse(rate).seconds)
    store = open_store(any_store)
    queued(store, *(f"reader{number}@example.org" for number in range(4 * limit)))
    store.close()
    processes = [_quota_process(any_store, rate) for _ in range(2)]
    for process in processes:
        assert _read_line(process) == "ready"
    # At the beginning, within the span, and at the first moment after it; then after a restart.
    counts = [_send_at(processes, NOW + span * part) for part in (0, 0.5, 0.999, 1)]
    for process in processes:
        _end(process)
    processes = [_quota_process(any_store, rate) for _ in range(2)]
    for process in processes:
        assert _read_line(process) == "ready"
    counts += [_send_at(processes, NOW + span * part) for part in (1.5, 2)]
    for process in processes:
        _end(process)
    assert counts == [limit, 0, 0, limit, 0, limit]


def _quota_process(url: str, rate: str) -> subprocess.Popen[str]:
    return ForkedPython(
        [sys.executable, "-m", "tests.storage.quota_process", url, rate],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip


def _read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _send_at(processes: list[subprocess.Popen[str]], now: Any) -> int:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{now.isoformat()}\n")
        process.stdin.flush()
    return sum(int(_read_line(process)) for process in processes)


def _end(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.mark.slow
def test_a_worker_told_to_stop_finishes_its_mail_and_leaves_the_rest_to_the_others(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    pools: list[WorkerPool] = []
    stopped_at: list[int] = []
    at_work = threading.Event()

    class RecordingPool(WorkerPool):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            pools.append(self)

    def progress(report: DeliveryReport) -> None:
        # Once the relay has taken mail over a connection that is not ours, a worker is at work.
        [worker] = pools[0]._workers
        if not stopped_at and worker.report.sent:
            stopped_at.append(report.sent)
            os.kill(worker.process.pid, signal.SIGTERM)
            at_work.set()
        if report.sent > 50 and threading.current_thread() is threading.main_thread():
            assert at_work.wait(100)  # a busy machine takes long to start a process

    monkeypatch.setattr(send, "MIN_QUEUED_FOR_POOL", 10)
    monkeypatch.setattr(send, "WorkerPool", RecordingPool)
    publication.write_essay()
    readers = publication.add_many_subscribers(1500)
    with MisbehavingRelay() as server:
        context = publication.context(
            **relay_variables(server.controller.port), RELAYS__MAIN__CONNECTIONS="4"
        )
        issue = queued_issue(context)
        report = send.deliver_issue(context, issue, progress=progress)
        [worker] = pools[0]._workers
        assert stopped_at and stopped_at[0] < len(readers)
        assert worker.process.returncode == 0
        assert 0 < worker.report.sent < len(readers) - 1
        assert Counter(server.recipients) == Counter(readers)
    assert (report.sent, report.unknown, report.stopped) == (len(readers), 0, None)
    assert issue_status(context, issue).closed


def test_leases_that_a_worker_releases_last_are_sent_all_the_same(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    class LateReleasingPool(WorkerPool):
        """Leases before the first message, and releases after the last one."""

        def spawn(self) -> None:
            self.ledger = Ledger(
                self._context.store, self._issue, worker_identity.register(self._context)
            )
            self.leased = self.ledger.lease(5, self._context.clock())

        def join(self, stopping: Callable[[], bool]) -> None:
            self.ledger.release_leases(self.leased)

    monkeypatch.setattr(send, "MIN_QUEUED_FOR_POOL", 10)
    monkeypatch.setattr(send, "WorkerPool", LateReleasingPool)
    publication.write_essay()
    readers = publication.add_many_subscribers(20)
    with MisbehavingRelay() as server:
        more = {"RELAYS__MAIN__CONNECTIONS": "4", "RELAYS__MAIN__PROCESSES": "2"}
        context = publication.context(**relay_variables(server.controller.port), **more)
        issue = queued_issue(context)
        assert send.deliver_issue(context, issue).sent == len(readers)
    assert Counter(server.recipients) == Counter(readers)
    assert issue_status(context, issue).closed


def test_lines_that_are_no_reports_do_not_stop_reading(
    publication: Publication,
) -> None:
    """A worker whose output nobody reads would block once the pipe is full."""
    program = "print('a warning'); print('[1]'); print('{\"sent\": 2}'); print('{\"sent\": 3}')"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    reported: list[int] = []

    def on_report() -> None:
        reported.append(worker.report.sent)
        raise ValueError("the callback fails")

    context = publication.context()
    job = WorkerJob(Relay("main", "127.0.0.1", 1, "none"), 1, 0.0, accepted_before=True)
    workers = WorkerPool(context, ISSUE, job, 1, on_report)
    worker = _WorkerProcess(process, threading.Thread())
    workers._read(worker)
    assert process.wait(60) == 0
    assert reported == [2, 3]
    assert worker.report.sent == 3


@pytest.mark.parametrize(("before", "stops"), [(signal.SIG_DFL, True), (signal.SIG_IGN, False)])
def test_sighup_stops_a_send_unless_it_is_ignored(before: signal.Handlers, stops: bool) -> None:
    """A lost SSH connection must leave no delivery unknown."""
    original = signal.signal(signal.SIGHUP, before)
    try:
        with stop_on_signals() as stopping:
            os.kill(os.getpid(), signal.SIGHUP)
            assert stopping() is stops
        assert signal.getsignal(signal.SIGHUP) is before
    finally:
        signal.signal(signal.SIGHUP, original)

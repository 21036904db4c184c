"""Further processes for a long list: each sends a share and tells its counts, line by line.

They are made ready while the first messages go out. The job goes down a worker's standard input,
which then stays open: when it closes, by command or because the parent died, the worker finishes
the messages in flight and ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.delivery.ports import DeliveryReport
from upcycle_news.observability.logging import Log
from upcycle_news.services.delivery.worker_job import WorkerJob
from upcycle_news.storage.issues import IssueRow

log = Log(__name__)

MIN_QUEUED_FOR_POOL = 2000  # deliveries for which another process is worth its start


@dataclass
class _Worker:
    process: subprocess.Popen[str]
    reader: threading.Thread
    told: DeliveryReport = field(default_factory=DeliveryReport)
    error: str = ""


class WorkerPool:
    """The worker processes of one run."""

    def __init__(
        self,
        context: AppContext,
        row: IssueRow,
        job: WorkerJob,
        processes: int,
        heard: Callable[[], None],
    ) -> None:
        """Nothing is started yet; `heard` is called when a worker has told something."""
        self._room, self._row, self._share, self._count = context, row, job, processes
        self._heard = heard
        self._workers: list[_Worker] = []
        self._started = False

    def ready(self) -> None:
        """Have them load what they need, and wait."""
        environment = {
            **os.environ,
            "UPCYCLE_NEWS_HOME": str(self._room.settings.home),
            "UPCYCLE_NEWS_STATE": str(self._room.settings.state),
            "UPCYCLE_NEWS_STORE": self._room.settings.store_url,
        }
        for _ in range(self._count):
            process = subprocess.Popen(
                [sys.executable, "-m", "upcycle_news.services.delivery.worker_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                text=True,
            )
            assert process.stdin is not None
            worker = _Worker(process, threading.Thread())
            worker.reader = threading.Thread(target=self._listen, args=(worker,), daemon=True)
            self._workers.append(worker)
            worker.reader.start()

    def start(self) -> None:
        """Give them their job, once."""
        if self._started:
            return
        self._started = True
        job = {
            "issue": str(self._row.id),
            "relay": asdict(self._share.relay),
            "connections": self._share.connections,
            "fresh_only": self._share.fresh_only,
        }
        for worker in self._workers:
            assert worker.process.stdin is not None
            with suppress(OSError):
                worker.process.stdin.write(json.dumps(job) + "\n")
                worker.process.stdin.flush()

    def _listen(self, worker: _Worker) -> None:
        assert worker.process.stdout is not None
        for line in worker.process.stdout:
            try:
                self._take(worker, line)
            except Exception as error:  # on it goes: a worker that nobody listens to stands still
                log.warning("a worker was not understood", why=type(error).__name__)

    def _take(self, worker: _Worker, line: str) -> None:
        told: dict[str, Any] = json.loads(line)
        error, due = told.pop("error", ""), told.pop("next_due", None)
        worker.told = DeliveryReport(**told, next_due=datetime.fromisoformat(due) if due else None)
        worker.error = error
        self._heard()

    def drain(self) -> None:
        """Let them finish what is in flight and end."""
        for worker in self._workers:
            with suppress(OSError):
                assert worker.process.stdin is not None
                worker.process.stdin.close()

    def join(self, stopping: Callable[[], bool]) -> None:
        """Wait until all have ended; they hear it when it is time to stop."""
        if not self._started:
            self.drain()
        for worker in self._workers:
            while worker.process.poll() is None:
                if stopping():
                    self.drain()
                with suppress(subprocess.TimeoutExpired):
                    worker.process.wait(0.2)
            worker.reader.join()

    @property
    def errors(self) -> list[str]:
        """What broke in workers: sentences."""
        return [worker.error for worker in self._workers if worker.error]

    @property
    def died(self) -> bool:
        """Whether one ended without a word."""
        return any(w.process.returncode and not w.error for w in self._workers)

    def total_with(self, report: DeliveryReport) -> DeliveryReport:
        """The counts of a report and all workers."""
        for worker in self._workers:
            report = combine_reports(report, worker.told)
        return report


def combine_reports(one: DeliveryReport, other: DeliveryReport) -> DeliveryReport:
    """Two reports as one."""
    dues = [at for at in (one.next_due, other.next_due) if at is not None]
    return replace(
        one,
        sent=one.sent + other.sent,
        deferred=one.deferred + other.deferred,
        rejected=one.rejected + other.rejected,
        unknown=one.unknown + other.unknown,
        stopped=one.stopped or other.stopped,
        relay_gone=one.relay_gone or other.relay_gone,
        next_due=min(dues, default=None),
    )


def told(report: DeliveryReport, error: str = "") -> str:
    """A report as a line of JSON."""
    due = report.next_due.isoformat() if report.next_due else None
    return json.dumps({**asdict(report), "next_due": due, "error": error})

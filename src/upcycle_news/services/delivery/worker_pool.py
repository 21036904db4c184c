"""The further processes of a run with a long list: start them, supervise them, add up their counts.

They load while the first messages go out, and get their job on standard input once the relay has
accepted one. The input then stays open: when it closes, because the run drains them or because the
parent died, a worker finishes the messages in flight and ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from upcycle_news.app.context import AppContext
from upcycle_news.delivery.ports import DeliveryReport
from upcycle_news.models import IssueId
from upcycle_news.observability.logging import Log
from upcycle_news.services.delivery.worker_job import (
    WorkerJob,
    combine_reports,
    decode_report,
    encode_job,
)

log = Log(__name__)

# Deliveries for which another process is worth its start, a second of processor time: a mail costs a quarter
# of a millisecond, and with a signature of ours twice that.
MIN_QUEUED_FOR_POOL, MIN_SIGNED_FOR_POOL = 20_000, 5_000


@dataclass
class _WorkerProcess:
    process: subprocess.Popen[str]
    reader: threading.Thread
    report: DeliveryReport = field(default_factory=DeliveryReport)
    error: str = ""


class WorkerPool:
    """The further processes of one run; each sends the same issue over its own connections."""

    def __init__(
        self,
        context: AppContext,
        issue: IssueId,
        job: WorkerJob,
        processes: int,
        on_report: Callable[[], None],
    ) -> None:
        """Nothing is started yet; `on_report` is called whenever a worker has reported."""
        self._context, self._issue, self._job, self._count = context, issue, job, processes
        self._on_report = on_report
        self._workers: list[_WorkerProcess] = []
        self._job_sent = False

    def spawn(self) -> None:
        """Start the processes; they load what they need and wait for their job."""
        settings = self._context.settings
        environment = {
            **os.environ,
            "UPCYCLE_NEWS_HOME": str(settings.home),
            "UPCYCLE_NEWS_STATE": str(settings.state),
            "UPCYCLE_NEWS_STORE": settings.store_url,
        }
        for _ in range(self._count):
            process = subprocess.Popen(
                [sys.executable, "-m", "upcycle_news.services.delivery.worker_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                text=True,
            )
            worker = _WorkerProcess(process, threading.Thread())
            worker.reader = threading.Thread(target=self._read, args=(worker,), daemon=True)
            self._workers.append(worker)
            worker.reader.start()

    def send_job(self) -> None:
        """Give all processes their job; only the first call does anything."""
        if self._job_sent:
            return
        self._job_sent = True
        for worker in self._workers:
            assert worker.process.stdin is not None
            with suppress(OSError):
                worker.process.stdin.write(encode_job(self._issue, self._job) + "\n")
                worker.process.stdin.flush()

    def _read(self, worker: _WorkerProcess) -> None:
        """Read the reports of one process until it ends."""
        assert worker.process.stdout is not None
        for line in worker.process.stdout:
            try:
                worker.report, worker.error = decode_report(line)
                self._on_report()
            except Exception as error:  # reading goes on, or the process blocks on a full pipe
                log.warning("worker report not understood", why=type(error).__name__)

    def drain(self) -> None:
        """Let the processes finish what is in flight and end."""
        for worker in self._workers:
            with suppress(OSError):
                assert worker.process.stdin is not None
                worker.process.stdin.close()

    def join(self, stopping: Callable[[], bool]) -> None:
        """Wait until all processes have ended; they are drained once `stopping` returns True."""
        if not self._job_sent:
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
        """The errors that workers reported, as sentences."""
        return [worker.error for worker in self._workers if worker.error]

    @property
    def crashed(self) -> bool:
        """True when a process failed without reporting an error."""
        return any(worker.process.returncode and not worker.error for worker in self._workers)

    def total_with(self, report: DeliveryReport) -> DeliveryReport:
        """Return the sum of `report` and the latest reports of all workers."""
        for worker in self._workers:
            report = combine_reports(report, worker.report)
        return report

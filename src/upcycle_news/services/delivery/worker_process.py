"""A worker process of `workers`: ``python -m upcycle_news.services.delivery.worker_process``, the job on its input."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.delivery.ports import DeliveryReport
from upcycle_news.errors import UpcycleError
from upcycle_news.models import IssueId, Relay
from upcycle_news.services.delivery.stop_signals import stop_on_signals
from upcycle_news.services.delivery.worker_job import WorkerJob, run_job
from upcycle_news.services.delivery.worker_pool import told
from upcycle_news.storage import issues

_PAUSE = 0.2  # seconds between two lines of counts


def main() -> int:
    """Send a share; 0 when it ended as it should, 1 after an error told on the last line."""
    with AppContext.open() as context:
        assert context.store  # open before the job comes
        job = json.loads(sys.stdin.readline() or "{}")
        return _work(context, job) if job else 0


def _work(context: AppContext, job: dict[str, Any]) -> int:
    parent_gone = threading.Event()
    threading.Thread(target=_watch_input, args=(parent_gone,), daemon=True).start()
    last = [0.0, DeliveryReport()]

    def progress(report: DeliveryReport) -> None:
        if time.monotonic() - float(str(last[0])) > _PAUSE:
            last[:] = [time.monotonic(), report]
            _say(told(report))

    report, error = DeliveryReport(), ""
    relay = Relay(**job["relay"])
    job = WorkerJob(relay, job["connections"], 0.0, passed=True, fresh_only=job["fresh_only"])
    with stop_on_signals() as stopping:
        try:
            row = issues.get(context.store, IssueId.parse(job["issue"]))
            if row is not None:
                report = run_job(
                    context,
                    row,
                    job,
                    stopping=lambda: stopping() or parent_gone.is_set(),
                    progress=progress,
                )
        except UpcycleError as problem:
            error = str(problem)
    _say(told(report, error))
    return 1 if error else 0


def _watch_input(gone: threading.Event) -> None:
    # Not through sys.stdin: a thread that waits in it keeps the interpreter from ending.
    while os.read(0, 1024):
        pass
    gone.set()


def _say(line: str) -> None:
    try:
        print(line, flush=True)  # noqa: T201 - the pipe to the parent
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


if __name__ == "__main__":
    sys.exit(main())

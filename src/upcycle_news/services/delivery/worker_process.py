"""The program of a process that `worker_pool` starts; its job arrives on standard input.

``python -m upcycle_news.services.delivery.worker_process``
"""

from __future__ import annotations

import os
import sys
import threading
import time

from upcycle_news.app.context import AppContext
from upcycle_news.delivery.ports import DeliveryReport
from upcycle_news.errors import UpcycleError
from upcycle_news.services.delivery.stop_signals import stop_on_signals
from upcycle_news.services.delivery.worker_job import (
    decode_job,
    encode_report,
    load_mailing,
    run_job,
)
from upcycle_news.storage import issues

_REPORT_INTERVAL = 0.2  # seconds


def main() -> int:
    """Run one job; return 0 when it ended as it should, 1 after an error, which is reported."""
    with AppContext.open() as context:
        assert context.store  # open before the job comes
        line = sys.stdin.readline()
        return _run(context, line) if line.strip() else 0


def _run(context: AppContext, line: str) -> int:
    issue, job = decode_job(line)
    input_closed = threading.Event()
    threading.Thread(target=_watch_input, args=(input_closed,), daemon=True).start()
    reported_at = 0.0

    def progress(report: DeliveryReport) -> None:
        nonlocal reported_at
        if time.monotonic() - reported_at > _REPORT_INTERVAL:
            reported_at = time.monotonic()
            _write_line(encode_report(report))

    report, error = DeliveryReport(), ""
    with stop_on_signals() as stopping:
        try:
            row = issues.get(context.store, issue)
            if row is not None:
                report = run_job(
                    context,
                    load_mailing(context, row),
                    job,
                    stopping=lambda: stopping() or input_closed.is_set(),
                    progress=progress,
                )
        except UpcycleError as problem:
            error = str(problem)
    _write_line(encode_report(report, error))
    return 1 if error else 0


def _watch_input(closed: threading.Event) -> None:
    # Not through sys.stdin: a thread that waits in it keeps the interpreter from ending.
    while os.read(0, 1024):
        pass
    closed.set()


def _write_line(line: str) -> None:
    try:
        print(line, flush=True)  # noqa: T201 - the pipe to the parent
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


if __name__ == "__main__":
    sys.exit(main())

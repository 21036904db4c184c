"""Register a process as a worker, and tell whether a worker is alive."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from upcycle_news.app.context import AppContext
from upcycle_news.services.process_identity import process_start, this_host
from upcycle_news.storage import workers

__all__ = ["HEARTBEAT_TIMEOUT", "is_alive", "process_start", "register", "this_host"]

HEARTBEAT_TIMEOUT = timedelta(minutes=10)
"""A worker on another machine whose last heartbeat is older counts as dead."""


def register(context: AppContext) -> workers.Worker:
    """Register this process as a worker; raises `PausedError` while nothing may be sent."""
    return workers.register_worker(
        context.store,
        host=this_host(),
        pid=os.getpid(),
        process_start=process_start(os.getpid()),
        now=context.clock(),
    )


def is_alive(worker: workers.Worker, now: datetime) -> bool:
    """Return True for a worker whose process runs here, or whose heartbeat elsewhere is recent."""
    if worker.ended_at is not None:
        return False
    if worker.host != this_host():
        return now - worker.heartbeat_at < HEARTBEAT_TIMEOUT
    try:
        os.kill(worker.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it exists and belongs to another user
    return worker.process_start == process_start(worker.pid)

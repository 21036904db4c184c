"""Ask the workers of this machine to stop, before whatever started them is stopped.

A runner or worker of Prefect that is told to stop kills its runs at once (3.8 and 3.9). A sending
process that is told so itself finishes what is on the wire, records it and releases its leases.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from upcycle_news.app.context import AppContext
from upcycle_news.observability.logging import Log
from upcycle_news.services.delivery.worker_identity import is_alive, this_host
from upcycle_news.storage.workers import registered_workers

log = Log(__name__)

_POLL_INTERVAL = 0.1  # seconds


@dataclass(frozen=True)
class DrainResult:
    """Counts: workers that were asked to stop, and those whose process is left."""

    asked: int = 0
    left: int = 0


def drain(
    context: AppContext,
    *,
    seconds: float,
    timer: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> DrainResult:
    """Send SIGTERM to every worker of this machine, and wait until their processes have ended.

    At most `seconds`; a process that is left then has been asked and goes on finishing. Workers of
    other machines, and of other containers, are left alone.
    """
    asked = [
        worker
        for worker in registered_workers(context.store)
        if worker.host == this_host()
        and worker.pid != os.getpid()
        and is_alive(worker, context.clock())
    ]
    for worker in asked:
        # It has ended meanwhile, or is another user's.
        with suppress(ProcessLookupError, PermissionError):
            os.kill(worker.pid, signal.SIGTERM)
    until, left = timer() + seconds, asked
    while left and timer() < until:
        wait(_POLL_INTERVAL)
        left = [worker for worker in left if is_alive(worker, context.clock())]
    if asked:
        log.info("workers asked to stop", asked=len(asked), left=len(left))
    return DrainResult(len(asked), len(left))

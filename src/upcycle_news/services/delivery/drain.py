"""Ask the senders of this machine to end, before whoever started them is stopped.

A runner or worker of Prefect that is told to stop kills its runs at once (3.8 and 3.9). A sender that
is told so itself finishes what is on the wire, writes it down and gives the rest back.
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
from upcycle_news.storage.workers import signed_on

log = Log(__name__)

_LOOK = 0.1  # seconds


@dataclass(frozen=True)
class DrainResult:
    """How many senders were asked, and how many of their processes are still there."""

    asked: int = 0
    left: int = 0


def drain(
    context: AppContext,
    *,
    seconds: float,
    timer: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> DrainResult:
    """Send SIGTERM to every sender of this machine, and wait until their processes have ended.

    At most `seconds`; who is left then has been asked and goes on finishing. Senders of other
    machines, and of other containers, are left alone.
    """
    mine = [
        sender
        for sender in signed_on(context.store)
        if sender.host == this_host()
        and sender.pid != os.getpid()
        and is_alive(sender, context.clock())
    ]
    for sender in mine:
        with suppress(ProcessLookupError, PermissionError):  # it was faster, or is another user's
            os.kill(sender.pid, signal.SIGTERM)
    until, left = timer() + seconds, mine
    while left and timer() < until:
        wait(_LOOK)
        left = [sender for sender in left if is_alive(sender, context.clock())]
    if mine:
        log.info("senders were asked to end", asked=len(mine), left=len(left))
    return DrainResult(len(mine), len(left))

"""Posts to webhooks in a process that kills itself (SIGKILL) at a step of the second event."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from upcycle_news.api import open_app
from upcycle_news.services.webhooks import deliver
from upcycle_news.storage import event_log, locks, webhook_outbox

# The function at which it dies: before it is called, or when it has returned; and at which call.
STEPS: dict[str, tuple[Any, str, bool, int]] = {
    "before the log is read": (event_log, "since", False, 1),
    "when the log was read": (event_log, "since", True, 1),
    "before the lease": (locks, "acquire", False, 1),
    "with the lease": (locks, "acquire", True, 1),
    "before the second request": (deliver, "post_message", False, 2),
    "when the second was answered": (deliver, "post_message", True, 2),
    "before the second position": (webhook_outbox, "advance", False, 2),
    "when the second position is kept": (webhook_outbox, "advance", True, 2),
    "before the lease is given back": (locks, "release", False, 1),
    "when all is done": (locks, "release", True, 1),
}


def die_at(module: Any, name: str, *, after: bool, call: int) -> None:
    real: Callable[..., Any] = getattr(module, name)
    calls = 0

    def dying(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*arguments, **named)
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(module, name, dying)


def main(home: str, now: str, step: str) -> None:
    module, name, after, call = STEPS[step]
    die_at(module, name, after=after, call=call)
    with open_app(Path(home), clock=lambda: datetime.fromisoformat(now)) as app:
        app.webhooks.deliver()


if __name__ == "__main__":
    main(*sys.argv[1:])

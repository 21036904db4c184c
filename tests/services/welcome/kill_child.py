"""A process that sends what is due of the welcome at a given time, and may be killed in between."""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime
from typing import Any

from upcycle_news.api import open_app
from upcycle_news.storage.welcome_ledger import WelcomeLedger


def die_at(place: str, number: int) -> None:
    """Kill this process at the `number`-th commit of claims or verdicts, before or after it."""
    real, seen = WelcomeLedger.commit, 0

    def commit(self: WelcomeLedger, records: Any, claims: Any, now: datetime) -> Any:
        nonlocal seen
        seen += 1
        if seen == number and place == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(self, records, claims, now)
        if seen == number and place == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    WelcomeLedger.commit = commit  # type: ignore[method-assign]


if __name__ == "__main__":
    now = datetime.fromisoformat(sys.argv[1])
    if len(sys.argv) > 2:
        die_at(sys.argv[2], int(sys.argv[3]))
    with open_app(clock=lambda: now) as app:
        app.welcome.send_due()

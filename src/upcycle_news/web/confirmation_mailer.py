"""Sends the mails of sign-ups while the web pages run, in a thread of its own.

No response waits for the relay, and neither does the end of the process: what was not sent by then is
in the store, and the next process or flow sends it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from upcycle_news.api import App
from upcycle_news.errors import UpcycleError
from upcycle_news.observability.logging import Log

log = Log(__name__)

LOOK_SECONDS = 60.0
"""How often the thread looks for what became due, or has room within the limits by now."""


class ConfirmationMailer:
    """A thread that sends what waits when it is woken, and now and then."""

    def __init__(self, app: App, *, look_seconds: float = LOOK_SECONDS) -> None:
        self._app, self._look_seconds = app, look_seconds
        self._wake, self._ending, self._expired = (
            threading.Event(),
            threading.Event(),
            threading.Event(),
        )
        # A daemon: Python does not wait for it at the end, as it does for the threads of an executor.
        self._thread = threading.Thread(target=self._run, name="confirmation-mails", daemon=True)

    def start(self) -> None:
        """Begin with what waits already."""
        self._wake.set()
        self._thread.start()

    def wake(self) -> None:
        """Send what waits now."""
        self._wake.set()

    def stop(self, seconds: float) -> bool:
        """Send what waits, but end after `seconds`, whatever the relay does; False if it was still busy."""
        if not self._thread.is_alive():
            return True
        self._ending.set()
        self._wake.set()
        self._thread.join(seconds)
        self._expired.set()
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            self._wake.wait(self._look_seconds)
            ending = self._ending.is_set()
            self._wake.clear()
            self._send(self._expired.is_set)
            if ending:
                return

    def _send(self, stopping: Callable[[], bool]) -> None:
        try:
            self._app.subscribers.send_confirmations(due_only=True, stopping=stopping)
        except UpcycleError as error:
            log.error("confirmation mails wait", why=error)
        except Exception as error:  # the thread must live: the text may hold an address
            log.error("confirmation mails wait", why=type(error).__name__)

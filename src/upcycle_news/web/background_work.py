"""A thread that works beside the web pages when it is woken, and now and then.

No response waits for it, and neither does the end of the process: what was not done by then is in the
store, and the next process or flow does it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from upcycle_news.errors import UpcycleError
from upcycle_news.observability.logging import Log

log = Log(__name__)

Work = Callable[[Callable[[], bool]], object]
"""What is done each time; its argument returns True once it shall begin nothing more."""


class BackgroundWork:
    """Does its work when it is woken, and every `look_seconds`; `waiting` is said in the log when that fails."""

    def __init__(self, name: str, work: Work, *, look_seconds: float, waiting: str) -> None:
        """Make the thread; `start` begins."""
        self._work, self._look_seconds, self._waiting = work, look_seconds, waiting
        self._wake, self._ending, self._expired = (
            threading.Event(),
            threading.Event(),
            threading.Event(),
        )
        # A daemon: Python does not wait for it at the end, as it does for the threads of an executor.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin with what waits already."""
        self._wake.set()
        self._thread.start()

    def wake(self) -> None:
        """Work now."""
        self._wake.set()

    def stop(self, seconds: float) -> bool:
        """Work once more, but end after `seconds`, whatever others do; False if it was still busy."""
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
            try:
                self._work(self._expired.is_set)
            except UpcycleError as error:
                log.error(self._waiting, why=error)
            except Exception as error:  # the thread must live: the text may hold an address
                log.error(self._waiting, why=type(error).__name__)
            if ending:
                return

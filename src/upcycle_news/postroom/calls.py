"""Opening and closing connections beside the work: both wait for the relay, and nobody else should."""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from upcycle_news.postroom.contract import Wire

Answer = tuple[Wire | None, BaseException | None]


class Calls:
    """Connections on their way up or down. Readable (`fileno`) when one was opened or failed."""

    def __init__(self, connect: Callable[[], Wire]) -> None:
        """Open connections with `connect`, each in a thread of its own."""
        self._connect = connect
        self._done: deque[Answer] = deque()
        self._bell, self._ring = socket.socketpair()
        self._closing: list[threading.Thread] = []
        self.waiting = 0

    def fileno(self) -> int:
        """The socket's that rings."""
        return self._bell.fileno()

    def call(self) -> None:
        """Have one more opened."""
        self.waiting += 1
        threading.Thread(target=self._call, name="call", daemon=True).start()

    def _call(self) -> None:
        answer: Answer
        try:
            answer = self._connect(), None
        except BaseException as error:
            answer = None, error
        self._done.append(answer)
        try:
            self._ring.send(b"!")
        except OSError:  # the run is over
            self._abandon()

    def answered(self) -> list[Answer]:
        """What has come of calls since the last time: a connection, or why there is none."""
        found = []
        for _ in self._bell.recv(64):
            self.waiting -= 1
            found.append(self._done.popleft())
        return found

    def hang_up(self, wire: Wire) -> None:
        """Close a connection: at once when nothing needs to be said any more."""
        if wire.broken:
            wire.close()
            return
        self._closing = [one for one in self._closing if one.is_alive()]
        thread = threading.Thread(target=wire.close, name="hang up", daemon=True)
        self._closing.append(thread)
        thread.start()

    def close(self) -> None:
        """Wait until all are closed; those still being opened close when they are."""
        for thread in self._closing:
            thread.join()
        self._ring.close()
        self._bell.close()
        self._abandon()

    def _abandon(self) -> None:
        while self._done:
            with suppress(IndexError):
                wire, _ = self._done.popleft()
                if wire is not None:
                    wire.close()

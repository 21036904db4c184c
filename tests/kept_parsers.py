"""Processes that parse feeds, kept from one collection to the next: to start one takes most of a second."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from contextlib import suppress

import pytest

from upcycle_news.feeds.parser_sandbox import ParserSandbox, SandboxPool


class KeptParsers:
    """The processes of this test session that parse nothing now, by their limit of memory."""

    def __init__(self) -> None:
        self._idle: defaultdict[int, list[subprocess.Popen[bytes]]] = defaultdict(list)

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let sandboxes begin with a process that is idle, and leave theirs when they are closed."""
        start = ParserSandbox._running_child

        def running_child(sandbox: ParserSandbox) -> subprocess.Popen[bytes]:
            if sandbox._child is None:
                with suppress(IndexError):  # none is idle
                    sandbox._child = self._idle[sandbox.limits.memory_bytes].pop()
            return start(sandbox)

        def leave(sandbox: ParserSandbox, error: object = None, *_: object) -> None:
            if sandbox._child is not None and error is None:
                self._idle[sandbox.limits.memory_bytes].append(sandbox._child)
                sandbox._child = None
            sandbox.close()  # what an error has interrupted would answer the next one

        def leave_all(pool: SandboxPool, error: object = None, *_: object) -> None:
            for sandbox in pool._all:
                leave(sandbox, error if sandbox in pool._free.queue else "it is parsing")

        monkeypatch.setattr(ParserSandbox, "_running_child", running_child)
        monkeypatch.setattr(ParserSandbox, "__exit__", leave)
        monkeypatch.setattr(SandboxPool, "__exit__", leave_all)

    def end(self) -> None:
        """End the processes."""
        for child in [child for idle in self._idle.values() for child in idle]:
            child.kill()
            child.communicate()

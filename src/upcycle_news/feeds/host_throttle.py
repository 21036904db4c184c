"""Whose turn it is: a host is asked one thing at a time and not too often, hosts in parallel."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import urlsplit

from upcycle_news.feeds.http_guard import is_global

Task = TypeVar("Task")
Result = TypeVar("Result")


def host_of(url: str) -> str:
    """Return host and port as they stand in `url`, in lower case."""
    return urlsplit(url).netloc.lower()


def run_in_threads(
    tasks: Sequence[Task], do: Callable[[Task], Iterator[Result]], threads: int
) -> Iterator[Result]:
    """Do the tasks in so many threads; yield what they yield, as it comes, waiting for the taker.

    What a task raises is raised here. When the taker stops early, so do the threads, at the next
    result.
    """
    waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
    for task in tasks:
        waiting.put(task)
    done: queue.Queue[tuple[bool, Result | Exception | None]] = queue.Queue(maxsize=2)
    stopped = threading.Event()

    def put(entry: tuple[bool, Result | Exception | None]) -> None:
        while not stopped.is_set():
            try:
                return done.put(entry, timeout=0.5)
            except queue.Full:
                continue
        return None

    def work() -> None:
        try:
            while not stopped.is_set():
                for result in do(waiting.get_nowait()):
                    put((False, result))
        except queue.Empty:
            put((True, None))
        except Exception as error:
            put((True, error))

    working = min(threads, len(tasks))
    for _ in range(working):
        threading.Thread(target=work, name="fetcher", daemon=True).start()
    try:
        while working:
            ended, result = done.get()
            if isinstance(result, Exception):
                raise result
            if ended:
                working -= 1
            else:
                yield result  # type: ignore[misc]  # only an end comes without a result
    finally:
        stopped.set()


class HostThrottle:
    """One request at a time for each host, spaced."""

    def __init__(self, spacing: float) -> None:
        self._spacing = spacing
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._last: dict[str, float] = {}

    @contextmanager
    def slot(self, url: str) -> Iterator[None]:
        """Hold the right to talk to the host of `url`; nobody else has it meanwhile."""
        host = host_of(url)
        with self._guard:
            lock = self._locks[host]
        with lock:
            pause = self._last.get(host, -math.inf) + self._spacing - time.monotonic()
            if pause > 0 and not _is_own(urlsplit(url).hostname or ""):
                time.sleep(pause)
            try:
                yield
            finally:
                self._last[host] = time.monotonic()


def _is_own(host: str) -> bool:
    """Tell whether a host is written as one of the own network, where spacing spares nobody."""
    try:
        return not is_global(host)
    except ValueError:
        return host == "localhost"

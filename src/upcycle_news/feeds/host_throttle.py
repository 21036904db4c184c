"""Polite concurrency: hosts in parallel, but one request at a time to each, spaced."""

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

from upcycle_news.text.private_hosts import is_global

Task = TypeVar("Task")
Result = TypeVar("Result")


def host_of(url: str) -> str:
    """Return host and port of `url` as written, in lower case."""
    return urlsplit(url).netloc.lower()


def run_in_threads(
    tasks: Sequence[Task], work: Callable[[Task], Iterator[Result]], threads: int
) -> Iterator[Result]:
    """Run `work` on the tasks in so many threads; yield the results as they come.

    The threads wait while the consumer is busy: at most two results are queued. An exception of a
    task is raised here. When the consumer stops early, the threads stop at their next result.
    """
    pending: queue.SimpleQueue[Task] = queue.SimpleQueue()
    for task in tasks:
        pending.put(task)
    done: queue.Queue[tuple[bool, Result | Exception | None]] = queue.Queue(maxsize=2)
    stopped = threading.Event()

    def put(entry: tuple[bool, Result | Exception | None]) -> None:
        while not stopped.is_set():
            try:
                return done.put(entry, timeout=0.5)
            except queue.Full:
                continue
        return None

    def run() -> None:
        try:
            while not stopped.is_set():
                for result in work(pending.get_nowait()):
                    put((False, result))
        except queue.Empty:
            put((True, None))
        except Exception as error:
            put((True, error))

    running = min(threads, len(tasks))
    for _ in range(running):
        threading.Thread(target=run, name="fetcher", daemon=True).start()
    try:
        while running:
            ended, result = done.get()
            if isinstance(result, Exception):
                raise result
            if ended:
                running -= 1
            else:
                yield result  # type: ignore[misc]  # only an end comes without a result
    finally:
        stopped.set()


class HostThrottle:
    """Allows one request at a time to each host, `spacing` seconds apart."""

    def __init__(self, spacing: float) -> None:
        self._spacing = spacing
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._last: dict[str, float] = {}

    @contextmanager
    def slot(self, url: str) -> Iterator[None]:
        """Hold the only slot of the host of `url`, once it is free and the spacing has passed."""
        host = host_of(url)
        with self._guard:
            lock = self._locks[host]
        with lock:
            pause = self._last.get(host, -math.inf) + self._spacing - time.monotonic()
            if pause > 0 and not _is_private(urlsplit(url).hostname or ""):
                time.sleep(pause)
            try:
                yield
            finally:
                self._last[host] = time.monotonic()


def _is_private(host: str) -> bool:
    """Tell whether a host is written as a private address, where spacing is of no use."""
    try:
        return not is_global(host)
    except ValueError:
        return host == "localhost"

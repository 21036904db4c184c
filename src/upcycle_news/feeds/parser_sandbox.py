"""Reading what strangers send in a process of its own, which may be killed.

A body can be shaped so that a parser takes minutes or gigabytes; threads cannot be stopped, a
process can. The child gets the body through a pipe, has a cap on memory and on processor time, and
answers in JSON. It serves body after body and is thrown away after a large or a bad one.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import resource
import select
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import IO, Any, Self

from upcycle_news.feeds.entries import MAX_BODY
from upcycle_news.feeds.parser import ParsedFeed, parse_feed
from upcycle_news.models import Feed, FeedItem

LARGE = 4 * 1024 * 1024  # after such a body a child is too big to keep
START_SECONDS = 60.0
MAX_ANSWER = 32 * 1024 * 1024


@dataclass(frozen=True)
class ParseLimits:
    """The bounds of reading one body: seconds in all, and the memory of the process."""

    seconds: float = 20.0
    memory_bytes: int = 512 * 1024 * 1024


class ParserSandbox:
    """Reads feeds in a child process, started at the first use. Close it, or use it in a `with`."""

    def __init__(self, limits: ParseLimits | None = None) -> None:
        """Remember the limits; nothing is started yet."""
        self.limits = limits or ParseLimits()
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ParserSandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(
        self, body: bytes, *, url: str, content_type: str, feed: Feed, now: datetime
    ) -> ParsedFeed:
        """Read a body like `reading.read_feed`; what takes too long or too much is a problem."""
        if len(body) > MAX_BODY:
            return _refused("it is larger than 15 MiB")
        task = {
            "url": url,
            "content_type": content_type,
            "feed": asdict(feed),
            "now": now.isoformat(),
            "seconds": self.limits.seconds,
        }
        try:
            child = self._started()
            assert child.stdin is not None and child.stdout is not None
            deadline = time.monotonic() + self.limits.seconds
            _send(child.stdin, json.dumps(task).encode())
            _send(child.stdin, body)
            answer = _receive(child.stdout.fileno(), deadline)
        except TimeoutError:
            self.close()
            return _refused(f"reading it takes longer than {self.limits.seconds:g} seconds")
        except (OSError, EOFError):
            # Killed by its limits: memory that Python could not even report, or processor time.
            self.close()
            return _refused("reading it takes more time or memory than is allowed")
        if len(body) > LARGE:
            self.close()
        return _from_json(answer)

    def close(self) -> None:
        """End the child, whatever it is doing."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        with contextlib.suppress(OSError):
            child.communicate(timeout=5)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self._child = subprocess.Popen(  # noqa: S603  our own module, by this very Python
                [sys.executable, "-m", __name__, str(self.limits.memory_bytes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            assert self._child.stdout is not None
            # A busy machine may take its time to start it; that is not the feed's fault.
            _exactly(self._child.stdout.fileno(), 1, time.monotonic() + START_SECONDS)
        return self._child


class SandboxPool:
    """Several of them, for several threads: each body is read by one that is free."""

    def __init__(self, count: int, limits: ParseLimits | None = None) -> None:
        """Nothing is started before it is needed."""
        self._all = [ParserSandbox(limits) for _ in range(count)]
        # The one that was free last is taken first: few bodies need few processes.
        self._free: queue.LifoQueue[ParserSandbox] = queue.LifoQueue()
        for one in self._all:
            self._free.put(one)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._all:
            one.close()

    def read(
        self, body: bytes, *, url: str, content_type: str, feed: Feed, now: datetime
    ) -> ParsedFeed:
        """Wait for a free one and read like `ParserSandbox.read`."""
        one = self._free.get()
        try:
            return one.read(body, url=url, content_type=content_type, feed=feed, now=now)
        finally:
            self._free.put(one)


def _refused(problem: str) -> ParsedFeed:
    return ParsedFeed("", "", (), (problem,))


def _send(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(len(data).to_bytes(8, "big"))
    pipe.write(data)
    pipe.flush()


def _receive(pipe: int, deadline: float) -> bytes:
    size = int.from_bytes(_exactly(pipe, 8, deadline), "big")
    if size > MAX_ANSWER:
        raise EOFError
    return _exactly(pipe, size, deadline)


def _exactly(pipe: int, size: int, deadline: float) -> bytes:
    data = bytearray()
    while len(data) < size:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            raise TimeoutError
        chunk = os.read(pipe, min(size - len(data), 1 << 20))
        if not chunk:
            raise EOFError
        data += chunk
    return bytes(data)


def _from_json(answer: bytes) -> ParsedFeed:
    told = json.loads(answer)
    items = tuple(
        FeedItem(
            **{
                **item,
                "date": datetime.fromisoformat(item["date"]),
                "topics": tuple(item["topics"]),
            }
        )
        for item in told["items"]
    )
    images = {key: tuple(found) for key, found in told["images"].items()}
    return ParsedFeed(told["format"], told["title"], items, tuple(told["problems"]), images)


# --- the child ----------------------------------------------------------------------------------


def _serve() -> None:
    """Read bodies from standard input until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    memory = int(sys.argv[1])
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import feedparser  # noqa: F401  before the clock of the first body runs

    source, target = sys.stdin.buffer, sys.stdout.buffer
    target.write(b"+")
    target.flush()
    while head := source.read(8):
        task = json.loads(source.read(int.from_bytes(head, "big")))
        body = source.read(int.from_bytes(source.read(8), "big"))
        _limit_processor(task["seconds"])
        try:
            read = _read(task, body)
        except MemoryError:
            read = _refused("reading it takes more memory than is allowed")
        except Exception as error:
            read = _refused(f"it cannot be read ({type(error).__name__})")
        _send(target, _as_json(read))


def _limit_processor(seconds: float) -> None:
    """End this process by itself when its parent is gone and the body is endless work."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime + seconds) + 2
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))


def _read(task: dict[str, Any], body: bytes) -> ParsedFeed:
    feed = Feed(**{**task["feed"], "topics": tuple(task["feed"]["topics"])})
    return parse_feed(
        body,
        url=task["url"],
        content_type=task["content_type"],
        feed=feed,
        now=datetime.fromisoformat(task["now"]),
    )


def _as_json(read: ParsedFeed) -> bytes:
    items = [{**vars(item), "date": item.date.isoformat()} for item in read.items]
    return json.dumps({**vars(read), "items": items}).encode()


if __name__ == "__main__":
    _serve()

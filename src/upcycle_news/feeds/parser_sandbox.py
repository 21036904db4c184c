"""Parsing of untrusted feeds in a child process that can be killed.

A body can be made so that a parser takes minutes or gigabytes; threads cannot be stopped, a process
can. The child gets the body through a pipe, has limits on memory and CPU time (setrlimit), and
answers in JSON. It parses body after body and is replaced after a large or a bad one.
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
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import Feed, FeedItem
from upcycle_news.models.posts import ParsedPosts, Post

LARGE_BODY = 4 * 1024 * 1024  # after such a body a child uses too much memory to be kept
START_SECONDS = 60.0
MAX_ANSWER = 32 * 1024 * 1024


@dataclass(frozen=True)
class ParseLimits:
    """Limits of parsing one body: seconds in all, and the memory of the process."""

    seconds: float = 20.0
    memory_bytes: int = 512 * 1024 * 1024


class ParserSandbox:
    """Parses feeds in a child process, started at the first use. Close it, or use it in a `with`."""

    def __init__(self, limits: ParseLimits | None = None) -> None:
        """Set the limits; nothing is started yet."""
        self.limits = limits or ParseLimits()
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ParserSandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def parse(
        self, body: bytes, *, url: str, content_type: str, feed: Feed, now: datetime
    ) -> ParsedFeed:
        """Parse a body like `parser.parse_feed`; exceeded limits become a problem."""
        task = {
            "url": url,
            "content_type": content_type,
            "feed": asdict(feed),
            "now": now.isoformat(),
        }
        answer = self._ask(task, body)
        return _rejected(answer) if isinstance(answer, LocalizedText) else _from_json(answer)

    def parse_posts(
        self, body: bytes, *, url: str, content_type: str, name: str, language: str, now: datetime
    ) -> ParsedPosts:
        """Parse a body like `posts.parse_posts`; exceeded limits become a problem."""
        task = {
            "posts": True,
            "url": url,
            "content_type": content_type,
            "name": name,
            "language": language,
            "now": now.isoformat(),
        }
        answer = self._ask(task, body)
        if isinstance(answer, LocalizedText):
            return ParsedPosts("", (), (str(answer),))
        return _posts_from_json(answer)

    def _ask(self, task: dict[str, Any], body: bytes) -> bytes | LocalizedText:
        """Return the child's answer in JSON, or why there is none."""
        if len(body) > MAX_BODY:
            return localized("body-large", size=MAX_BODY // 1024 // 1024)
        task["seconds"] = self.limits.seconds
        try:
            child = self._running_child()
            assert child.stdin is not None and child.stdout is not None
            deadline = time.monotonic() + self.limits.seconds
            _send(child.stdin, json.dumps(task).encode())
            _send(child.stdin, body)
            answer = _receive(child.stdout.fileno(), deadline)
        except TimeoutError:
            self.close()
            return localized("feed-slow", seconds=f"{self.limits.seconds:g}")
        except (OSError, EOFError):
            # Killed by its limits: memory that Python could not even report, or processor time.
            self.close()
            return localized("feed-costly")
        if len(body) > LARGE_BODY:
            self.close()
        return answer

    def close(self) -> None:
        """End the child, whatever it is doing."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        with contextlib.suppress(OSError):
            child.communicate(timeout=5)

    def _running_child(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self._child = subprocess.Popen(  # noqa: S603  this module, run by this interpreter
                [sys.executable, "-m", __name__, str(self.limits.memory_bytes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            assert self._child.stdout is not None
            # Starting may take long on a busy machine and does not count against the feed.
            _read_exactly(self._child.stdout.fileno(), 1, time.monotonic() + START_SECONDS)
        return self._child


class SandboxPool:
    """Several sandboxes for several threads: each body is parsed by one that is free."""

    def __init__(self, count: int, limits: ParseLimits | None = None) -> None:
        """Create the sandboxes; no process is started before it is needed."""
        self._all = [ParserSandbox(limits) for _ in range(count)]
        # LIFO: with few bodies only a few processes are ever started.
        self._free: queue.LifoQueue[ParserSandbox] = queue.LifoQueue()
        for sandbox in self._all:
            self._free.put(sandbox)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for sandbox in self._all:
            sandbox.close()

    def parse(
        self, body: bytes, *, url: str, content_type: str, feed: Feed, now: datetime
    ) -> ParsedFeed:
        """Wait for a free sandbox and parse like `ParserSandbox.parse`."""
        sandbox = self._free.get()
        try:
            return sandbox.parse(body, url=url, content_type=content_type, feed=feed, now=now)
        finally:
            self._free.put(sandbox)


def _rejected(problem: LocalizedText) -> ParsedFeed:
    return ParsedFeed("", "", (), (str(problem),))


def _send(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(len(data).to_bytes(8, "big"))
    pipe.write(data)
    pipe.flush()


def _receive(pipe: int, deadline: float) -> bytes:
    size = int.from_bytes(_read_exactly(pipe, 8, deadline), "big")
    if size > MAX_ANSWER:
        raise EOFError
    return _read_exactly(pipe, size, deadline)


def _read_exactly(pipe: int, size: int, deadline: float) -> bytes:
    data = bytearray()
    while len(data) < size:
        remaining = deadline - time.monotonic()
        if remaining <= 0 or not select.select([pipe], [], [], remaining)[0]:
            raise TimeoutError
        chunk = os.read(pipe, min(size - len(data), 1 << 20))
        if not chunk:
            raise EOFError
        data += chunk
    return bytes(data)


def _from_json(answer: bytes) -> ParsedFeed:
    fields = json.loads(answer)
    items = tuple(
        FeedItem(
            **{
                **item,
                "date": datetime.fromisoformat(item["date"]),
                "topics": tuple(item["topics"]),
            }
        )
        for item in fields["items"]
    )
    images = {key: tuple(links) for key, links in fields["images"].items()}
    guids = {key: tuple(others) for key, others in fields["other_guids"].items()}
    problems = tuple(fields["problems"])
    return ParsedFeed(
        **{**fields, "items": items, "images": images, "other_guids": guids, "problems": problems}
    )


def _posts_from_json(answer: bytes) -> ParsedPosts:
    fields = json.loads(answer)
    if "posts" not in fields:  # the child's own answer to what it could not read
        return ParsedPosts("", (), tuple(fields["problems"]))
    posts = tuple(
        Post(
            **{
                **post,
                "at": datetime.fromisoformat(post["at"]) if post["at"] else None,
                "topics": tuple(post["topics"]),
            }
        )
        for post in fields["posts"]
    )
    return ParsedPosts(fields["format"], posts, tuple(fields["problems"]))


# --- the child ----------------------------------------------------------------------------------


def _serve() -> None:
    """Parse bodies from standard input until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is handled by the parent
    memory = int(sys.argv[1])
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import upcycle_news.feeds.xml_feed  # noqa: F401  now: the first body's limit does not include it

    source, target = sys.stdin.buffer, sys.stdout.buffer
    target.write(b"+")
    target.flush()
    while head := source.read(8):
        task = json.loads(source.read(int.from_bytes(head, "big")))
        body = source.read(int.from_bytes(source.read(8), "big"))
        _limit_processor(task["seconds"])
        try:
            answer = _answer_posts(task, body) if "posts" in task else _as_json(_parse(task, body))
        except MemoryError:
            answer = _as_json(_rejected(localized("feed-memory")))
        except Exception as error:
            answer = _as_json(_rejected(localized("feed-unreadable", kind=type(error).__name__)))
        _send(target, answer)


def _limit_processor(seconds: float) -> None:
    """Limit the CPU time, so that this process ends on its own even when its parent is gone."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime + seconds) + 2
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


def _parse(task: dict[str, Any], body: bytes) -> ParsedFeed:
    feed = Feed(**{**task["feed"], "topics": tuple(task["feed"]["topics"])})
    return parse_feed(
        body,
        url=task["url"],
        content_type=task["content_type"],
        feed=feed,
        now=datetime.fromisoformat(task["now"]),
    )


def _answer_posts(task: dict[str, Any], body: bytes) -> bytes:
    from upcycle_news.feeds.posts import parse_posts  # late: most collections have no source

    parsed = parse_posts(
        body,
        url=task["url"],
        content_type=task["content_type"],
        name=task["name"],
        language=task["language"],
        now=datetime.fromisoformat(task["now"]),
    )
    posts = [{**vars(post), "at": post.at.isoformat() if post.at else ""} for post in parsed.posts]
    return json.dumps({**vars(parsed), "posts": posts}).encode()


def _as_json(parsed: ParsedFeed) -> bytes:
    items = [{**vars(item), "date": item.date.isoformat()} for item in parsed.items]
    return json.dumps({**vars(parsed), "items": items}).encode()


if __name__ == "__main__":
    _serve()

"""Clients that send slowly, read slowly or come in masses: others are answered all the same."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.models import SubscriberStatus
from upcycle_news.storage import subscribers
from upcycle_news.subscribers.link_tokens import Purpose
from upcycle_news.web.connection_guard import (
    IDLE_SECONDS,
    ConnectionGuard,
    RepeatedLines,
    connection_limit,
)

from ..processes import end_with_parent
from ..publications import Publication, add_confirmed_subscribers
from ..waiting import wait_until
from .web_server import WebServer

FILES = 300
"""Files that the web process may open here: far fewer connections than clients."""


@contextmanager
def web_process(
    publication: Publication, port: int, files: int = FILES, **variables: str
) -> Iterator[subprocess.Popen[str]]:
    def limit() -> None:
        end_with_parent(signal.SIGKILL)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    process = subprocess.Popen(
        [str(Path(sys.executable).parent / "upcycle-news"), "web", "--port", str(port)],
        cwd=publication.home,
        env={**os.environ, **{f"UPCYCLE_NEWS_{name}": value for name, value in variables.items()}},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limit,
    )
    try:
        wait_until(lambda: connects(port), "the web process did not start", interval=0.05)
        yield process
    finally:
        process.kill()
        process.communicate(timeout=60)


def connects(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def slow_client(port: int, sent: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), 60)
    client.sendall(sent)
    return client


def until_closed(client: socket.socket) -> bytes:
    """Read until the server ends the connection."""
    data = b""
    with suppress(ConnectionError):
        while more := client.recv(65536):
            data += more
    return data


BODY = (
    b"POST /unsubscribe/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n\r\na"
)


def test_others_are_answered_while_slow_clients_hold_more_connections_than_files_may_be(
    publication: Publication, port: int
) -> None:
    server = WebServer(f"http://127.0.0.1:{port}")
    with ExitStack() as stack, web_process(publication, port) as process:
        for number in range(400):
            sent = (BODY, b"GET /subscribe HT", b"")[number % 3]
            stack.enter_context(slow_client(port, sent))
        for _ in range(5):
            assert server.get("/healthz").status == 200
        assert server.post("/unsubscribe/x").status == 404
        process.terminate()
        _, log = process.communicate(timeout=60)
    assert len(log) < 4000 and "out of system resource" not in log


@pytest.mark.parametrize("sent", [BODY, b"GET /subscribe HTTP/1.1\r\nHo"])
def test_a_request_that_does_not_arrive_is_ended(
    publication: Publication, port: int, sent: bytes
) -> None:
    with (
        web_process(publication, port, WEB__REQUEST_SECONDS="0.5"),
        slow_client(port, sent) as client,
    ):
        assert until_closed(client).startswith(b"HTTP/1.1 408 ")


def test_others_are_answered_while_slow_readers_leave_their_answers_unread(
    publication: Publication, port: int
) -> None:
    picture = f"{'0' * 32}.png"
    folder = publication.home / "var/archive/images"
    folder.mkdir(parents=True)
    (folder / picture).write_bytes(b"x" * 8_000_000)  # more than the kernel keeps for a connection
    server = WebServer(f"http://127.0.0.1:{port}")
    request = f"GET /images/{picture} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with ExitStack() as stack, web_process(publication, port) as process:
        for _ in range(200):
            stack.enter_context(slow_client(port, request))
        for _ in range(5):
            assert server.get("/healthz").status == 200
        process.terminate()
        _, log = process.communicate(timeout=60)
    assert len(log) < 4000 and "page failed" not in log


def test_an_honest_body_in_pieces_is_taken(
    publication: Publication, context: AppContext, port: int
) -> None:
    add_confirmed_subscribers(context, "anna@example.org")
    path = f"/unsubscribe/{context.link_signer.token(Purpose.UNSUBSCRIBE, 1)}"
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 26\r\nConnection: close\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    )
    with web_process(publication, port), slow_client(port, head.encode()) as client:
        for piece in (b"List-Unsub", b"scribe=One", b"-Click"):
            assert WebServer(f"http://127.0.0.1:{port}").get("/healthz").status == 200
            client.sendall(piece)
        assert until_closed(client).startswith(b"HTTP/1.1 200 ")
    person = subscribers.by_id(context.store, 1)
    assert person is not None and person.status is SubscriberStatus.UNSUBSCRIBED


def test_a_form_that_is_cut_off_changes_no_preferences(
    publication: Publication, context: AppContext, port: int
) -> None:
    add_confirmed_subscribers(context, "anna@example.org")
    server = WebServer(f"http://127.0.0.1:{port}")
    path = f"/preferences/{context.link_signer.token(Purpose.PREFERENCES, 1)}"
    topics = '["Bestand"]'
    with web_process(publication, port, WEB__REQUEST_SECONDS="0.5", AUDIENCE__TOPICS=topics):
        server.post(path, {"topic": "Bestand", "language": "en", "do": "save"})
        head = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n\r\nlanguage=de&"
        )
        with slow_client(port, head.encode()) as client:
            assert until_closed(client).startswith(b"HTTP/1.1 408 ")
    person = subscribers.by_id(context.store, 1)
    assert person is not None and (person.topics, person.language) == (("Bestand",), "en")


# --- the guard by itself


class FakeConnection:
    """A connection that notes how it was ended."""

    def __init__(self, guard: ConnectionGuard, received: int = 0) -> None:
        self.guard, self.received, self.ended, self.stalled = guard, received, "", False

    def end_reading(self) -> None:
        self.guard.closed(self)  # type: ignore[arg-type]
        self.ended = "late"

    def abort(self) -> None:
        self.guard.closed(self)  # type: ignore[arg-type]
        self.ended = "aborted"

    def is_stalled(self, since: float, now: float) -> bool:
        return self.stalled

    def is_blocked(self) -> bool:
        return self.stalled


class Seconds:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def guard_of(limit: int, clock: Seconds) -> ConnectionGuard:
    return ConnectionGuard(limit=limit, request_seconds=10, clock=clock)


def opened(guard: Any, received: int = 0) -> Any:
    connection = FakeConnection(guard, received)
    guard.opened(connection)
    return connection


def test_the_oldest_that_sends_slowly_makes_room_then_the_oldest_idle_one() -> None:
    clock = Seconds()
    guard: Any = guard_of(3, clock)
    idle, reading, answered = opened(guard), opened(guard), opened(guard)
    guard.reading(reading)
    guard.answering(answered)
    new = opened(guard)
    assert (reading.ended, idle.ended, new.ended) == ("late", "", "")
    newer = opened(guard)
    assert (idle.ended, answered.ended, newer.ended) == ("late", "", "")
    for one in (new, newer):
        guard.answering(one)
    assert opened(guard).ended == "aborted"  # every other one is being answered
    newer.stalled = True
    assert (opened(guard).ended, newer.ended) == ("", "aborted")  # but one does not read its answer
    assert len(guard) == 3


def test_time_limits_count_from_the_first_byte_and_grow_with_what_arrived() -> None:
    clock = Seconds()
    guard: Any = guard_of(100, clock)
    idle, slow, large, answered = (opened(guard, received) for received in (0, 10, 40_960, 0))
    for one in (slow, large):
        guard.reading(one)
    guard.answering(answered)
    clock.now = 10.5
    guard.reading(slow)  # a byte more does not begin anew
    guard.sweep()
    assert [one.ended for one in (idle, slow, large, answered)] == ["", "late", "", ""]
    clock.now = IDLE_SECONDS + 0.5
    guard.sweep()
    assert [one.ended for one in (idle, large, answered)] == ["aborted", "", ""]
    clock.now = 20.5
    answered.stalled = True
    guard.sweep()
    assert [one.ended for one in (large, answered)] == ["late", "aborted"]


def test_a_line_that_repeats_is_written_once_a_minute() -> None:
    import logging

    clock = Seconds()
    lines = RepeatedLines(clock)

    def passes(message: str, level: int = logging.WARNING) -> bool:
        record = logging.LogRecord("uvicorn.error", level, "", 0, message, None, None)
        return bool(lines.filter(record))

    assert [passes("Invalid HTTP request received.") for _ in range(3)] == [True, False, False]
    assert passes("another") and passes("an error", logging.ERROR) and passes("said", logging.INFO)
    clock.now = 61
    assert passes("Invalid HTTP request received.")


def test_there_are_fewer_connections_than_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    assert 300 < connection_limit(2000) < 450  # an answer may be a file
    assert connection_limit(50) == 50
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 64))
    assert connection_limit(2000) == 16
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert connection_limit(2000) == 2000

"""One post to a receiver: where it may go, what is followed and read, and how long it takes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from upcycle_news.text.private_hosts import PrivateAccess
from upcycle_news.transports.event_webhook import Answer, post_event

from ..processes import free_port
from ..services.webhooks.receiver import Receiver, running_receiver

LOOPBACK = PrivateAccess.parse(["127.0.0.0/8"])
NONE = PrivateAccess.parse(False)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


def post(url: str, *, access: PrivateAccess = LOOPBACK, seconds: float = 5.0) -> Answer:
    return post_event(url, {"webhook-id": "evt_1"}, b'{"a":1}', seconds=seconds, access=access)


@contextmanager
def raw_server(answer: bytes, *, again: bool = False) -> Iterator[str]:
    """Answer each connection with these bytes; with `again` for ever, until it is closed."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(answer)
                while again and not ended.is_set():
                    connection.sendall(answer)
                ended.wait(60)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        ended.set()
        listener.close()
        thread.join(5)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_what_is_answered_with_2xx_is_taken(receiver: Receiver, status: int) -> None:
    receiver.usual = status
    answer = post(receiver.url)
    assert (answer.taken, answer.status, answer.reason) == (True, status, None)
    [request] = receiver.requests
    assert (request.body, request.headers["webhook-id"]) == (b'{"a":1}', "evt_1")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(receiver: Receiver, status: int) -> None:
    receiver.usual, receiver.answer_headers = status, {"Location": receiver.url}
    answer = post(receiver.url)
    assert not answer.taken
    assert "redirect" in str(answer.reason)
    assert len(receiver.requests) == 1


def test_a_private_address_is_asked_only_where_it_is_allowed(receiver: Receiver) -> None:
    answer = post(receiver.url, access=NONE)
    assert (answer.taken, answer.status) == (False, 0)
    assert "private network" in str(answer.reason)
    assert receiver.requests == []


def test_a_name_that_resolves_to_this_machine_is_refused(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "upcycle_news.transports.http_guard.resolve", lambda *_: ["127.0.0.1", "169.254.169.254"]
    )
    answer = post(receiver.url.replace("127.0.0.1", "hooks.example.org"), access=NONE)
    assert "private network" in str(answer.reason)
    assert receiver.requests == []


def test_nobody_there_is_an_answer_that_is_none() -> None:
    answer = post(f"http://127.0.0.1:{free_port()}/")
    assert (answer.status, answer.taken, answer.is_gone) == (0, False, False)
    assert "refuses the connection" in str(answer.reason)


def test_a_silent_receiver_is_left_after_its_time() -> None:
    with raw_server(b"") as url:
        answer = post(url, seconds=0.3)
    assert answer.status == 0
    assert "in time" in str(answer.reason) or "within" in str(answer.reason)


def test_an_endless_body_is_not_read() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n"
    with raw_server(head + b"x" * 65536, again=True) as url:
        assert post(url).taken


def test_endless_headers_are_no_answer() -> None:
    with raw_server(b"X-A: " + b"a" * 65536 + b"\r\n", again=True) as url:
        answer = post(url, seconds=3.0)
    assert not answer.taken


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 abc\r\n\r\n", b"\x00\xff", b"SSH-2.0-x\r\n", b"HTTP/1.1 200"]
)
def test_what_is_no_http_is_no_answer(said: bytes) -> None:
    with raw_server(said + b"\r\n" * 2) as url:
        answer = post(url, seconds=1.0)
    assert answer.status in (0, 200)
    assert answer.taken == (answer.status == 200)


@pytest.mark.parametrize(
    ("header", "seconds"), [("120", 120), ("999999", 86_400), ("morgen", 0), ("-5", 0)]
)
def test_how_long_to_wait_is_read_up_to_a_day(
    receiver: Receiver, header: str, seconds: int
) -> None:
    receiver.usual, receiver.answer_headers = 503, {"Retry-After": header}
    assert post(receiver.url).retry_after == seconds


def test_a_certificate_that_is_not_trusted_is_refused_before_anything_is_said(
    receiver: Receiver,
) -> None:
    answer = post(receiver.url.replace("http://", "https://"), seconds=2.0)
    assert answer.status == 0
    assert receiver.requests == []

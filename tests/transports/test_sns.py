"""What is asked of Amazon SNS: its own hosts only, bounded, without redirects, a certificate once."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from typing import ClassVar

import pytest

from upcycle_news.errors import ProviderUnavailable, WebhookRefused
from upcycle_news.transports.sns import MAX_BYTES, SnsClient, get

HOST = "https://sns.eu-central-1.amazonaws.com"


def client(*answers: tuple[int, bytes]) -> tuple[SnsClient, list[str]]:
    """A client whose requests are answered in this order, and the list of what it asks."""
    asked: list[str] = []
    waiting = list(answers)

    def answer(address: str) -> tuple[int, bytes]:
        asked.append(address)
        return waiting.pop(0)

    return SnsClient(answer), asked


def test_a_certificate_is_fetched_once_and_a_confirmation_each_time() -> None:
    sns, asked = client((200, b"PEM"), (200, b"confirmed"), (200, b"confirmed"))
    assert sns.fetch(f"{HOST}/a.pem") == sns.fetch(f"{HOST}/a.pem") == b"PEM"
    confirm = f"{HOST}/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:x&Token=1"
    sns.fetch(confirm)
    sns.fetch(confirm)
    assert asked == [f"{HOST}/a.pem", confirm, confirm]


def test_certificates_that_are_kept_are_few() -> None:
    sns, asked = client(*[(200, b"PEM")] * 20)
    for number in range(10):
        sns.fetch(f"{HOST}/{number}.pem")
    sns.fetch(f"{HOST}/9.pem")
    sns.fetch(f"{HOST}/0.pem")
    assert len(asked) == 11


@pytest.mark.parametrize(
    "address",
    [
        "http://sns.eu-central-1.amazonaws.com/a.pem", "https://evil.example/a.pem", "", f"{HOST}/",
        "https://sns.eu-central-1.amazonaws.com.evil.example/a.pem", f"{HOST}@evil.example/a.pem",
        f"{HOST}:8443/a.pem", "https://s3.amazonaws.com/bucket/a.pem", f"{HOST}/a\r\nHost: x",
    ],
)  # fmt: skip
def test_no_other_address_is_asked(address: str) -> None:
    sns, asked = client()
    with pytest.raises(WebhookRefused):
        sns.fetch(address)
    assert asked == []


@pytest.mark.parametrize(
    "answer", [(302, b""), (404, b""), (500, b""), (200, b"x" * (MAX_BYTES + 1))]
)
def test_an_answer_that_is_no_certificate_is_not_kept(answer: tuple[int, bytes]) -> None:
    sns, asked = client(answer, (200, b"PEM"))
    with pytest.raises(ProviderUnavailable):
        sns.fetch(f"{HOST}/a.pem")
    assert sns.fetch(f"{HOST}/a.pem") == b"PEM"
    assert len(asked) == 2


class _Server(http.server.BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"x" * (3 * MAX_BYTES))

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    _Server.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_redirects_are_not_followed_and_an_answer_is_bounded(url: str) -> None:
    assert get(f"{url}/moved")[0] == 302
    status, body = get(f"{url}/large")
    assert (status, len(body)) == (200, MAX_BYTES + 1)
    assert _Server.asked == ["/moved", "/large"]


def test_a_server_that_is_away_is_said_to_be_unavailable(url: str) -> None:
    with pytest.raises(ProviderUnavailable, match="cannot be reached"):
        get("http://127.0.0.1:9/")

"""A program elsewhere that takes webhooks, on loopback: it verifies signatures as receivers do."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def new_secret(size: int = 32) -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(size)).decode()


@dataclass
class Delivered:
    """A request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def is_signed_with(self, secret: str) -> bool:
        """Verify as the specification's own receivers do: each signature of the list may be the one."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        given = [word.partition(",") for word in self.headers["webhook-signature"].split()]
        return any(
            version == "v1" and hmac.compare_digest(sign, wanted) for version, _, sign in given
        )


@dataclass
class Receiver:
    """Answers with the statuses of `answers`, then with `usual`; keeps what came."""

    url: str = ""
    usual: int = 204
    answers: list[int] = field(default_factory=list)
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    requests: list[Delivered] = field(default_factory=list)
    before_answer: Callable[[], object] = lambda: None

    @property
    def taken(self) -> list[Delivered]:
        return [request for request in self.requests if request.status < 300]

    @property
    def kinds(self) -> list[str]:
        return [request.json["type"] for request in self.taken]


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    receiver, lock = Receiver(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                status = receiver.answers.pop(0) if receiver.answers else receiver.usual
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.requests.append(Delivered(self.path, headers, body, status))
            receiver.before_answer()
            self.send_response(status)
            for name, value in receiver.answer_headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)

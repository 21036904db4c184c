"""A site on loopback whose answers are bytes, for what no server library would write."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping

Requested = tuple[
    str, Mapping[str, str]
]  # the target as it was sent, the header fields by lower-case name
Answers = Callable[[str, Mapping[str, str]], bytes]


def answer(status: str, *fields: str | bytes, body: bytes = b"") -> bytes:
    """Write a response; fields are lines, in UTF-8 unless they are bytes."""
    lines = [line if isinstance(line, bytes) else line.encode() for line in fields]
    lines = [f"HTTP/1.1 {status}".encode(), *lines, b"Content-Length: %d" % len(body), b"", body]
    return b"\r\n".join(lines)


class RawSite(socketserver.ThreadingTCPServer):
    """Answers each request with what `answers` makes of it, and keeps the requests."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, answers: Answers) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
        self.requests: list[Requested] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def targets(self) -> list[str]:
        return [target for target, _ in self.requests]


class _Handler(socketserver.StreamRequestHandler):
    server: RawSite
    timeout = 10

    def handle(self) -> None:
        target = self.rfile.readline(65536).split(b" ")[1].decode("latin-1")
        fields = {}
        while (line := self.rfile.readline(65536).strip()) != b"":
            name, _, value = line.decode("latin-1").partition(":")
            fields[name.lower()] = value.strip()
        self.server.requests.append((target, fields))
        with contextlib.suppress(OSError):
            self.wfile.write(self.server.answers(target, fields))


@contextlib.contextmanager
def raw_site(answers: Answers) -> Iterator[RawSite]:
    with RawSite(answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()

"""A feed site on loopback with many kinds of misbehaviour."""

from __future__ import annotations

import gzip
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FEED = b'<?xml version="1.0"?><rss version="2.0"><channel><title>x</title></channel></rss>'
MIB = 1024 * 1024


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    counted = False

    def do_GET(self) -> None:
        self.server.requests.append((self.path, dict(self.headers)))
        with self.server.guard:
            self.server.busy += 1
            self.server.busiest = max(self.server.busiest, self.server.busy)
            self.server.guard.notify_all()
        self.counted = True
        try:
            self.answer()
        except OSError:
            pass
        finally:
            self.leave()

    def leave(self) -> None:
        """Count this request no more: before its reply ends where the client may be faster than we are."""
        with self.server.guard:
            self.server.busy -= self.counted
            self.counted = False

    def answer(self) -> None:
        path = self.path.partition("?")[0]
        if path in self.server.pages:
            return self.reply(200, self.server.pages[path], Content_Type="text/html")
        if path == "/etag":
            if self.headers.get("If-None-Match") == '"eins"':
                return self.reply(304, ETag='"zwei"')
            return self.reply(
                200, FEED, ETag='"eins"', Last_Modified="Mon, 05 Oct 2026 08:00:00 GMT"
            )
        if path.startswith("/hop/"):
            number = int(path.rpartition("/")[2])
            return (
                self.reply(301, Location=f"/hop/{number - 1}") if number else self.reply(200, FEED)
            )
        if path.startswith("/to"):  # /to302?target
            return self.reply(int(path[3:6]), Location=self.path.partition("?")[2])
        if path.startswith("/status/"):
            return self.reply(int(path.rpartition("/")[2]), b"sorry", Retry_After="120")
        getattr(self, "do_" + path.strip("/"), lambda: self.reply(404))()
        return None

    def do_plain(self) -> None:
        self.reply(200, self.server.feed, Content_Type="application/rss+xml; charset=utf-8")

    def do_slow(self) -> None:
        """Give a second request the time to arrive before this one is answered."""
        with self.server.guard:
            self.server.guard.wait_for(lambda: self.server.busy > 1, timeout=0.05)
        self.leave()
        self.reply(200, FEED)

    def do_meet(self) -> None:
        """Answer only when as many requests have arrived as the barrier asks for."""
        try:
            self.server.barrier.wait(timeout=60)
        except threading.BrokenBarrierError:
            return self.reply(500)
        return self.reply(200, FEED)

    def do_gzip(self) -> None:
        parts = gzip.compress(FEED[:20]) + gzip.compress(FEED[20:])
        self.reply(200, parts, Content_Encoding="gzip")

    def do_deflate(self) -> None:
        raw = zlib.compressobj(wbits=-15)
        self.reply(200, raw.compress(FEED) + raw.flush(), Content_Encoding="deflate")

    def do_brotli(self) -> None:
        self.reply(200, FEED, Content_Encoding="br")

    def do_notgzip(self) -> None:
        self.reply(200, FEED, Content_Encoding="gzip")

    def do_cutgzip(self) -> None:
        self.reply(200, gzip.compress(FEED)[:-12], Content_Encoding="gzip")

    def do_bomb(self) -> None:
        self.reply(200, gzip.compress(b" " * 40 * MIB, 1), Content_Encoding="gzip")

    def do_short(self) -> None:
        self.reply(200, FEED, Content_Length="9999")
        self.close_connection = True

    def do_endless(self) -> None:
        self.reply(200, Transfer_Encoding="chunked")
        while True:
            self.wfile.write(b"10000\r\n" + b" " * 65536 + b"\r\n")

    def do_drip(self) -> None:
        self.reply(200, Content_Length=str(MIB))
        while not self.server.stopped.wait(0.02):
            self.wfile.write(b"x")

    def do_driphead(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not self.server.stopped.wait(0.02):
            self.wfile.write(b"x")

    def do_badetag(self) -> None:
        self.reply(200, FEED, ETag='"\xfc"')

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if not {"Content_Length", "Transfer_Encoding"} & set(headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the tests quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.guard = threading.Condition()
        self.stopped = threading.Event()
        self.barrier = threading.Barrier(1)
        self.busy = self.busiest = 0
        self.feed = FEED
        self.pages: dict[str, bytes] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what these tests are about."""


@contextmanager
def site() -> Iterator[_Server]:
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.stopped.set()
            server.shutdown()

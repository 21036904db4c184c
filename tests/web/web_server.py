"""The web server on a free port of loopback, and a plain HTTP client."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import uvicorn

from upcycle_news.api import App
from upcycle_news.app.context import AppContext
from upcycle_news.web.app import create_app


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(frozen=True)
class WebServer:
    """A running web server at `url`."""

    url: str

    def request(
        self,
        method: str,
        path: str,
        form: Mapping[str, str] | str | None = None,
        **headers: str,
    ) -> Response:
        """Send a request. `path` may be a whole URL; underscores in header names become hyphens."""
        parts = urlsplit(path if "://" in path else self.url + path)
        body = form if isinstance(form, str) else urlencode(form) if form is not None else None
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        connection = http.client.HTTPConnection("127.0.0.1", urlsplit(self.url).port, timeout=60)
        try:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, body, sent)
            answer = connection.getresponse()
            text = answer.read().decode()
            return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, text)
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Response:
        return self.request("GET", path, **headers)

    def post(self, path: str, form: Mapping[str, str] | str | None = None, **h: str) -> Response:
        return self.request("POST", path, {} if form is None else form, **h)


@contextmanager
def running_server(context: AppContext, port: int) -> Iterator[WebServer]:
    """Serve `context` until the end of the block; confirmation mails are sent by then."""
    config = uvicorn.Config(
        create_app(App(context)), host="127.0.0.1", port=port, access_log=False, proxy_headers=False,
        log_level="warning", lifespan="on", server_header=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the web server did not start"
        thread.join(0.01)
    try:
        yield WebServer(f"http://127.0.0.1:{port}")
    finally:
        server.should_exit = True
        thread.join(60)

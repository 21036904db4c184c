"""Real proxies with the examples of deploy/proxy in front of a real web server."""

from __future__ import annotations

import getpass
import http.client
import http.server
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest

from upcycle_news.api import App
from upcycle_news.app.context import AppContext
from upcycle_news.models import EmailAddress, SubscriberStatus
from upcycle_news.storage import subscribers
from upcycle_news.subscribers.link_tokens import Purpose

from ..processes import free_port
from ..publications import Publication
from ..waiting import wait_until
from ..web.test_slow_clients import slow_client, web_process
from ..web.web_server import WebServer, running_server
from .tools import DEPLOY, program

PARTNER = "https://www.partner.example"
ONE_CLICK = "List-Unsubscribe=One-Click"


def caddyfile(port: int, backend: int) -> str:
    text = (DEPLOY / "proxy/Caddyfile").read_text(encoding="utf-8")
    text = text.replace("newsletter.example.org", f"http://127.0.0.1:{port}")
    return "{\n\tadmin off\n}\n" + text.replace("127.0.0.1:8040", f"127.0.0.1:{backend}")


def nginx_conf(port: int, backend: int, folder: Path) -> str:
    """Return the example as a whole configuration, without TLS: its first `server` on `port`."""
    text = (DEPLOY / "proxy/nginx.conf").read_text(encoding="utf-8").partition("# Plain http")[0]
    text = re.sub(r"(?m)^\s*(listen \[::\].*|ssl_\w+ .*)$", "", text)
    text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    text = text.replace("127.0.0.1:8040", f"127.0.0.1:{backend}")
    text = text.replace("/var/log/nginx", str(folder))
    temp = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))  # fmt: skip
    return (
        f"daemon off;\nuser {getpass.getuser()};\npid {folder}/pid;\nerror_log {folder}/error.log;\n"
        "worker_rlimit_nofile 4096;\nevents { worker_connections 2048; }\n"
        f"http {{\n{temp}{text}\n}}\n"
    )


def nginx_without_headers(port: int, backend: int, folder: Path) -> str:
    """Return the example without any header directive."""
    full = nginx_conf(port, backend, folder)
    bare = re.sub(r"(?m)^\s*proxy_(set_header|http_version|redirect).*$", "", full)
    return bare.replace("location = /metrics {\n        return 404;\n    }", "")


@pytest.fixture
def context(publication: Publication) -> AppContext:
    publication.add_subscribers("leserin@example.org")
    return publication.context(WEB__SIGNUP_ORIGINS=f'["{PARTNER}"]')


@pytest.fixture(params=["caddy", "nginx", "nginx without a header"])
def proxy(
    request: pytest.FixtureRequest, context: AppContext, tmp_path: Path
) -> Iterator[WebServer]:
    port, backend = free_port(), free_port()
    kind: str = request.param
    if kind == "caddy":
        (tmp_path / "Caddyfile").write_text(caddyfile(port, backend), encoding="utf-8")
        command = [program("caddy"), "run", "--config", str(tmp_path / "Caddyfile")]
    else:
        make = nginx_conf if kind == "nginx" else nginx_without_headers
        (tmp_path / "nginx.conf").write_text(make(port, backend, tmp_path), encoding="utf-8")
        command = [program("nginx"), "-c", str(tmp_path / "nginx.conf"), "-e", str(tmp_path / "e")]
    with running_server(context, backend):
        process = subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env={"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)},
        )  # fmt: skip
        try:
            _wait_for_port(port, process)
            yield WebServer(f"http://127.0.0.1:{port}")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    def listens() -> bool:
        assert process.poll() is None, f"the proxy ended: {process.communicate()[1][-800:]!r}"
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    wait_until(listens, "the proxy did not start", interval=0.05)


def test_a_proxy_passes_one_click_and_hides_metrics(proxy: WebServer, context: AppContext) -> None:
    token = context.link_signer.token(Purpose.UNSUBSCRIBE, 1, 0)
    response = proxy.post(f"/unsubscribe/{token}", ONE_CLICK)
    assert response.status == 200  # by the first request: no redirect, no error
    subscriber = subscribers.find(context.store, EmailAddress.parse("leserin@example.org"))
    assert subscriber is not None and subscriber.status is SubscriberStatus.UNSUBSCRIBED
    for headers in ({}, {"X_Forwarded_For": "127.0.0.1"}, {"Host": "localhost"}):
        response = proxy.get("/metrics", **headers)
        assert response.status == 404 or "Host" in headers  # Caddy has no such site
        assert "upcycle_news_" not in response.text
    assert proxy.get("/healthz").status == 200


def test_a_proxy_passes_a_programs_token_on_and_logs_it_nowhere(
    proxy: WebServer, context: AppContext, tmp_path: Path
) -> None:
    secret = App(context).tokens.create("website", ["subscribers:read"]).secret
    answer = proxy.request(
        "POST",
        "/api/v1/subscribers/find",
        '{"email": "leserin@example.org"}',
        Authorization=f"Bearer {secret}",
        Content_Type="application/json",
    )
    assert (answer.status, '"status":"confirmed"' in answer.text) == (200, True)
    assert proxy.get("/api/v1/events", Authorization=f"Bearer {secret}").status == 403
    assert proxy.get("/api/v1/events", Authorization="Bearer wrong").status == 401
    written = logged(tmp_path)
    assert secret not in written
    assert "leserin" not in written


def test_a_proxy_lets_the_page_of_a_named_site_ask_and_sign_up(proxy: WebServer) -> None:
    asked = {"Access_Control_Request_Method": "POST", "Origin": PARTNER}
    assert proxy.request("OPTIONS", "/subscribe", **asked).status == 204
    answer = proxy.post(
        "/subscribe", {"email": "neu@example.org"}, Origin=PARTNER, Accept="application/json"
    )
    assert (answer.status, answer.text) == (200, '{"ok":true}')
    assert answer.headers["access-control-allow-origin"] == PARTNER
    refused = proxy.request("OPTIONS", "/subscribe", **asked | {"Origin": "https://evil.example"})
    assert refused.status == 405
    assert proxy.get("/signup.js").headers["content-type"].startswith("text/javascript")


SECRET = "A" * 43
SLOW_CLIENTS = 600
"""Twice the files that the pages may open, and fewer than a process may open by itself (1024)."""


def logged(folder: Path) -> str:
    """Return everything that a proxy wrote."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix == ".log")
    return "".join(path.read_text(errors="replace") for path in files)


@contextmanager
def proxy_alone(kind: str, tmp_path: Path, backend: int) -> Iterator[WebServer]:
    """Run a proxy with its example, and nothing of ours behind it; its output goes to a file."""
    port, output = free_port(), tmp_path / "output.log"
    if kind == "caddy":
        (tmp_path / "Caddyfile").write_text(caddyfile(port, backend), encoding="utf-8")
        command = [program("caddy"), "run", "--config", str(tmp_path / "Caddyfile")]
    else:
        text = nginx_conf(port, backend, tmp_path)
        (tmp_path / "nginx.conf").write_text(text, encoding="utf-8")
        command = [
            program("nginx"),
            "-c",
            str(tmp_path / "nginx.conf"),
            "-e",
            str(tmp_path / "e.log"),
        ]
    with output.open("wb") as file:
        environment = {**os.environ, "HOME": str(tmp_path)}
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
        try:
            wait_until(lambda: accepts(port), "the proxy did not start", interval=0.05)
            yield WebServer(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(60)


def accepts(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def rude_backend() -> Iterator[int]:
    """A backend that hangs up in the middle of each answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = server.accept()
                    client.recv(65536)
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
                    client.close()

        threading.Thread(target=serve, daemon=True).start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("kind", ["caddy", "nginx"])
def test_no_log_of_a_proxy_holds_a_readers_key_when_the_pages_are_away(
    kind: str, tmp_path: Path
) -> None:
    with proxy_alone(kind, tmp_path, free_port()) as proxy:
        for host in ({}, {"Host": "127.0.0.1"}):
            assert proxy.post(f"/unsubscribe/{SECRET}", ONE_CLICK, **host).status in (502, 503)
        assert proxy.post(f"/preferences/{SECRET}", "x" * 90_000).status in (413, 502, 503)
        assert proxy.get(f"/confirm/{SECRET}?lang=de").status in (502, 503)
    text = logged(tmp_path)
    assert SECRET not in text
    assert "502" in text or "connection refused" in text  # that the pages are away is told


@pytest.mark.parametrize("kind", ["caddy", "nginx"])
def test_no_log_of_a_proxy_holds_a_readers_key_when_the_pages_hang_up(
    kind: str, tmp_path: Path
) -> None:
    with rude_backend() as backend, proxy_alone(kind, tmp_path, backend) as proxy:
        with suppress(http.client.HTTPException, OSError):
            proxy.post(f"/unsubscribe/{SECRET}", ONE_CLICK)
        with suppress(http.client.HTTPException, OSError):
            proxy.get(f"/confirm/{SECRET}")
        with suppress(http.client.HTTPException, OSError):
            proxy.post(f"/preferences/{SECRET}", "x" * 90_000)
    assert SECRET not in logged(tmp_path)


@contextmanager
def keeping_backend() -> Iterator[tuple[int, list[int]]]:
    """A backend that would keep every connection; yields its port and the requests of each connection."""
    requests: list[int] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 20

        def setup(self) -> None:
            super().setup()
            self.number = len(requests)
            requests.append(0)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            requests[self.number] += 1
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], requests
        server.shutdown()


@pytest.mark.parametrize("kind", ["caddy", "nginx"])
def test_each_request_has_a_connection_to_the_pages_of_its_own(kind: str, tmp_path: Path) -> None:
    """One that is kept could end while it is idle, just as the next request is sent: 502, and no one-click."""
    with keeping_backend() as (backend, requests), proxy_alone(kind, tmp_path, backend) as proxy:
        client = http.client.HTTPConnection("127.0.0.1", int(proxy.url.rpartition(":")[2]), timeout=60)  # fmt: skip
        with closing(client):
            for _ in range(10):
                client.request("POST", f"/unsubscribe/{SECRET}", ONE_CLICK)
                answer = client.getresponse()
                assert (answer.status, answer.read()) == (200, b"ok")
    # Caddy asks whether the pages are there by GET.
    assert [count for count in requests if count] == [1] * 10


@pytest.mark.parametrize("kind", ["caddy", "nginx"])
def test_a_batch_of_events_passes_and_its_secret_is_in_no_log(kind: str, tmp_path: Path) -> None:
    batch = "x" * (7 * 1024 * 1024)
    with keeping_backend() as (backend, _), proxy_alone(kind, tmp_path, backend) as proxy:
        assert proxy.post(f"/events/here/{SECRET}", batch).status == 200
        assert proxy.post(f"/preferences/{SECRET}", "x" * 90_000).status in (413, 502)
        with suppress(http.client.HTTPException, OSError):  # it may close before it was sent all
            assert proxy.post(f"/events/here/{SECRET}", batch + batch).status in (413, 502)
    (tmp_path / "away").mkdir()
    with proxy_alone(kind, tmp_path / "away", free_port()) as proxy:
        assert proxy.post(f"/events/here/{SECRET}", "x").status in (502, 503)
    assert SECRET not in logged(tmp_path)


def trickle(clients: list[socket.socket]) -> None:
    """Send one byte of each slow request; those that were ended send none."""
    for client in clients:
        with suppress(OSError):
            client.sendall(b"a")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["caddy", "nginx"])
def test_slow_clients_behind_a_proxy_keep_nobody_from_the_pages(
    kind: str, tmp_path: Path, publication: Publication
) -> None:
    backend = free_port()
    sent = (
        b"POST /unsubscribe/" + SECRET.encode() + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\na"
    )
    with (
        web_process(publication, backend) as pages,
        proxy_alone(kind, tmp_path, backend) as proxy,
        ExitStack() as stack,
    ):
        port = int(proxy.url.rpartition(":")[2])
        clients = [stack.enter_context(slow_client(port, sent)) for _ in range(SLOW_CLIENTS)]
        for _ in range(5):
            assert proxy.get("/healthz").status == 200
            trickle(clients)
        assert proxy.post(f"/unsubscribe/{SECRET}", ONE_CLICK).status == 404
        pages.terminate()
        _, log = pages.communicate(timeout=60)
    written = log + logged(tmp_path)
    assert len(written) < 20_000 and SECRET not in written


def test_nginx_accepts_the_unchanged_example(tmp_path: Path) -> None:
    program("nginx")
    for kind in ("fullchain", "privkey"):
        (tmp_path / f"{kind}.pem").touch()
    key, certificate = tmp_path / "privkey.pem", tmp_path / "fullchain.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-days", "1",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    text = (DEPLOY / "proxy/nginx.conf").read_text(encoding="utf-8")
    text = text.replace("/etc/letsencrypt/live/newsletter.example.org", str(tmp_path))
    (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\n{text}\n}}\n")
    done = subprocess.run(
        ["nginx", "-t", "-c", str(tmp_path / "nginx.conf"), "-e", str(tmp_path / "e")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

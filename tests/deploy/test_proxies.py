"""Real proxies with the examples of deploy/proxy before a real door: one-click goes through."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.models import EmailAddress, SubscriberStatus
from upcycle_news.storage import subscribers
from upcycle_news.subscribers.link_tokens import Purpose

from ..publications import Publication
from ..web.web_server import WebServer, free_port, running_server
from .tools import DEPLOY, program

ONE_CLICK = "List-Unsubscribe=One-Click"


def caddyfile(port: int, door: int) -> str:
    text = (DEPLOY / "proxy/Caddyfile").read_text(encoding="utf-8")
    text = text.replace("newsletter.example.org", f"http://127.0.0.1:{port}")
    return "{\n\tadmin off\n}\n" + text.replace("127.0.0.1:8040", f"127.0.0.1:{door}")


def nginx_conf(port: int, door: int, folder: Path) -> str:
    """The example without TLS, as its own server: the first `server` only, on a port of ours."""
    text = (DEPLOY / "proxy/nginx.conf").read_text(encoding="utf-8").partition("# Plain http")[0]
    text = re.sub(r"(?m)^\s*(listen \[::\].*|ssl_\w+ .*)$", "", text)
    text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    text = text.replace("127.0.0.1:8040", f"127.0.0.1:{door}")
    temp = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))  # fmt: skip
    return (
        f"daemon off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\n{temp}{text}\n}}\n"
    )


def nginx_as_it_comes(port: int, door: int, folder: Path) -> str:
    """What a hurried person writes: no header line at all."""
    full = nginx_conf(port, door, folder)
    bare = re.sub(r"(?m)^\s*proxy_(set_header|http_version|redirect).*$", "", full)
    return bare.replace("location = /metrics {\n        return 404;\n    }", "")


@pytest.fixture
def context(publication: Publication) -> AppContext:
    publication.add_subscribers("leserin@example.org")
    return publication.context()


@pytest.fixture(params=["caddy", "nginx", "nginx without a header"])
def proxy(
    request: pytest.FixtureRequest, context: AppContext, tmp_path: Path
) -> Iterator[WebServer]:
    port, behind = free_port(), free_port()
    kind: str = request.param
    if kind == "caddy":
        (tmp_path / "Caddyfile").write_text(caddyfile(port, behind), encoding="utf-8")
        command = [program("caddy"), "run", "--config", str(tmp_path / "Caddyfile")]
    else:
        make = nginx_conf if kind == "nginx" else nginx_as_it_comes
        (tmp_path / "nginx.conf").write_text(make(port, behind, tmp_path), encoding="utf-8")
        command = [program("nginx"), "-c", str(tmp_path / "nginx.conf"), "-e", str(tmp_path / "e")]
    with running_server(context, behind):
        running = subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env={"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)},
        )  # fmt: skip
        try:
            _wait(port, running)
            yield WebServer(f"http://127.0.0.1:{port}")
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(20)


def _wait(port: int, running: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                return
        if running.poll() is not None or time.monotonic() > deadline:
            running.kill()
            assert running.stderr is not None
            pytest.fail(f"the proxy did not start: {running.stderr.read()[-800:]!r}")
        time.sleep(0.05)


def test_one_click_goes_through_a_proxy_and_the_figures_do_not(
    proxy: WebServer, context: AppContext
) -> None:
    token = context.link_signer.token(Purpose.UNSUBSCRIBE, 1, 0)
    answer = proxy.post(f"/unsubscribe/{token}", ONE_CLICK)
    assert answer.status == 200  # answered itself: no redirect, no error
    person = subscribers.find(context.store, EmailAddress.parse("leserin@example.org"))
    assert person is not None and person.status is SubscriberStatus.UNSUBSCRIBED
    for headers in ({}, {"X_Forwarded_For": "127.0.0.1"}, {"Host": "localhost"}):
        told = proxy.get("/metrics", **headers)
        assert told.status == 404 or "Host" in headers  # Caddy itself knows no such site
        assert "upcycle_news_" not in told.text
    assert proxy.get("/healthz").status == 200


def test_nginx_accepts_the_example_as_it_is(tmp_path: Path) -> None:
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

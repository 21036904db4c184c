"""Where the pages listen: a busy port is a sentence, and systemd may keep the port open."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from upcycle_news.errors import UpcycleError
from upcycle_news.web.listening import listen

from ..processes import end_with_parent
from ..publications import Publication
from .web_server import WebServer


@pytest.fixture
def busy() -> Iterator[int]:
    """A port of loopback on which something listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield int(taken.getsockname()[1])


def test_a_busy_port_is_one_sentence_and_exit_code_1(publication: Publication, busy: int) -> None:
    result = publication.run("web", "--port", str(busy), code=1)
    assert result.out == "" and result.err.count("\n") == 1
    assert f"Der Port {busy} von 127.0.0.1 ist belegt" in result.err
    english = publication.run("web", "--port", str(busy), code=1, PUBLICATION__LANGUAGE="en")
    assert f"port {busy} of 127.0.0.1 is busy" in english.err


def test_an_address_that_is_not_ours_is_one_sentence(publication: Publication) -> None:
    result = publication.run("web", "--host", "192.0.2.9", "--port", "0", code=1)
    assert result.err.startswith("192.0.2.9 ist keine Adresse dieses Rechners")
    assert result.err.count("\n") == 1


def test_a_host_that_is_no_name_is_one_sentence(publication: Publication) -> None:
    result = publication.run("web", "--host", "kein name", "--port", "0", code=1)
    assert "kennt niemand" in result.err and result.err.count("\n") == 1


def test_every_address_of_a_name_is_bound_or_none(busy: int) -> None:
    with pytest.raises(UpcycleError):
        listen("127.0.0.1", busy, {})
    listener = listen("localhost", 0, {})
    try:
        port = listener.sockets[0].getsockname()[1]
        assert listener.url.endswith(f":{port}/") and not listener.inherited
        with socket.create_connection(listener.sockets[0].getsockname()[:2], 60):
            pass  # the kernel takes it before anybody is there
    finally:
        for one in listener.sockets:
            one.close()


def test_sockets_meant_for_another_process_are_not_taken() -> None:
    environment = {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid() + 1)}
    listener = listen("127.0.0.1", 0, environment)
    assert not listener.inherited
    for one in listener.sockets:
        one.close()


def test_clicks_wait_in_systemds_socket_while_the_process_is_replaced(
    publication: Publication,
) -> None:
    command = str(Path(sys.executable).parent / "upcycle-news")

    def start(listening: socket.socket) -> subprocess.Popen[str]:
        def hand_over() -> None:  # as systemd does (sd_listen_fds(3))
            end_with_parent(signal.SIGKILL)
            os.dup2(listening.fileno(), 3)
            os.environ["LISTEN_PID"] = str(os.getpid())

        return subprocess.Popen(
            ["/bin/sh", "-c", f'LISTEN_FDS=1 LISTEN_PID=$$ exec "{command}" web --port 1'],
            cwd=publication.home, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            pass_fds=(3,), preexec_fn=hand_over,
        )  # fmt: skip

    with socket.create_server(("127.0.0.1", 0), backlog=64) as kept:
        port = int(kept.getsockname()[1])
        server = WebServer(f"http://127.0.0.1:{port}")
        first = start(kept)
        try:
            assert server.get("/healthz").status == 200
            first.terminate()
            first.wait(60)
            with socket.create_connection(("127.0.0.1", port), 60) as click:
                click.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                second = start(kept)
                try:
                    assert click.recv(64).startswith(b"HTTP/1.1 200 ")
                    second.terminate()
                    _, said = second.communicate(timeout=60)
                finally:
                    second.kill()
        finally:
            first.kill()
    assert "den systemd offen hält" in said and str(port) in said

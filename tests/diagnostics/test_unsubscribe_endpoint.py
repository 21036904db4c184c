"""Whether readers can leave with one click: the real web door, and doors that are not ours."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from upcycle_news.diagnostics import unsubscribe_endpoint
from upcycle_news.diagnostics.results import Line, State
from upcycle_news.diagnostics.unsubscribe_endpoint import DoorFacts, Reply
from upcycle_news.storage import subscribers
from upcycle_news.subscribers.link_tokens import Purpose

from ..bounces.imap_server import Account, imap_server
from ..publications import Publication
from ..transports.bad_relays import certificate
from ..web.web_server import free_port, opened

NOW = datetime(2026, 11, 26, 6, tzinfo=UTC)
FOREIGN = f"/unsubscribe/{unsubscribe_endpoint.FOREIGN}"


def last(lines: list[Line]) -> Line:
    assert lines[-1].check == "one-click"
    return lines[-1]


@contextmanager
def door(
    get: int = 404, post: int = 404, files: tuple[Path, Path] | None = None, location: str = ""
) -> Iterator[str]:
    """A door that always answers the same; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = get if self.command == "GET" else post
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    if files:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*files)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"{'https' if files else 'http'}://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def asked(url: str, own: str = "/unsubscribe/own") -> list[Line]:
    return unsubscribe_endpoint.verdict(
        unsubscribe_endpoint.look(url, own, FOREIGN, 5.0), datetime.now(UTC)
    )


def test_our_own_door_takes_a_click_and_nobody_is_gone_for_it(publication: Publication) -> None:
    publication.readers("anna@example.org")
    port = free_port()
    context = publication.context(PUBLICATION__PUBLIC_URL=f"http://127.0.0.1:{port}")
    own = f"/unsubscribe/{context.signer.token(Purpose.UNSUBSCRIBE, 0)}"
    with opened(context, port) as open_door:
        facts = unsubscribe_endpoint.look(open_door.url, own, FOREIGN, 5.0)
        line = last(unsubscribe_endpoint.verdict(facts, NOW))
        assert line.state is State.OK
        assert (facts.own_post.status, facts.foreign_post.status) == (200, 404)
    person = subscribers.by_number(context.store, 1)
    assert person is not None
    assert person.status == "confirmed"


def test_a_door_with_other_keys_is_red(publication: Publication, tmp_path: Path) -> None:
    """A web door that was started with another var: every link in our mails is dead."""
    port = free_port()
    ours = publication.context(PUBLICATION__PUBLIC_URL=f"http://127.0.0.1:{port}")
    own = f"/unsubscribe/{ours.signer.token(Purpose.UNSUBSCRIBE, 0)}"
    other = publication.context(
        PUBLICATION__PUBLIC_URL=f"http://127.0.0.1:{port}", STATE=str(tmp_path / "elsewhere")
    )
    with opened(other, port) as open_door:
        line = last(asked(open_door.url, own))
    assert line.state is State.PROBLEM
    assert "other keys" in line.meaning


@pytest.mark.parametrize(("get", "post"), [(404, 301), (308, 308), (302, 404)])
def test_a_redirect_loses_the_click(get: int, post: int) -> None:
    with door(get, post, location="https://www.example.org/unsubscribe/secret-token") as url:
        line = last(asked(url))
    assert line.state is State.PROBLEM
    assert "redirects" in line.found
    assert "https://www.example.org" in line.found
    assert "secret-token" not in str(line)


@pytest.mark.parametrize(("get", "post"), [(200, 200), (403, 403), (404, 405), (502, 502)])
def test_a_door_of_strangers_is_red(get: int, post: int) -> None:
    with door(get, post) as url:
        line = last(asked(url))
    assert line.state is State.PROBLEM
    assert "not 'upcycle-news web'" in line.meaning


def test_without_keys_here_the_door_is_not_known_to_be_ours() -> None:
    with door() as url:
        assert last(asked(url, own="")).state is State.WARNING


@pytest.mark.parametrize(("days", "state"), [(2, "problem"), (10, "warning"), (90, "ok")])
def test_the_doors_certificate_is_watched(
    days: int, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = certificate(tmp_path, "localhost", days=days)
    monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    with door(files=files) as url:
        lines = asked(url)
    assert [str(line.state) for line in lines if line.check == "one-click-tls"] == [state]


def test_a_certificate_nobody_trusts_is_red_with_its_reason(tmp_path: Path) -> None:
    with door(files=certificate(tmp_path, "localhost", days=90)) as url:
        line = last(asked(url))
    assert line.state is State.PROBLEM
    assert "certificate cannot be trusted" in line.found


def test_a_closed_door_is_red() -> None:
    line = last(asked(f"http://127.0.0.1:{free_port()}"))
    assert line.state is State.PROBLEM
    assert "nothing listens there" in line.found


def test_without_https_mail_programs_show_no_button() -> None:
    fine = Reply(200)
    facts = DoorFacts(
        "http://news.example.org",
        own_get=fine, own_post=fine, foreign_get=Reply(404), foreign_post=Reply(404),
    )  # fmt: skip
    [line, _] = unsubscribe_endpoint.verdict(facts, NOW)
    assert (line.check, line.state) == ("one-click-tls", State.PROBLEM)
    assert last(unsubscribe_endpoint.verdict(facts, NOW + timedelta(days=1))).state is State.OK


@pytest.mark.parametrize("status", [(200, 405), (500, 500), (404, 200)])
def test_a_door_that_takes_only_half_is_red(status: tuple[int, int]) -> None:
    facts = DoorFacts(
        "http://127.0.0.1", own_get=Reply(status[0]), own_post=Reply(status[1]),
        foreign_get=Reply(404), foreign_post=Reply(404),
    )  # fmt: skip
    assert last(unsubscribe_endpoint.verdict(facts, NOW)).state is State.PROBLEM


def inbox_of(publication: Publication, code: int = 0, **environment: str) -> dict[str, str]:
    done = publication.run("doctor", "inbox", "--json", code=code, **environment)
    assert "falsch-4711" not in done.told
    [line] = done.json["groups"]["leaving"]
    return dict(line)


def test_the_inbox_is_opened_and_nothing_in_it_is_touched(publication: Publication) -> None:
    assert inbox_of(publication)["state"] == "skipped"
    with imap_server(Account({"INBOX": {1: b"Subject: hello\r\n\r\nhello\r\n"}})) as account:
        imap = {
            "INBOX__HOST": "127.0.0.1",
            "INBOX__PORT": str(account.port),
            "INBOX__SECURITY": "none",
            "INBOX__USERNAME": "bounces",
        }
        assert inbox_of(publication, INBOX__PASSWORD="geheim", **imap)["state"] == "ok"
        wrong = inbox_of(publication, code=1, INBOX__PASSWORD="falsch-4711", **imap)
    assert (wrong["state"], "inbox.username" in wrong["cure"]) == ("problem", True)
    assert not [said for said in account.said if "FETCH" in said or "MOVE" in said]
    away = inbox_of(publication, code=1, INBOX__MAILDIR="var/nowhere")
    assert "is no Maildir" in away["found"]

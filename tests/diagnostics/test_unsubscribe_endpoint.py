"""Checks of the one-click endpoint: our own web pages, and servers that are not ours."""

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
from upcycle_news.diagnostics.results import CheckResult, State
from upcycle_news.diagnostics.unsubscribe_endpoint import EndpointFacts, Reply
from upcycle_news.storage import subscribers
from upcycle_news.subscribers.link_tokens import Purpose

from ..bounces.imap_server import Account, imap_server
from ..processes import free_port
from ..publications import Publication
from ..transports.bad_relays import certificate
from ..web.web_server import running_server

NOW = datetime(2026, 11, 26, 6, tzinfo=UTC)
FOREIGN = f"/unsubscribe/{unsubscribe_endpoint.FOREIGN}"


def last(results: list[CheckResult]) -> CheckResult:
    assert results[-1].check == "one-click"
    return results[-1]


@contextmanager
def fixed_server(
    get: int = 404, post: int = 404, files: tuple[Path, Path] | None = None, location: str = ""
) -> Iterator[str]:
    """Run a server that always answers the same; yields its URL."""

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


def evaluated(url: str, own: str = "/unsubscribe/own") -> list[CheckResult]:
    return unsubscribe_endpoint.evaluate(
        unsubscribe_endpoint.inspect_endpoint(url, own, FOREIGN, 5.0), datetime.now(UTC)
    )


def test_our_endpoint_accepts_a_click_and_unsubscribes_no_one(publication: Publication) -> None:
    publication.add_subscribers("anna@example.org")
    port = free_port()
    context = publication.context(PUBLICATION__PUBLIC_URL=f"http://127.0.0.1:{port}")
    own = f"/unsubscribe/{context.link_signer.token(Purpose.UNSUBSCRIBE, 0)}"
    with running_server(context, port) as server:
        facts = unsubscribe_endpoint.inspect_endpoint(server.url, own, FOREIGN, 5.0)
        result = last(unsubscribe_endpoint.evaluate(facts, NOW))
        assert result.state is State.OK
        assert (facts.own_post.status, facts.foreign_post.status) == (200, 404)
    subscriber = subscribers.by_id(context.store, 1)
    assert subscriber is not None
    assert subscriber.status == "confirmed"


def test_an_endpoint_with_other_keys_is_a_problem(publication: Publication, tmp_path: Path) -> None:
    """The web pages were started with another `var`: no link in our mails works."""
    port = free_port()
    own_context = publication.context(PUBLICATION__PUBLIC_URL=f"http://127.0.0.1:{port}")
    own = f"/unsubscribe/{own_context.link_signer.token(Purpose.UNSUBSCRIBE, 0)}"
    other_context = publication.context(
        PUBLICATION__PUBLIC_URL=f"http://127.0.0.1:{port}", STATE=str(tmp_path / "elsewhere")
    )
    with running_server(other_context, port) as server:
        result = last(evaluated(server.url, own))
    assert result.state is State.PROBLEM
    assert "other keys" in str(result.impact or "")


@pytest.mark.parametrize(("get", "post"), [(404, 301), (308, 308), (302, 404)])
def test_a_redirect_is_a_problem(get: int, post: int) -> None:
    with fixed_server(
        get, post, location="https://www.example.org/unsubscribe/secret-token"
    ) as url:
        result = last(evaluated(url))
    assert result.state is State.PROBLEM
    assert "redirects" in str(result.finding or "")
    assert "https://www.example.org" in str(result.finding or "")
    assert "secret-token" not in str(result)


@pytest.mark.parametrize(("get", "post"), [(200, 200), (403, 403), (404, 405), (502, 502)])
def test_a_foreign_server_is_a_problem(get: int, post: int) -> None:
    with fixed_server(get, post) as url:
        result = last(evaluated(url))
    assert result.state is State.PROBLEM
    assert "not 'upcycle-news web'" in str(result.impact or "")


def test_without_keys_an_endpoint_is_a_warning() -> None:
    with fixed_server() as url:
        assert last(evaluated(url, own="")).state is State.WARNING


@pytest.mark.parametrize(("days", "state"), [(2, "problem"), (10, "warning"), (90, "ok")])
def test_the_certificate_of_the_endpoint_is_checked(
    days: int, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = certificate(tmp_path, "localhost", days=days)
    monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    with fixed_server(files=files) as url:
        results = evaluated(url)
    assert [str(result.state) for result in results if result.check == "one-click-tls"] == [state]


def test_an_untrusted_certificate_is_a_problem_with_its_reason(tmp_path: Path) -> None:
    with fixed_server(files=certificate(tmp_path, "localhost", days=90)) as url:
        result = last(evaluated(url))
    assert result.state is State.PROBLEM
    assert "certificate cannot be trusted" in str(result.finding or "")


def test_a_refused_connection_is_a_problem() -> None:
    result = last(evaluated(f"http://127.0.0.1:{free_port()}"))
    assert result.state is State.PROBLEM
    assert "nothing listens there" in str(result.finding or "")


def test_an_endpoint_without_https_is_a_problem() -> None:
    success = Reply(200)
    facts = EndpointFacts(
        "http://news.example.org",
        own_get=success, own_post=success, foreign_get=Reply(404), foreign_post=Reply(404),
    )  # fmt: skip
    [result, _] = unsubscribe_endpoint.evaluate(facts, NOW)
    assert (result.check, result.state) == ("one-click-tls", State.PROBLEM)
    assert last(unsubscribe_endpoint.evaluate(facts, NOW + timedelta(days=1))).state is State.OK


@pytest.mark.parametrize("status", [(200, 405), (500, 500), (404, 200)])
def test_an_endpoint_that_accepts_only_one_method_is_a_problem(status: tuple[int, int]) -> None:
    facts = EndpointFacts(
        "http://127.0.0.1", own_get=Reply(status[0]), own_post=Reply(status[1]),
        foreign_get=Reply(404), foreign_post=Reply(404),
    )  # fmt: skip
    assert last(unsubscribe_endpoint.evaluate(facts, NOW)).state is State.PROBLEM


def inbox_result(publication: Publication, code: int = 0, **environment: str) -> dict[str, str]:
    done = publication.run("doctor", "inbox", "--json", code=code, **environment)
    assert "falsch-4711" not in done.output
    [result] = done.json["groups"]["leaving"]
    return dict(result)


def test_the_inbox_is_opened_and_nothing_in_it_is_changed(publication: Publication) -> None:
    assert inbox_result(publication)["state"] == "skipped"
    with imap_server(Account({"INBOX": {1: b"Subject: hello\r\n\r\nhello\r\n"}})) as account:
        imap = {
            "INBOX__HOST": "127.0.0.1",
            "INBOX__PORT": str(account.port),
            "INBOX__SECURITY": "none",
            "INBOX__USERNAME": "bounces",
        }
        assert inbox_result(publication, INBOX__PASSWORD="geheim", **imap)["state"] == "ok"
        wrong = inbox_result(publication, code=1, INBOX__PASSWORD="falsch-4711", **imap)
    assert (wrong["state"], "inbox.username" in wrong["cure"]) == ("problem", True)
    assert not [command for command in account.said if "FETCH" in command or "MOVE" in command]
    missing = inbox_result(publication, code=1, INBOX__MAILDIR="var/nowhere")
    assert "is no Maildir" in missing["found"]

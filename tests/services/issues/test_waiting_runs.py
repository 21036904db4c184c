"""A decision reaches the flow runs that wait for it, or leaves their requests for the flow watch."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from upcycle_news.api import App
from upcycle_news.models import IssueId
from upcycle_news.services.issues import approval
from upcycle_news.services.issues.compose import compose_issue
from upcycle_news.services.monitoring import alerts
from upcycle_news.storage import approvals

from ...publications import Publication

ISSUE = IssueId.parse("2026-11-26")


@contextmanager
def prefect_api(resumed: list[tuple[str, str]]) -> Iterator[str]:
    """Serve Prefect's request to resume a run; yields the URL of the API."""

    class Api(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            resumed.append((self.path.split("/")[3], body["run_input"]["decision"]))
            data = b'{"status": "ACCEPT"}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def app(publication: Publication) -> App:
    """An app with an issue for which the run „run-one“ waits."""
    publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context()
    revision = compose_issue(context, ISSUE)
    approval.request_approval(context, ISSUE, revision.revision_id, run="run-one")
    return App(context)


@pytest.mark.parametrize("decision", ["send", "reject"])
def test_a_waiting_run_is_resumed_and_its_request_closed(
    app: App, monkeypatch: pytest.MonkeyPatch, decision: str
) -> None:
    resumed: list[tuple[str, str]] = []
    verb = app.issues.approve if decision == "send" else app.issues.reject
    with prefect_api(resumed) as url:
        monkeypatch.setenv("PREFECT_API_URL", url)
        result = verb(ISSUE, by="Anna")
    assert resumed == [("run-one", decision)]
    assert (result.runs.runs, result.runs.problem) == (("run-one",), "")
    assert approvals.open_requests(app._context.store) == ()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "setzen Sie PREFECT_API_URL, damit der wartende Lauf sie gleich erfährt"),
        (
            "http://127.0.0.1:9/api",
            "der wartende Lauf ließ sich nicht fortsetzen. Der Server von Prefect",
        ),
    ],
)
def test_a_run_that_cannot_be_reached_is_left_to_the_flow_watch(
    app: App, monkeypatch: pytest.MonkeyPatch, url: str, problem: str
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", url)
    result = app.issues.approve(ISSUE, by="Anna")
    assert result.runs.runs == ()
    assert problem in result.runs.problem
    [stale] = alerts.find_stale_runs(app._context)
    assert (stale.run, stale.answer) == ("run-one", "send")

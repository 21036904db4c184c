"""An issue is free when the run that held it has ended, and not before Prefect says so."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from upcycle_news.api import App
from upcycle_news.models import IssueId
from upcycle_news.services.issues import approval
from upcycle_news.services.issues.compose import compose_issue
from upcycle_news.services.issues.lock import acquire_lock
from upcycle_news.storage import approvals

from ...delivery.memory_ledger import Clock
from ...publications import Publication

ISSUE = IssueId.parse("2026-11-26")
GONE = (404, {"detail": "Flow run not found"})


def state(name: str) -> tuple[int, Any]:
    return 200, {"state": {"type": name, "name": name.title()}}


class Server:
    """A stub of Prefect's API: what `GET /flow_runs/ID` answers, by run; resuming a lost run is a 500."""

    def __init__(self) -> None:
        self.runs: dict[str, tuple[int, Any]] = {}
        self.ended: list[tuple[str, Any]] = []
        stub = self

        class Api(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(*stub.runs.get(self.path.split("/")[3], GONE))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                run = self.path.split("/")[3]
                known = stub.runs.get(run, GONE)[0] == 200
                if known:
                    stub.ended.append((run, body))
                self.answer(*((200, {"status": "ACCEPT"}) if known else (500, {})))

            def answer(self, status: int, content: Any) -> None:
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Api)
        self.url = f"http://127.0.0.1:{self.http.server_port}/api"


@pytest.fixture
def prefect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever)
    thread.start()
    monkeypatch.setenv("PREFECT_API_URL", server.url)
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


@pytest.fixture
def app(publication: Publication) -> App:
    """An app with an issue for which the run „run-one“ waits."""
    publication.write_essay()
    publication.add_many_subscribers(1)
    app = App(publication.context())
    wait(app, "run-one")
    return app


def wait(app: App, run: str) -> str:
    revision = compose_issue(app._context, ISSUE).revision_id
    approval.request_approval(app._context, ISSUE, revision, run=run)
    return revision


def admit(app: App, run: str = "run-two") -> Any:
    now = app._context.clock()
    return app.runs.admit(str(ISSUE), planned_at=now, run=run, max_lateness_hours=12)


@pytest.mark.parametrize(
    "answer", [state("CANCELLED"), state("CANCELLING"), state("FAILED"), state("CRASHED"), GONE]
)
def test_an_issue_is_free_at_the_next_begin_when_its_run_has_ended(
    app: App, prefect: Server, answer: tuple[int, Any]
) -> None:
    prefect.runs["run-one"] = answer
    assert admit(app).ended is None
    assert approvals.open_requests(app._context.store) == ()
    wait(app, "run-two")
    [request] = approvals.open_requests(app._context.store)
    assert request.run == "run-two"


@pytest.mark.parametrize(
    "answer",
    [
        state("PAUSED"),
        state("RUNNING"),
        state("SCHEDULED"),
        (503, {"detail": "busy"}),
        (422, {"detail": "no id"}),
        (404, {"detail": "Not Found"}),  # another server's
        (404, b"<html>not here</html>"),  # a proxy's
        (200, b"<html>the pages</html>"),
    ],
)
def test_while_a_run_waits_or_prefect_says_nothing_certain_the_issue_is_in_other_hands(
    app: App, prefect: Server, answer: tuple[int, Any]
) -> None:
    prefect.runs["run-one"] = answer
    ended = admit(app).ended
    assert (ended.kind, ended.name) == ("completed", "InOtherHands")
    assert prefect.url.removesuffix("/api") + "/runs/flow-run/run-one" in ended.message
    assert "wartet schon ein anderer" in ended.message
    assert len(approvals.open_requests(app._context.store)) == 1
    assert app.runs.resolve_stale_runs(prefect.url).count == 0


def test_without_a_server_a_waiting_run_counts_as_waiting(
    app: App, prefect: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    assert admit(app).ended.name == "InOtherHands"


def test_a_cancelled_run_that_only_prepared_frees_the_issue_too(app: App, prefect: Server) -> None:
    prefect.runs |= {"run-one": state("CANCELLED"), "run-0": state("CRASHED")}
    assert app.runs.resolve_stale_runs(prefect.url).count == 1
    assert acquire_lock(app._context, ISSUE, "run-0")
    assert admit(app).ended is None


def test_watch_frees_the_issues_of_runs_that_have_ended(app: App, prefect: Server) -> None:
    prefect.runs["run-one"] = state("CANCELLED")
    resolved = app.runs.resolve_stale_runs(prefect.url)
    assert (resolved.count, resolved.problems) == (1, ())
    assert approvals.open_requests(app._context.store) == ()
    assert app.runs.resolve_stale_runs(prefect.url).count == 0
    assert admit(app).ended is None


def test_a_deleted_run_whose_issue_was_sent_by_hand_is_settled_once(
    app: App, publication: Publication, prefect: Server
) -> None:
    publication.run("issue", "send", str(ISSUE), "--yes")
    assert len(approvals.open_requests(app._context.store)) == 1
    resolved = app.runs.resolve_stale_runs(prefect.url)
    assert (resolved.count, resolved.problems) == (1, ())
    assert app.runs.resolve_stale_runs(prefect.url).count == 0


def test_a_run_that_cannot_be_settled_keeps_no_other_from_it(
    app: App, prefect: Server, clock: Clock
) -> None:
    prefect.runs |= {"run-one": (500, {}), "run-b": state("PAUSED")}
    revision = approvals.open_requests(app._context.store)[0].revision_id
    approval.request_approval(app._context, ISSUE, revision, run="run-b")
    approvals.record_decision(
        app._context.store, ISSUE, revision, approved=True, by="Anna", now=clock.now
    )
    resolved = app.runs.resolve_stale_runs(prefect.url)
    assert resolved.count == 1
    assert [run for run, _ in prefect.ended] == ["run-b"]
    [problem] = resolved.problems
    assert "run-one" in problem
    assert "es wird wieder versucht" in problem
    prefect.runs["run-one"] = GONE
    assert app.runs.resolve_stale_runs(prefect.url).count == 1

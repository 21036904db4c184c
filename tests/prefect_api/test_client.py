"""The client of Prefect's API, and the environment of Prefect's processes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from upcycle_news.errors import UpcycleError
from upcycle_news.models.runs import RunResult, StaleRun
from upcycle_news.prefect_api.client import PrefectApiError, PrefectClient, read_automations
from upcycle_news.prefect_api.environment import LOGIN_VARIABLE, server_environment

from ..publications import Publication

ROOT = Path(__file__).parents[2]


class Api(BaseHTTPRequestHandler):
    """An API stub: returns the configured answers and records the requests."""

    answers: dict[str, tuple[int, Any]]
    requests: list[tuple[str, Any]]

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.requests.append((f"{self.command} {self.path}", body))
        status, content = self.answers.get(self.path, (404, {}))
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[Any]:
    handler = type("Own", (Api,), {"answers": {}, "requests": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    handler.url = f"http://127.0.0.1:{server.server_port}/api"
    yield handler
    server.shutdown()
    server.server_close()


def test_the_url_comes_from_the_environment_or_from_up(tmp_path: Path) -> None:
    assert PrefectClient.find(tmp_path, {}) is None
    (tmp_path / "api-url").write_text("http://127.0.0.1:4200/api\n")
    assert PrefectClient.find(tmp_path, {}) == PrefectClient("http://127.0.0.1:4200/api")
    variables = {"PREFECT_API_URL": "http://there/api/", "PREFECT_API_AUTH_STRING": "a:b"}
    assert PrefectClient.find(tmp_path, variables) == PrefectClient("http://there/api", "a:b")


def test_an_unreachable_server_is_reported_with_the_fix() -> None:
    with pytest.raises(PrefectApiError, match="upcycle-news up"):
        PrefectClient("http://127.0.0.1:9/api").deployment_id("watch/around-the-clock")


def test_a_missing_login_is_reported(api: Any) -> None:
    api.answers["/api/deployments/name/x/y"] = (401, {})
    with pytest.raises(PrefectApiError, match="PREFECT_API_AUTH_STRING"):
        PrefectClient(api.url).deployment_id("x/y")


def test_resolving_a_run_that_prefect_lost_is_no_error(api: Any) -> None:
    ended = RunResult("cancelled", "Unanswered", "nobody answered")
    PrefectClient(api.url).resolve_stale_run(StaleRun(1, "lost", ended=ended))
    PrefectClient(api.url).resolve_stale_run(StaleRun(2, "lost", answer="send"))
    assert api.requests[0][1]["state"]["name"] == "Unanswered"
    assert api.requests[1] == (
        "POST /api/flow_runs/lost/resume",
        {"run_input": {"decision": "send"}},
    )


def test_automations_are_created_once_and_replaced_later(api: Any) -> None:
    api.answers["/api/automations/filter"] = (200, [])
    api.answers["/api/automations/"] = (201, {"id": "1"})
    client = PrefectClient(api.url)
    [first, *_] = read_automations(ROOT / "deploy/automations.yaml", lambda name: f"id of {name}")
    assert first["actions"][0]["deployment_id"] == "id of notify/operators"
    assert client.save_automation(first)
    api.answers["/api/automations/filter"] = (200, [{"id": "1"}])
    api.answers["/api/automations/1"] = (204, None)
    assert not client.save_automation(first)


def test_a_server_for_other_machines_needs_a_login(tmp_path: Path) -> None:
    with pytest.raises(UpcycleError, match="PREFECT_SERVER_API_AUTH_STRING"):
        server_environment({}, tmp_path, host="0.0.0.0", port=4200)
    for half in (":", "admin:", ":secret", "admin"):
        with pytest.raises(UpcycleError, match="needs a login"):
            server_environment({LOGIN_VARIABLE: half}, tmp_path, host="0.0.0.0", port=4200)
    login = {"PREFECT_SERVER_API_AUTH_STRING": "anna:geheim"}
    environment = server_environment(login, tmp_path, host="0.0.0.0", port=4200)
    assert environment["PREFECT_API_AUTH_STRING"] == "anna:geheim"
    assert environment["PREFECT_SERVER_EPHEMERAL_ENABLED"] == "false"


def test_up_refuses_other_machines_without_a_login(publication: Publication) -> None:
    refused = publication.run("up", "--host", "0.0.0.0", code=1)
    assert "kann eine Ausgabe freigeben" in refused.err


def test_approving_works_without_prefect(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    publication.run("issue", "preview", "--no-open")
    assert "Was vom Bahnhof bleibt" in publication.run("issue", "show").out
    assert publication.run("issue", "show", "--json").json["approved"] is None
    publication.run("issue", "approve")
    assert publication.run("issue", "show", "--json").json["approved"] is True
    publication.run("issue", "reject")
    assert publication.run("issue", "show", "--json").json["approved"] is False

"""A stand-in for Prefect's API on loopback: deployments, and runs that somebody starts, moves or deletes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count
from typing import Any


class PrefectStandIn(BaseHTTPRequestHandler):
    """Answers as Prefect 3.8 does to the requests that a run of watch makes.

    `down` makes it answer 503, `page` is what a proxy answers in its place.
    """

    deployments: dict[str, dict[str, Any]]
    runs: dict[str, dict[str, Any]]
    down: bool
    page = ""
    numbers: Iterator[int]
    url: str

    def do_GET(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "null")
        status, content = (503, {}) if self.down else self._answer(self.path.split("/")[2:], body)
        data = (self.page or json.dumps(content)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self.do_GET()

    def _answer(self, path: list[str], body: Any) -> tuple[int, Any]:
        match self.command, path:
            case "POST", ["deployments", "filter"]:
                names = body.get("flows", {}).get("name", {}).get("any_")
                found = [
                    row for row in self.deployments.values() if not names or row["flow"] in names
                ]
                return 200, found
            case "GET", ["deployments", number] if number in self.deployments:
                return 200, self.deployments[number]
            case "DELETE", ["deployments", number] if number in self.deployments:
                return 204, self.deployments.pop(number)
            case "POST", ["deployments", number, "create_flow_run"]:
                return 201, self._create(number, body)
            case "POST", ["flow_runs", "filter"]:
                return 200, [row for row in self.runs.values() if self._matches(row, body)]
            case "POST", ["flow_runs", number, "set_state"] if number in self.runs:
                self.runs[number]["at"] = body["state"]["state_details"]["scheduled_time"]
                return 201, {"status": "ACCEPT"}
            case "DELETE", ["flow_runs", number] if number in self.runs:
                return 204, self.runs.pop(number)
        return 404, {"detail": "not found"}

    def _create(self, deployment: str, body: Any) -> dict[str, Any]:
        key = body.get("idempotency_key")
        for row in self.runs.values():
            if key and row["key"] == key:
                return row
        row = {
            "id": f"run-{next(self.numbers)}",
            "deployment": deployment,
            "state": "SCHEDULED",
            "key": key,
            "at": body.get("state", {}).get("state_details", {}).get("scheduled_time", ""),
            "tags": body["tags"],
            "parameters": body["parameters"],
        }
        return self.runs.setdefault(str(row["id"]), row)

    @staticmethod
    def _matches(row: dict[str, Any], body: Any) -> bool:
        wanted = body["flow_runs"]
        return (
            row["deployment"] in body["deployments"]["id"]["any_"]
            and row["state"] in wanted["state"]["type"]["any_"]
            and set(wanted.get("tags", {}).get("all_", ())) <= set(row["tags"])
        )

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def prefect_stand_in(**deployments: dict[str, Any]) -> Iterator[type[PrefectStandIn]]:
    """Run a stand-in with these deployments, each by its id."""
    rows = {
        number: {
            "id": number, "name": number, "paused": False, "parameters": {}, "schedules": [],
            "work_pool_name": None, "entrypoint": f"upcycle_news_flows.{number}.{number}", **row,
        }
        for number, row in deployments.items()
    }  # fmt: skip

    class Own(PrefectStandIn):
        deployments = rows
        runs: dict[str, dict[str, Any]] = {}  # noqa: RUF012  of this stand-in alone
        down = False
        numbers = count(1)

    server = HTTPServer(("127.0.0.1", 0), Own)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    Own.url = f"http://127.0.0.1:{server.server_port}/api"
    try:
        yield Own
    finally:
        server.shutdown()
        server.server_close()

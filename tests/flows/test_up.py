"""`upcycle-news up` in a new publication, and the doctor beside it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from typing import Any

import httpx
import pytest

from ..processes import free_port
from ..publications import Publication
from ..waiting import wait_until
from .prefect_server import PATIENCE

# The first line of a run is Prefect's, the second one our event, the last one Prefect's.
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
LOG = ("Beginning flow run 'collect-feeds'", "feeds collected", "Finished in state Completed")


def call(api: str, method: str, path: str, body: Any = None) -> Any:
    """Return the answer; a server that is busy with its database says 503, and Prefect's clients ask again."""
    answers: list[httpx.Response] = []

    def is_answered() -> bool:
        # Without TLS: to read what it trusts takes ten times as long as the request.
        answers.append(
            httpx.request(method, api + path, json=body, timeout=60, trust_env=False, verify=False)
        )
        return answers[-1].status_code != httpx.codes.SERVICE_UNAVAILABLE

    wait_until(is_answered, lambda: answers[-1].text, seconds=PATIENCE)
    assert answers[-1].is_success, answers[-1].text
    return answers[-1].json()


def start(publication: Publication, python: str, *arguments: str) -> subprocess.Popen[str]:
    """Start the command in a process of this Python, which is `sys.executable` there."""
    return subprocess.Popen(
        [python, "-m", "upcycle_news", *arguments], cwd=publication.home, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.xdist_group("prefect")]


@pytest.mark.timeout(900)  # a server that makes its database, and a runner, on a busy machine
def test_up_starts_in_a_new_publication_and_the_doctor_reports_no_problem(
    publication: Publication, warm_python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other tests keep Prefect quiet in this process (fixture `flows`): a run would log nothing.
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    shutil.rmtree(publication.home / "var")
    port, web = free_port(), free_port()
    monkeypatch.setenv("UPCYCLE_NEWS_WEB__PORT", str(web))
    up = start(publication, warm_python, "up", "--port", str(port))
    address = publication.home / "var/prefect/api-url"
    try:
        states: dict[str, str] = {}

        def is_ready() -> bool:
            assert up.poll() is None, up.communicate()
            if address.is_file():
                # In the first seconds nothing is deployed yet, which is red.
                out, _ = start(
                    publication, warm_python, "doctor", "prefect", "--json"
                ).communicate()
                results = json.loads(out)["groups"]["prefect"]
                states.update({result["check"]: result["state"] for result in results})
            last = ("prefect-deployments", "prefect-workers")  # the runner asks for work after that
            return {states.get(check) for check in last} == {"ok"}

        wait_until(
            is_ready, lambda: f"Prefect is not ready: {states}", seconds=PATIENCE, interval=2.0
        )
        pages = httpx.get(f"http://127.0.0.1:{web}/healthz", trust_env=False)
        assert pages.json() == {"status": "ok"}
        # What a run logs stands beside it in Prefect's pages: Prefect's lines, and ours.
        api = f"http://127.0.0.1:{port}/api"
        number = call(api, "GET", "/deployments/name/collect-feeds/hourly")["id"]
        run = call(api, "POST", f"/deployments/{number}/create_flow_run", {})["id"]
        of_run = {"logs": {"flow_run_id": {"any_": [run]}}}
        found: dict[str, Any] = {}

        def has_ended() -> bool:
            assert up.poll() is None, up.communicate()
            found["state"] = call(api, "GET", f"/flow_runs/{run}")["state"]
            return found["state"]["type"] in ENDED

        wait_until(
            has_ended, lambda: f"the run does not end: {found}", seconds=PATIENCE, interval=0.5
        )
        assert found["state"]["name"] == "Completed", found

        def is_logged() -> bool:  # sent in batches, the last when the process ends
            lines = [line["message"] for line in call(api, "POST", "/logs/filter", of_run)]
            found["lines"] = lines
            return all(any(piece in line for line in lines) for piece in LOG)

        wait_until(
            is_logged, lambda: f"the log does not stand in Prefect: {found}", seconds=PATIENCE
        )
    finally:
        up.send_signal(signal.SIGINT)
        out, err = up.communicate(timeout=120)
    assert up.returncode == 0, err
    assert f"Prefect ist unter http://127.0.0.1:{port} erreichbar" in out
    assert f"http://127.0.0.1:{web}: die Seiten für Leserinnen und Leser" in out
    assert states == {
        "prefect": "ok",
        "prefect-login": "ok",
        "prefect-deployments": "ok",
        "prefect-workers": "ok",
        "prefect-late": "ok",
        "clock": "ok",
        "alarms": "warning",
    }
    assert not address.exists()

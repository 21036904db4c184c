"""The run of watch that stays, and Prefect's own buttons, with a real server and runner."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from upcycle_news.version import __version__

from ..publications import Publication, today
from ..waiting import wait_until
from .prefect_server import PATIENCE, PrefectServer

ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
WATCH, DELIVERY = "watch/around-the-clock", "deliver-pending/when-due"

pytestmark = [
    pytest.mark.prefect,
    pytest.mark.slow,
    pytest.mark.xdist_group("prefect"),
    pytest.mark.timeout(900),  # a real server, a runner and a process for each run
]


# As publish-issue waits, with a timeout that is over long before the answer.
WAITING_FLOW = """\
from prefect import flow
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput

class Answer(RunInput):
    word: str

@flow(name="waits", timeout_seconds=30)
def waits():
    return suspend_flow_run(wait_for_input=Answer, timeout=3600, key="question").word
"""


def runs_of(server: PrefectServer, flow: str, *states: str, **more: Any) -> list[dict[str, Any]]:
    """Return the runs of a flow in these states, without those that a schedule has planned."""
    wanted = {"state": {"type": {"any_": list(states)}}, **more}
    body = {"flows": {"name": {"any_": [flow]}}, "flow_runs": wanted}
    runs: list[dict[str, Any]] = server.request("POST", "/flow_runs/filter", body)
    return [run for run in runs if "standby" in run["tags"] or not run["auto_scheduled"]]


def watching(server: PrefectServer) -> str:
    """Return the run that watches, once there is one with a standby."""
    wait_until(
        lambda: runs_of(server, "watch", "RUNNING") and standbys(server),
        "nobody watches",
        seconds=PATIENCE,
    )
    [run] = runs_of(server, "watch", "RUNNING")
    return str(run["id"])


def standbys(server: PrefectServer) -> list[dict[str, Any]]:
    return runs_of(server, "watch", "SCHEDULED", tags={"all_": ["standby"]})


def begin_standby_now(server: PrefectServer) -> str:
    """Turn the clock for the standby: it must not be further away than four minutes."""
    [standby] = standbys(server)
    due = datetime.fromisoformat(standby["next_scheduled_start_time"])
    assert due - datetime.now(UTC) <= timedelta(minutes=4)
    now = {"type": "SCHEDULED", "state_details": {"scheduled_time": datetime.now(UTC).isoformat()}}
    server.request("POST", f"/flow_runs/{standby['id']}/set_state", {"state": now})
    server.wait_for_state(standby["id"], "RUNNING")
    return str(standby["id"])


def approve_an_issue(publication: Publication, title: str, issue: str) -> None:
    publication.write_essay(title)
    publication.run("issue", "preview", issue, "--no-open")
    publication.run("issue", "approve", issue)


def wait_until_sent(server: PrefectServer, publication: Publication, count: int) -> None:
    wait_until(lambda: len(publication.mails()) == count, "not delivered", seconds=PATIENCE)
    wait_until(
        lambda: len(runs_of(server, "deliver-pending", "COMPLETED")) == count,
        "not ended",
        seconds=PATIENCE,
    )


def test_what_is_approved_goes_out_by_itself_also_after_the_run_that_watched_was_killed(
    publication: Publication, warm_python: str
) -> None:
    publication.add_many_subscribers(1)
    (publication.home / "flows/waits.py").write_text(WAITING_FLOW)
    with (publication.home / "prefect.yaml").open("a") as file:
        file.write("\n  - name: own\n    entrypoint: flows/waits.py:waits\n")
    with PrefectServer(publication.home, python=warm_python) as server:
        waits = server.start("waits/own")
        server.wait_for_state(waits, "PAUSED")
        asked = datetime.now(UTC)
        first = watching(server)
        version = server.request("GET", f"/deployments/name/{WATCH}")["version"]
        assert version.endswith(f"upcycle-news {__version__}")
        approve_an_issue(publication, "Was vom Bahnhof bleibt", today())
        wait_until_sent(server, publication, 1)

        server.kill_run(first)
        server.wait_for_state(first, "CRASHED")
        approve_an_issue(publication, "Die Schule am Rand", f"{today()}-2")
        begin_standby_now(server)
        wait_until_sent(server, publication, 2)

        # 'Run' checks once and ends, beside the run that stays; the newer one of two that stay goes on.
        second = watching(server)
        state = server.wait_for_state(server.start(WATCH), *ENDED)
        assert state["type"] == "COMPLETED", state["message"]
        assert server.state(second)["type"] == "RUNNING"
        third = server.start(WATCH, stay_minutes=65)
        state = server.wait_for_state(second, *ENDED)
        assert (state["type"], state["name"]) == ("COMPLETED", "Completed"), state["message"]
        assert watching(server) == third
        assert server.wait_for_state(server.start(DELIVERY), *ENDED)["name"] == "NothingPending"

        number = server.request("GET", f"/deployments/name/{WATCH}")["id"]
        server.request("POST", f"/deployments/{number}/pause_deployment")
        assert server.wait_for_state(third, *ENDED)["type"] == "COMPLETED"
        wait_until(lambda: not standbys(server), "a paused watch has a standby", seconds=PATIENCE)
        assert len(runs_of(server, "deliver-pending", *ENDED)) == 3, (
            "one for each issue, one by hand"
        )

        # The time in which a run waits for an answer does not count for its timeout.
        wait_until(lambda: datetime.now(UTC) - asked > timedelta(seconds=40), "no time passes")
        server.submit_form(waits, word="yes")
        state = server.wait_for_state(waits, *ENDED, after=server.resumed_at)
        assert state["type"] == "COMPLETED", state["message"]


def test_prefects_buttons_do_what_the_page_says(publication: Publication, warm_python: str) -> None:
    publication.write_essay()
    readers = publication.add_many_subscribers(2)
    with PrefectServer(publication.home, python=warm_python) as server:
        waits = server.start("publish-issue/thursday")
        server.wait_for_state(waits, "PAUSED")

        second = server.wait_for_state(server.start("publish-issue/thursday"), *ENDED)
        assert (second["type"], second["name"]) == ("COMPLETED", "InOtherHands")
        assert waits in second["message"]

        # Cancelled: the next run takes the issue over, and asks.
        cancelled = {"type": "CANCELLED", "name": "Cancelled"}
        server.request("POST", f"/flow_runs/{waits}/set_state", {"state": cancelled, "force": True})
        waits = server.start("publish-issue/thursday")
        server.wait_for_state(waits, "PAUSED", *ENDED)
        assert server.state(waits)["type"] == "PAUSED"

        # Prefect's database is lost: nothing is held by what it does not know any more.
        server.stop()
        for left in server.prefect_home.glob("prefect.db*"):
            left.unlink()
        server.ensure_running()
        waits = server.start("publish-issue/thursday")
        server.wait_for_state(waits, "PAUSED", *ENDED)
        assert server.state(waits)["type"] == "PAUSED"

        # A paused deployment makes no runs; the one that waits goes on when it is approved.
        number = server.request("GET", "/deployments/name/publish-issue/thursday")["id"]
        server.request("POST", f"/deployments/{number}/pause_deployment")
        server.submit_form(waits, decision="send", name="Anna")
        state = server.wait_for_state(waits, *ENDED, after=server.resumed_at)
        assert "an 2 von 2 verschickt" in state["message"]
        planned = {"state": {"type": {"any_": ["SCHEDULED"]}}}
        body = {"deployments": {"id": {"any_": [number]}}, "flow_runs": planned}
        assert server.request("POST", "/flow_runs/count", body) == 0

        # A retry of a run that has sent, and another run: nobody gets anything.
        ended = state["timestamp"]
        server.retry_run(waits)
        state = server.wait_for_state(waits, *ENDED, after=ended)
        assert (state["type"], state["name"]) == ("COMPLETED", "AlreadySent")
    assert publication.recipients() == readers

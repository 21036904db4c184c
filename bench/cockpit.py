"""The flows end to end: a real Prefect server and runner, approvals, timeouts, crashes.

    .venv/bin/python bench/cockpit.py [--readers 10000] [--only approval,timeouts,alarms,doubles,crashes]

Everything lies in a temporary folder and what was started is stopped by its process id. Prints a
line for each expectation and exits with 1 when one fails.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.flows.prefect_server import PrefectServer
from tests.publications import Publication, create_publication, relay_variables
from tests.services.delivery.sink_relay import Sink

failed: list[str] = []
OPERATOR = "betrieb@example.org"  # gets alert mails
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def expect(what: str, passed: bool, detail: str = "") -> None:
    print(
        f"{'ok    ' if passed else 'FAILED'}  {what}{'  – ' + detail if detail else ''}", flush=True
    )
    if not passed:
        failed.append(what)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--readers", type=int, default=10_000)
    parser.add_argument("--only", default="approval,timeouts,alarms,doubles,crashes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Sink() as sink:
        publication = Publication(
            create_publication(Path(folder) / "umbaupost"), lambda: datetime.now(UTC)
        )
        os.chdir(publication.home)
        settings = {**relay_variables(sink.port), "COCKPIT__OPERATORS": "betrieb"}
        environment = {f"UPCYCLE_NEWS_{k}": v for k, v in settings.items()}
        with PrefectServer(publication.home, environment) as server:
            for name in arguments.only.split(","):
                print(f"--- {name}", flush=True)
                globals()[name](publication, server, sink, arguments.readers)
            addresses(server)
    return 1 if failed else 0


def approval(publication: Publication, server: PrefectServer, sink: Sink, readers: int) -> None:
    publication.add_many_subscribers(3)
    publication.write_essay("Erster Text")
    began = time.monotonic()
    run = server.start("publish-issue/thursday")
    state = server.wait_for_state(run, "PAUSED")
    expect(
        "a run waits for an approval",
        state["name"] == "Suspended",
        f"{time.monotonic() - began:.1f} s",
    )
    form = server.form_markdown(run, state)
    expect(
        "the form tells subject, readers and a link",
        all(w in form for w in ("Erster Text", "**3** Leserinnen", "/preview/")),
    )
    began = time.monotonic()
    server.submit_form(run, decision="send", name="Anna")
    state = server.wait_for_state(run, *ENDED)
    expect(
        "approved: sent",
        "sent to 3 of 3" in state["message"],
        f"{state['message']}; {time.monotonic() - began:.1f} s",
    )
    expect("the mails arrived once", sorted(map(len, sink.accepted.values())) == [1, 1, 1])
    kinds = {
        artifact["key"].rpartition("-")[2]
        for artifact in server.request("POST", "/artifacts/filter", {})
    }
    expect("progress, report and link are there", {"progress", "report", "archive"} <= kinds)

    publication.write_essay("Zweiter Text")
    run = server.start("publish-issue/thursday")
    server.wait_for_state(run, "PAUSED")
    server.submit_form(run, decision="reject", name="Bert")
    state = server.wait_for_state(run, *ENDED)
    expect(
        "rejected: Cancelled, with a sentence",
        (state["type"], state["name"]) == ("CANCELLED", "Rejected"),
        state["message"],
    )

    publication.write_essay("Zweiter Text", text="Neu geschrieben.\n")
    run = server.start("publish-issue/thursday")
    server.wait_for_state(run, "PAUSED")
    publication.write_essay("Zweiter Text", text="Noch einmal anders.\n")
    server.submit_form(run, decision="send")
    state = server.wait_for_state(run, "PAUSED", after=server.resumed_at)
    expect(
        "changed meanwhile: asked again, with the changes",
        "zweiter-text" in server.form_markdown(run, state),
    )
    sent = sink.count
    done = _approve(publication, server)
    state = server.wait_for_state(run, *ENDED)
    expect(
        "approved on the command line: the run is resumed",
        sink.count == sent + 3,
        f"{done}; {state['message']}",
    )


def timeouts(publication: Publication, server: PrefectServer, sink: Sink, readers: int) -> None:
    publication.add_many_subscribers(3)
    publication.write_essay("Dritter Text")
    run = server.start("publish-issue/thursday")
    server.wait_for_state(run, "PAUSED")
    with sqlite3.connect(publication.home / "var/upcycle.db") as store:
        store.execute(
            "UPDATE approval_requests SET expires_at = ? WHERE answer = ''",
            ("2026-01-01 00:00:00.000000",),
        )
    watch = server.start("watch/around-the-clock")
    server.wait_for_state(watch, *ENDED)
    state = server.wait_for_state(run, *ENDED)
    expect("no answer: Cancelled, with a sentence", state["name"] == "TimedOut", state["message"])
    run = server.start("publish-issue/thursday", approve=True)
    state = server.wait_for_state(run, *ENDED)
    expect("a new run sends it", "sent to 3 of 3" in (state["message"] or ""), state["message"])


def _approve(publication: Publication, server: PrefectServer) -> str:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "upcycle-news"), "issue", "approve"],
        cwd=publication.home, env=server.environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return (done.stderr.strip() or done.stdout.strip()).splitlines()[-1]


def alarms(publication: Publication, server: PrefectServer, sink: Sink, readers: int) -> None:
    consent = ("--consent", "letter of 3 May 2026", "--group", "betrieb")
    publication.run("subscribers", "add", OPERATOR, *consent)
    program = str(Path(sys.executable).parent / "upcycle-news")
    for _ in range(2):  # the second time replaces them
        subprocess.run(
            [program, "alarms", "apply", "deploy/automations.yaml"],
            cwd=publication.home, env=server.environment, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    count = server.request("POST", "/automations/count", {})
    expect("automations are created once", count == 2, f"{count}")
    publication.write_essay("Zu spät")
    began = time.monotonic()
    run = server.start("publish-issue/thursday", at=datetime.now(UTC) - timedelta(days=3))
    server.wait_for_state(run, *ENDED)
    server.wait_for_state(server.start("watch/around-the-clock"), *ENDED)
    while OPERATOR not in sink.accepted and time.monotonic() - began < 180:
        time.sleep(1)
    delay = f"{time.monotonic() - began:.0f} s after the run was started"
    expect("the operators got a mail", OPERATOR in sink.accepted, delay)


def subscriber_mails(sink: Sink) -> int:
    """Return the number of mails to subscribers, without those to operators."""
    return sum(len(ids) for address, ids in sink.accepted.items() if address != OPERATOR)


def doubles(publication: Publication, server: PrefectServer, sink: Sink, readers: int) -> None:
    publication.add_many_subscribers(3)
    publication.write_essay("Zwei auf einmal")
    before = subscriber_mails(sink)
    now = datetime.now(UTC)
    runs = [server.start("publish-issue/thursday", at=now, approve=True) for _ in range(2)]
    states = [server.wait_for_state(run, *ENDED) for run in runs]
    expect(
        "two runs for one second: one issue",
        subscriber_mails(sink) == before + 3,
        " | ".join(f"{s['name']}: {s['message']}" for s in states),
    )

    publication.write_essay("Nach dem Ausfall")
    runs = [
        server.start("publish-issue/thursday", at=now - timedelta(days=7 * n), approve=True)
        for n in range(1, 6)
    ]
    states = [server.wait_for_state(run, *ENDED) for run in runs]
    expect(
        "five late runs after an outage send nothing",
        {s["name"] for s in states} == {"Late"} and subscriber_mails(sink) == before + 3,
        states[0]["message"],
    )
    runs = [
        server.start("publish-issue/thursday", at=now - timedelta(minutes=n), approve=True)
        for n in range(1, 6)
    ]
    states = [server.wait_for_state(run, *ENDED) for run in runs]
    expect(
        "five runs late by minutes: one issue",
        subscriber_mails(sink) == before + 6,
        ", ".join(s["name"] for s in states),
    )


def crashes(publication: Publication, server: PrefectServer, sink: Sink, readers: int) -> None:
    publication.add_many_subscribers(readers)
    for what, kill in (
        ("the flow's process", server.kill_run),
        ("the runner", server.kill_runner),
        ("the server", server.kill_server),
    ):
        publication.write_essay(f"Absturz von {what}".replace("'", ""))
        sink.accepted.clear()
        count_before = sink.count
        run = server.start("publish-issue/thursday", approve=True)
        sink.wait_for(count_before + readers // 5, 120)
        kill(run)
        killed = sink.count - count_before
        server.ensure_running()
        if kill == server.kill_run:
            state = server.wait_for_state(run, *ENDED)
            server.retry_run(run)
            state = server.wait_for_state(run, *ENDED, after=state["timestamp"])
        else:
            state = server.wait_for_process_end(run)
            other = server.start("deliver-pending/when-due")
            state = server.wait_for_state(other, *ENDED)
        status = publication.run("issue", "status", "--json").json
        mails = [ids for address, ids in sink.accepted.items() if address != OPERATOR]
        twice = sum(len(ids) > 1 for ids in mails)
        counts = {key: status[key] for key in ("audience", "sent", "unknown", "queued")}
        expect(
            f"kill -9 of {what} while sending: no second mail, all deliveries accounted for",
            twice == 0 and status["closed"],
            f"killed after {killed}; {counts}; {state['name']}",
        )


def addresses(server: PrefectServer) -> None:
    files = [
        path.name
        for path in server.prefect_home.rglob("*")
        if path.is_file() and b"@example.org" in path.read_bytes()
    ]
    size = sum(path.stat().st_size for path in server.prefect_home.glob("prefect.db*"))
    expect(
        "no test address in Prefect's database, logs and results",
        not files,
        f"{size / 1e6:.1f} MB searched {files or ''}",
    )


if __name__ == "__main__":
    sys.exit(main())

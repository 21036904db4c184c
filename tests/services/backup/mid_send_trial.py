"""Back up during a send, lose or replace the store, restore, and count the mails at the relay."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

from upcycle_news.app.context import AppContext, utc_now
from upcycle_news.config.settings import load_settings
from upcycle_news.models import IssueId, Relay
from upcycle_news.services.delivery.worker_job import WorkerJob, encode_job
from upcycle_news.services.runs.admission import admit_run
from upcycle_news.services.runs.pending import pending_issues

from ...fork_server import ForkedPython
from ...publications import CommandResult, Publication
from ..delivery.kill_trial import ISSUE, prepare, trial_environment
from ..delivery.sink_relay import Sink

# What happens to the store after the backup: its disk is lost, or it still exists and is replaced.
Fate = Literal["lost", "replaced"]
TRIED = (
    ("issue", "send", ISSUE, "--yes", "--no-collect"),
    ("issue", "send", "2026-11-27", "--yes", "--no-collect"),
    ("issue", "resume", ISSUE),
    ("issue", "resend", ISSUE, "--state", "unknown"),
)


@dataclass
class Outcome:
    """The result of a trial; the sets hold addresses as the relay saw them."""

    readers: int
    seen_before: set[str] = field(default_factory=set)
    in_backup: set[str] = field(default_factory=set)
    seen_after_send: set[str] = field(default_factory=set)
    restored: dict[str, Any] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    sent_while_held: int = 0
    sent_by_confirming: int = 0
    status: dict[str, Any] = field(default_factory=dict)
    unknown: list[dict[str, Any]] = field(default_factory=list)
    resent: set[str] = field(default_factory=set)
    final_status: dict[str, Any] = field(default_factory=dict)
    copies: dict[str, list[str]] = field(default_factory=dict)


def trial(
    home: Path, *, readers: int, fate: Fate, store: str = "", killed: bool = False
) -> Outcome:
    """Send to `readers`, back up after a third, end or kill the send, restore, confirm, resend."""
    prepare(home, readers, "hold", store)
    outcome = Outcome(readers)
    with Sink() as sink:
        variables = trial_environment(home, store, sink.port, 4)
        environment = {**os.environ, **variables}

        def run(*arguments: str, code: int = 0) -> CommandResult:
            with patch.dict(os.environ, variables):
                return Publication(home, utc_now).run(*arguments, code=code)

        sending = ForkedPython(
            command("issue", "resume", ISSUE), env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        # SIGSTOP makes sure that the backup happens during the send; for our code it looks like a
        # moment in which the process got no processor time.
        while not sink.wait_for(readers // 3):
            assert sending.poll() is None
        os.killpg(sending.pid, signal.SIGSTOP)
        outcome.seen_before = set(sink.accepted)
        backup = run("backup", "--json").json["file"]
        os.killpg(sending.pid, signal.SIGCONT)
        if killed:
            while not sink.wait_for(2 * readers // 3):
                assert sending.poll() is None
            os.killpg(sending.pid, signal.SIGKILL)
        sending.wait()
        outcome.in_backup = _sent_in(Path(backup), home)
        outcome.seen_after_send = set(sink.accepted)
        count = sink.count

        if fate == "lost":
            _lose(home, store)
        arguments = ("--yes", "--json") if fate == "replaced" else ("--json",)
        outcome.restored = run("restore", backup, *arguments).json
        _write_another_essay(home)
        for arguments in TRIED:
            outcome.refused.append(run(*arguments, code=1).err.strip())
        with (
            patch.dict(os.environ, trial_environment(home, store, sink.port)),
            AppContext(load_settings(home)) as context,
        ):
            assert pending_issues(context) == []
            begun = admit_run(
                context, "next", planned_at=context.clock(), run="trial", max_lateness_hours=0
            )
            assert begun.ended is not None
            outcome.refused.append(begun.ended.message)
        relay = Relay("main", "127.0.0.1", sink.port, "none")
        job = WorkerJob(relay, 1, wait_seconds=0.0, accepted_before=True)
        worker = subprocess.run(
            [sys.executable, "-m", "upcycle_news.services.delivery.worker_process"],
            env=environment, input=encode_job(IssueId.parse(ISSUE), job) + "\n", capture_output=True, text=True,
        )  # fmt: skip
        outcome.refused.append(worker.stdout)
        outcome.sent_while_held = sink.count - count
        outcome.status = run("issue", "status", ISSUE, "--json").json
        outcome.unknown = run("issue", "status", ISSUE, "--list", "unknown", "--json").lines

        run("store", "confirm", "--yes")
        run("issue", "resume", ISSUE)
        outcome.sent_by_confirming = sink.count - count
        before = {address: len(ids) for address, ids in sink.accepted.items()}
        run("issue", "resend", ISSUE, "--state", "unknown")
        outcome.resent = {
            address for address, ids in sink.accepted.items() if len(ids) > before.get(address, 0)
        }
        outcome.final_status = run("issue", "status", ISSUE, "--json").json
        outcome.copies = dict(sink.accepted)
    return outcome


def command(*arguments: str) -> list[str]:
    """The command line as a process of its own."""
    return [str(Path(sys.executable).parent / "upcycle-news"), *arguments]


def _write_another_essay(home: Path) -> None:
    text = "---\ntitle: Ein zweiter\nauthor: Redaktion\ndate: 2026-11-25\nstatus: ready\n---\n\nText.\n"
    (home / "content/essays/2026-11-25-ein-zweiter.md").write_text(text, encoding="utf-8")


def _sent_in(backup: Path, home: Path) -> set[str]:
    """Return the addresses with state sent in the backup, read without our own code."""
    import sqlite3

    with tarfile.open(backup) as archive:
        archive.extract("store.db", home / "unpacked", filter="data")
    with sqlite3.connect(home / "unpacked/store.db") as connection:
        rows = connection.execute(
            "SELECT email FROM subscribers JOIN deliveries ON subscribers.id = subscriber_id "
            "WHERE state = 'sent'"
        ).fetchall()
    return {row[0] for row in rows}


def _lose(home: Path, store: str) -> None:
    """Delete the store and its secrets; the backup was elsewhere."""
    for path in (*home.glob("var/secrets/*"), *home.glob("var/*.db*")):
        path.unlink()
    if store.startswith("sqlite"):
        for ending in ("", "-wal", "-shm"):
            Path(store.removeprefix("sqlite:///") + ending).unlink(missing_ok=True)
    if store.startswith("postgresql"):
        import psycopg

        with psycopg.connect(store.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")

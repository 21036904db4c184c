"""Kill workers at random moments, resume, and compare with what the relay has accepted."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

from upcycle_news.app.context import AppContext
from upcycle_news.config.settings import load_settings
from upcycle_news.models import EmailAddress, IssueId
from upcycle_news.scaffold.layout import init_publication
from upcycle_news.services.delivery import send
from upcycle_news.services.issues import approval, compose, render
from upcycle_news.storage import subscribers
from upcycle_news.storage.subscribers import NewSubscriber

from ... import fork_server
from ...fork_server import ForkedPython
from ...waiting import wait_until
from .sink_relay import Sink

ISSUE = "2026-11-26"
SETTINGS = """\
[publication]
name = "Umbaupost"
public_url = "https://umbaupost.example.net"
[sender]
address = "post@umbaupost.example.net"
[imprint]
lines = ["Umbau e. V., Lange Straße 1, 12345 Musterstadt"]
[retry]
unknown = "{policy}"
first_seconds = 0.2
"""


@dataclass
class Outcome:
    """What a trial came to. `inside`: kills strictly between the first and the last message."""

    readers: int
    kills: int
    connections: int
    inside: int = 0
    forgotten: list[str] = field(default_factory=list)
    doubled: dict[str, list[str]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    unknown_seen: int = 0
    status: dict[str, Any] = field(default_factory=dict)
    kill_points: list[int] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def same_message_id(self) -> bool:
        return all(len(set(ids)) == 1 for ids in self.doubled.values())


def prepare(home: Path, readers: int, policy: str, store: str) -> list[str]:
    """A publication with a queued issue; the readers' addresses."""
    init_publication(home, name="Umbaupost", today=date(2026, 11, 1))
    (home / "newsletter.toml").write_text(SETTINGS.format(policy=policy), encoding="utf-8")
    (home / "content/feeds.toml").write_text("", encoding="utf-8")
    for essay in (home / "content/essays").glob("*.md"):
        text = essay.read_text(encoding="utf-8")
        essay.write_text(text.replace("status: draft", "status: ready"), encoding="utf-8")
    addresses = [f"reader{number}@example.org" for number in range(readers)]
    with (
        patch.dict(os.environ, trial_environment(home, store, 1)),
        AppContext(load_settings(home)) as context,
    ):
        new = (NewSubscriber(EmailAddress(address)) for address in addresses)
        subscribers.add_subscribers(
            context.store, new, source="trial", now=context.clock(), dry_run=False
        )
        issue = IssueId.parse(ISSUE)
        rendered = render.render_revision(context, compose.compose_issue(context, issue))
        approval.approve(context, rendered, by="trial", composed_now=True)
        send.enqueue(context, rendered)
    return addresses


def trial_environment(home: Path, store: str, port: int, connections: int = 1) -> dict[str, str]:
    variables = {
        "HOME": str(home),
        "STORE": store,
        "RELAYS__MAIN__HOST": "127.0.0.1",
        "RELAYS__MAIN__PORT": str(port),
        "RELAYS__MAIN__SECURITY": "none",
        "RELAYS__MAIN__CONNECTIONS": str(connections),
    }
    return {f"UPCYCLE_NEWS_{name}": value for name, value in variables.items() if value}


def trial(
    home: Path, *, readers: int, kills: int, policy: str, store: str = "", connections: int = 4,
    seed: int = 1, senders: int = 1,
) -> Outcome:  # fmt: skip
    """Send to `readers`, killed `kills` times, each time at a random count of accepted messages.

    `senders` at a time, started at once. Most kills take a sender with its worker processes, some
    the first process alone.
    """
    addresses = prepare(home, readers, policy, store)
    chance = random.Random(seed)
    points = sorted(chance.sample(range(1, readers), kills))
    outcome = Outcome(readers, kills, connections * senders, kill_points=points)
    begun = time.monotonic()
    with Sink() as sink:
        environment = {**os.environ, **trial_environment(home, store, sink.port, connections)}
        for point in points:
            running = [_resume(environment) for _ in range(senders)]
            while not sink.wait_for(point) and any(process.poll() is None for process in running):
                pass
            outcome.inside += 0 < sink.count < readers and any(
                process.poll() is None for process in running
            )
            for process in running:
                _kill(process, alone=chance.random() < 0.2)
        _until_closed(environment)
        outcome.seconds = time.monotonic() - begun
        _count(outcome, addresses, sink, environment)
    return outcome


def _resume(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return ForkedPython(
        upcycle_news("resume", ISSUE),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def upcycle_news(*arguments: str) -> list[str]:
    """The command line of an `issue` command."""
    return [str(Path(sys.executable).parent / "upcycle-news"), "issue", *arguments]


def _kill(process: subprocess.Popen[bytes], *, alone: bool) -> None:
    try:
        if alone:
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def _until_closed(environment: dict[str, str]) -> None:
    def resumed_and_closed() -> bool:
        fork_server.run(upcycle_news("resume", ISSUE), env=environment, capture_output=True)
        return bool(status_of(environment, "status")[0]["closed"])

    wait_until(resumed_and_closed, "the issue never closed", interval=0.5)


def status_of(environment: dict[str, str], command: str, *more: str) -> list[Any]:
    done = fork_server.run(
        upcycle_news(command, ISSUE, *more, "--json"),
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines()]


def _count(outcome: Outcome, addresses: list[str], sink: Sink, environment: dict[str, str]) -> None:
    [outcome.status] = status_of(environment, "status")
    listed = status_of(environment, "status", "--list", "unknown")
    outcome.unknown = [row["email"] for row in listed]
    outcome.unknown_seen = sum(1 for address in outcome.unknown if address in sink.accepted)
    unknown = set(outcome.unknown)
    outcome.forgotten = [
        address for address in addresses if address not in sink.accepted and address not in unknown
    ]
    outcome.doubled = {who: ids for who, ids in sink.accepted.items() if len(ids) > 1}

"""A simulated year: the process of `year_process` from outside, killed at random, and what is left at its end."""

from __future__ import annotations

import functools
import http.server
import json
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg

from upcycle_news.app.context import AppContext
from upcycle_news.config.settings import load_settings
from upcycle_news.models import DeliveryState, EmailAddress, IssueStatus
from upcycle_news.models.archive_paths import issue_path
from upcycle_news.storage import deliveries, issues
from upcycle_news.storage.subscribers import NewSubscriber, add_subscribers

from ..processes import end_with_parent
from ..publications import SETTINGS, create_publication, issue_status
from ..services.delivery.sink_relay import Sink
from .year_process import PUBLISH, WORLD, ZONE, Plan, moments, save_plan

ROOT = Path(__file__).resolve().parents[2]
KEEP, CONNECTIONS = 14, 4
MORE_SETTINGS = f"""
[inbox]
maildir = "inbox"

[feeds]
allow_private = true

[backup]
keep = {KEEP}
"""


@dataclass
class Outcome:
    """What is left after the simulated time, and what went out in it.

    `mails` holds the recipients of each issue as the relay took them, `statuses` the closing sums, `results`
    how each run ended, `killed` the kinds of what was killed, and `sizes` bytes.
    """

    plan: Plan
    mails: dict[str, list[str]]
    statuses: dict[str, IssueStatus]
    results: list[dict[str, Any]]
    killed: list[str]
    archived: set[str]
    backups: int
    sizes: dict[str, int]
    seconds: float
    unknown: dict[str, set[str]]

    def due(self, week: int) -> set[str]:
        """Return the addresses of those who are to get the issue of a week."""
        return set(map(self.plan.address, self.plan.members(week)))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [result for result in self.results if result["kind"] == kind]

    def faults(self) -> list[str]:
        """Return a sentence for each promise that was broken."""
        return [*self._faults_of_issues(), *self._faults_of_runs()]

    def _faults_of_issues(self) -> Iterator[str]:
        days = [date.fromisoformat(self.plan.begin) + timedelta(days=6 + 7 * n) for n in range(self.plan.weeks)]  # fmt: skip
        if list(self.statuses) != [str(day) for day in days]:
            yield f"not an issue for each Thursday: {list(self.statuses)}"
        for week, (issue, status) in enumerate(self.statuses.items()):
            got, due, unknown = (
                Counter(self.mails.get(issue, ())),
                self.due(week),
                self.unknown[issue],
            )
            if twice := sum(count > 1 for count in got.values()):
                yield f"{issue}: {twice} got it twice"
            if others := got.keys() - due:
                yield f"{issue}: {len(others)} got it who are not due"
            if missed := due - got.keys() - unknown:
                yield f"{issue}: {len(missed)} did not get it"
            if not status.closed or status.audience != len(due):
                yield f"{issue}: not closed, or its sum is wrong: {status}"
            if len(unknown) > CONNECTIONS * self._kills_of(issue):
                yield f"{issue}: {len(unknown)} deliveries are unknown"
        if missing := self.statuses.keys() - self.archived:
            yield f"not in the archive: {sorted(missing)}"

    def _kills_of(self, issue: str) -> int:
        """Return how often the process was killed while it sent an issue: one may be killed twice."""
        return sum(
            result["state"] == "KILLED" and result["at"].startswith(issue)
            for result in self.of(PUBLISH)
        )

    def _faults_of_runs(self) -> Iterator[str]:
        for result in self.results:
            # After a kill in mid-send deliver-pending names the deliveries of which nobody knows.
            expected = result["name"] == "Halted" and any(self.unknown.values())
            if result["state"] not in ("COMPLETED", "KILLED") and not expected:
                yield f"{result['kind']} at {result['at']}: {result['name']}, {result['message']}"
        published = [datetime.fromisoformat(one["at"]).astimezone(ZONE) for one in self.of(PUBLISH)]
        if {(at.hour, at.minute) for at in published} != {(7, 30)}:
            yield f"not at half past seven: {published}"
        for kind in ("backup", "tidy"):
            nights = [
                datetime.fromisoformat(one["at"]).astimezone(ZONE).date() for one in self.of(kind)
            ]
            if len(nights) != len(set(nights)) or len(nights) != 7 * self.plan.weeks:
                yield f"{kind}: {len(nights)} runs in {len(set(nights))} nights"
        if self.backups > KEEP:
            yield f"{self.backups} backups are kept"


def simulate(
    folder: Path, plan: Plan, *, python: str, store: str = "", kills: int = 0, sending_kills: int = 0, seed: int = 1
) -> Outcome:  # fmt: skip
    """Live the plan in `folder` in processes of this Python, killed `kills` times, `sending_kills` of them in the middle of an issue."""
    chance = random.Random(seed)
    begun = time.monotonic()
    with Sink() as sink, feed_site(folder / "feeds") as site:
        home = prepare(folder, plan, store, site)
        environment = {**os.environ, **variables(home, store, sink.port)}
        to_kill = random_kills(plan, kills, sending_kills, chance)
        killed: list[str] = []
        while not live(python, folder, environment, sink, to_kill, killed, chance):
            pass
        mails: dict[str, list[str]] = {}
        for address, ids in sink.accepted.items():
            for message_id in ids:
                if message_id[:1] == "2":  # a confirmation's begins with another word
                    mails.setdefault(message_id.partition(".")[0], []).append(address)
        with (
            patch.dict(os.environ, variables(home, store, sink.port)),
            AppContext(load_settings(home)) as context,
        ):
            return outcome(plan, context, mails, killed, time.monotonic() - begun)


def prepare(folder: Path, plan: Plan, store: str, site: str) -> Path:
    """Make the publication with its first readers and feeds."""
    home = create_publication(Path(plan.home))
    (home / "newsletter.toml").write_text(
        SETTINGS.replace("[sender]\n", '[sender]\nverp = true\nenvelope = "b@umbaupost.example.net"\n')
        + MORE_SETTINGS,
        encoding="utf-8",
    )  # fmt: skip
    for name in ("tmp", "new", "cur"):
        (home / "inbox" / name).mkdir(parents=True)
    feeds = (f'[[feeds]]\nname = "Quelle {n}"\nurl = "{site}/feed{n}.xml"\n' for n in range(3))
    (home / "content/feeds.toml").write_text("\n".join(feeds), encoding="utf-8")
    save_plan(plan, folder / "plan.json")
    with (
        patch.dict(os.environ, variables(home, store, 1)),
        AppContext(load_settings(home), clock=lambda: plan.first) as context,
    ):
        people = (NewSubscriber(EmailAddress.parse(plan.address(n))) for n in plan.members(0))
        add_subscribers(context.store, people, source="list", now=plan.first, dry_run=False)
    return home


def variables(home: Path, store: str, port: int) -> dict[str, str]:
    values = {
        "HOME": str(home),
        "STORE": store,
        "RELAYS__MAIN__HOST": "127.0.0.1",
        "RELAYS__MAIN__PORT": str(port),
        "RELAYS__MAIN__SECURITY": "none",
        "RELAYS__MAIN__CONNECTIONS": str(CONNECTIONS),
        "RELAYS__MAIN__PROCESSES": "1",  # a further process would not have the clock
    }
    return {f"UPCYCLE_NEWS_{name}": value for name, value in values.items() if value}


@contextmanager
def feed_site(folder: Path) -> Iterator[str]:
    """Serve the files of a folder on loopback."""
    folder.mkdir(parents=True)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def random_kills(plan: Plan, kills: int, sending_kills: int, chance: random.Random) -> set[int]:
    """Return the numbers of the events that are killed: some issues in the middle, and any other runs."""
    numbered = list(enumerate(moments(plan)))
    # The first issue and the last are left alone: nothing has grown yet, and the last shows that all goes on.
    publishing = [number for number, moment in numbered if moment.kind == PUBLISH][1:-1]
    publishing = [n for week, n in enumerate(publishing, 1) if not plan.approved_by_hand(week)]
    others = [number for number, moment in numbered if moment.kind not in (PUBLISH, WORLD)]
    return {
        *chance.sample(publishing, sending_kills),
        *chance.sample(others, kills - sending_kills),
    }


def live(
    python: str,
    folder: Path,
    environment: Mapping[str, str],
    sink: Sink,
    to_kill: set[int],
    killed: list[str],
    chance: random.Random,
) -> bool:
    """Run the process until it ends (True) or is killed (False); raises when it ends otherwise."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [python, "-W", "ignore", "-m", "tests.flows.year_process", str(folder / "plan.json")],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log, text=True,
            start_new_session=True, preexec_fn=end_with_parent,
        )  # fmt: skip
    assert process.stdout is not None
    with process:
        for line in process.stdout:
            number, _, kind = line.strip().partition(" ")
            if kind == "end":
                return True
            if int(number) not in to_kill:
                continue
            to_kill.discard(int(number))
            if kind == PUBLISH:
                readers = len(sink.accepted)
                target = sink.count + chance.randrange(readers // 5, readers * 4 // 5)
                while not sink.wait_for(target) and process.poll() is None:
                    pass
            else:
                time.sleep(chance.uniform(0.0, 0.05))
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            killed.append(kind)
            return False
    raise AssertionError((folder / "log").read_text(errors="replace")[-3000:])


def outcome(
    plan: Plan, context: AppContext, mails: dict[str, list[str]], killed: list[str], seconds: float
) -> Outcome:
    """Return what is left."""
    home = Path(plan.home)
    folder, state = home.parent, home / "var"
    rows = issues.all_issues(context.store)
    archive = state / "archive"
    lines = (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()
    return Outcome(
        plan=plan,
        mails=mails,
        statuses={str(row.id): issue_status(context, row.id) for row in rows},
        unknown={
            str(row.id): {
                one.address.address
                for one in deliveries.list_deliveries(context.store, row.id, DeliveryState.UNKNOWN)
                if one.address is not None
            }
            for row in rows
        },
        results=[json.loads(line) for line in lines],
        killed=killed,
        archived={
            str(row.id)
            for row in rows
            if (archive / issue_path(str(row.id)) / "index.html").is_file()
        },
        backups=len(list((state / "backups").glob("*.tar.gz"))),
        sizes={
            "store": store_bytes(context),
            "backups": tree_bytes(state / "backups"),
            "archive": tree_bytes(archive),
            "var": tree_bytes(state),
            "log": (folder / "log").stat().st_size,
        },
        seconds=seconds,
    )


def store_bytes(context: AppContext) -> int:
    """Return the size of the store: the database of Postgres, or SQLite's files."""
    url = context.settings.store_url
    if not url.startswith("postgresql"):
        context.store.close()
        return tree_bytes(context.settings.state, "upcycle.db*")
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    assert row is not None
    return int(row[0])


def tree_bytes(folder: Path, pattern: str = "*") -> int:
    return sum(path.stat().st_size for path in folder.rglob(pattern) if path.is_file())

"""The process of a simulated year: runs what prefect.yaml schedules, at the times that it says.

`python -m tests.flows.year_process PLAN` with the variables of the publication. The flows are those of the
program, called as functions: tasks are plain calls, and what they would tell Prefect is dropped. Time is
injected; it goes on by what is waited for and by the seconds that the work really takes.

Before each event a line `NUMBER KIND` is written to standard output. The number of the event lies in a file, so
that the process can be killed at any moment and started again: a run that was killed stays ended, and the run of
watch that stands by begins four minutes later, as Prefect would start it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import yaml

from upcycle_news.api import App
from upcycle_news.app.context import AppContext
from upcycle_news.config.settings import Settings
from upcycle_news.diagnostics import scheduled
from upcycle_news.diagnostics.runner import run_checks
from upcycle_news.errors import UpcycleError
from upcycle_news.models import EmailAddress
from upcycle_news.prefect_api.schedules import Schedule, function_of, next_times
from upcycle_news.storage import issues, subscribers
from upcycle_news.subscribers.link_tokens import Purpose

from ..bounces import sample_reports
from ..services.feeds.weekly import rss

ZONE = ZoneInfo("Europe/Berlin")
STANDBY = timedelta(minutes=4)
HOURLY = ("collect_feeds", "collect_essays", "collect_bounces", "watch")
PUBLISH, DIGEST, WORLD = "publish_issue", "digest", "world"
COSTLY = ("checkup", "collect_feeds", "build_archive", DIGEST)


@dataclass(frozen=True)
class Plan:
    """What is simulated: `weeks` from `begin`, a Friday, and of the hourly runs one in `every` hours.

    Where not every hour is simulated, feeds, archive and doctor have their turn on Mondays only (feeds and archive
    also with each issue): they take most of the time. A week has `joining` new readers, `leaving` who leave, and `bouncing` whose address is gone; at the begin
    there are `readers`. In one issue of four an editor approves after the run has asked.
    """

    home: str
    begin: str
    weeks: int
    readers: int
    joining: int
    leaving: int
    bouncing: int
    every: int

    @property
    def first(self) -> datetime:
        """The first moment: noon in Berlin, a Friday."""
        return datetime.fromisoformat(self.begin).replace(hour=12, tzinfo=ZONE).astimezone(UTC)

    @property
    def last(self) -> datetime:
        """The last moment: noon, after the last issue."""
        end = date.fromisoformat(self.begin) + timedelta(weeks=self.weeks)
        return datetime(end.year, end.month, end.day, 12, tzinfo=ZONE).astimezone(UTC)

    def address(self, reader: int) -> str:
        return f"leser{reader}@ort{reader}.example.org"

    def members(self, week: int) -> range:
        """Return the readers who stay in `week`: those who leave and those whose address is gone went first."""
        gone = week * (self.leaving + self.bouncing)
        return range(gone, self.readers + week * self.joining)

    def joins(self, week: int) -> range:
        return range(self.readers + week * self.joining, self.readers + (week + 1) * self.joining)

    def leaves(self, week: int) -> range:
        first = self.members(week).start
        return range(first, first + self.leaving)

    def bounces(self, week: int) -> range:
        first = self.members(week).start + self.leaving
        return range(first, first + self.bouncing)

    def approved_by_hand(self, week: int) -> bool:
        return week % 4 == 3


@dataclass
class SimulatedClock:
    """The time: what was set, what was waited for since, and the seconds that really went by."""

    now: datetime
    began: float = field(default_factory=time.monotonic)

    def __call__(self) -> datetime:
        return self.now + timedelta(seconds=time.monotonic() - self.began)

    def set(self, at: datetime) -> None:
        self.now, self.began = at, time.monotonic()

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Moment:
    """One event: a flow of a schedule, or something that people do."""

    at: datetime
    kind: str
    parameters: dict[str, Any]


def moments(plan: Plan) -> Iterator[Moment]:
    """Yield everything that happens, earliest first: the runs of prefect.yaml, and what people do."""
    content = yaml.safe_load((Path(plan.home) / "prefect.yaml").read_text(encoding="utf-8"))
    schedules = [
        Schedule(
            DIGEST
            if parameters.get("issue_date") == DIGEST
            else function_of(deployment["entrypoint"]),
            schedule["cron"],
            schedule["timezone"],
            parameters,
        )
        for deployment in content["deployments"]
        for parameters in [deployment.get("parameters") or {}]
        for schedule in deployment.get("schedules", ())
    ]
    people = [Schedule(WORLD, "0 11 * * *", "Europe/Berlin", {})]
    for at, schedule in next_times([*schedules, *people], plan.first):
        if at >= plan.last:
            return
        kind, local = schedule.deployment, at.astimezone(ZONE)
        if kind in HOURLY and local.hour % plan.every != plan.every // 2:
            continue
        if kind in COSTLY and plan.every > 1 and local.isoweekday() != 1:
            continue
        yield Moment(at, kind, dict(schedule.parameters))


class DaysApp(App):
    """An app that stays open at the end of a `with`."""

    def __exit__(self, kind: object = None, error: object = None, traceback: object = None) -> None:
        """Let errors have the publication's language, as `App` does."""
        if isinstance(error, UpcycleError):
            error.language = self.language


class Year:
    """One process of the year. `results` gets a line for each run: what ended how."""

    def __init__(self, plan: Plan, results: Path) -> None:
        self.plan, self.results = plan, results
        self.home = Path(plan.home)
        self.clock = SimulatedClock(plan.first)
        self.app: App | None = None
        self.flows: dict[str, Callable[..., Any]] = {}
        self.runtime = SimpleNamespace(id="", scheduled_start_time=plan.first, parameters={})

    @cached_property
    def settings(self) -> Settings:
        """The settings, read once: nobody changes them, and reading took a third of the year."""
        return AppContext.open(self.home).settings

    def open_app(self) -> App:
        """Return the day's app: opening one for each step, as the flows do, took half of the year."""
        if self.app is None:
            context = AppContext(self.settings, clock=self.clock, wait=self.clock.wait)
            self.app = DaysApp(context)
        return self.app

    def close_app(self) -> None:
        if self.app is not None:
            self.app.close()
            self.app = None

    # --- the flows as functions

    def flow(self, name: str) -> Callable[..., Any]:
        """Return a flow of the program as a function that tells Prefect nothing."""
        if name not in self.flows:
            from prefect.tasks import Task

            def bar(*_: object, **__: object) -> UUID:
                return uuid4()

            artifacts = import_module("upcycle_news_flows._issue_artifacts")
            module = import_module(f"upcycle_news_flows.{name}")
            for place in (artifacts, module):
                replacements: dict[str, Any] = {
                    "open_app": self.open_app,
                    "flow_run": self.runtime,
                    "deployment": SimpleNamespace(id=None),
                    "emit_event": bar,
                    "create_progress_artifact": bar,
                    "update_progress_artifact": bar,
                    "create_markdown_artifact": bar,
                    "create_link_artifact": bar,
                    "_finish_progress": bar,
                }
                for attribute, value in list(vars(place).items()):
                    if attribute in replacements:
                        setattr(place, attribute, replacements[attribute])
                    elif isinstance(value, Task):
                        setattr(place, attribute, value.fn)
            self.flows[name] = getattr(module, name).fn
        return self.flows[name]

    def run(self, kind: str, at: datetime, **parameters: Any) -> None:
        """Run a flow as Prefect would at its planned time, and note how it ended."""
        self.clock.set(at + timedelta(seconds=5))  # a runner's polling
        self.runtime.id, self.runtime.scheduled_start_time = str(uuid4()), at
        state = self.flow(PUBLISH if kind == DIGEST else kind)(**parameters)
        self.note(kind, at, state.type.value, state.name, state.message)

    def note(self, kind: str, at: datetime, state: str, name: str, message: str) -> None:
        line = {
            "kind": kind,
            "at": at.isoformat(),
            "state": state,
            "name": name,
            "message": message,
        }
        with self.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    # --- the year

    def live(self, position: Path) -> None:
        """Go on where the process before was killed."""
        began = int(position.read_text()) if position.exists() else -1
        if began < 0:
            self.publish_feeds(date.fromisoformat(self.plan.begin))
        for number, moment in enumerate(moments(self.plan)):
            if number < began:
                continue
            position.with_suffix(".new").write_text(str(number))
            position.with_suffix(".new").replace(position)
            print(number, moment.kind, flush=True)  # noqa: T201
            if number == began:
                self.recover(moment)
            else:
                self.step(moment)
        print(number + 1, "end", flush=True)  # noqa: T201

    def recover(self, moment: Moment) -> None:
        """What was running when the process was killed stays ended; the standby of watch begins."""
        if moment.kind == WORLD:
            self.world(moment.at)
        self.note(moment.kind, moment.at, "KILLED", "Killed", "")
        self.watch(moment.at + STANDBY)

    def step(self, moment: Moment) -> None:
        if moment.kind == WORLD:
            self.world(moment.at)
        elif moment.kind == "watch":
            self.watch(moment.at)
        elif moment.kind == PUBLISH:
            by_hand = self.plan.approved_by_hand(self.week_of(moment.at))
            self.run(PUBLISH, moment.at, **moment.parameters | {"approve": not by_hand})
        else:
            self.run(moment.kind, moment.at, **moment.parameters)

    def watch(self, at: datetime) -> None:
        """Check once, and start what is due as `services/runs/watching.py` does."""
        self.run("watch", at)
        with self.open_app() as app:
            due = app.runs.due(max_lateness_hours=24)
        if due:
            self.run("deliver_pending", at + timedelta(seconds=20))

    # --- what people do

    def week_of(self, at: datetime) -> int:
        """Return the number of the week; a week begins on Friday, its issue comes on Thursday."""
        return (at.astimezone(ZONE).date() - date.fromisoformat(self.plan.begin)).days // 7

    def world(self, at: datetime) -> None:
        """Let a day's work happen at eleven; all of it may be done again."""
        self.close_app()
        self.clock.set(at)
        week, day = self.week_of(at), at.astimezone(ZONE).date()
        self.publish_feeds(day)
        with self.open_app() as app:
            match day.isoweekday():
                case 3:
                    self.write_essay(week, day)
                case 4 if self.plan.approved_by_hand(week):
                    app.issues.approve(by="Redaktion")
                case 5 if week:  # the reports of yesterday's issue
                    self.drop_reports(app._context, self.plan.bounces(week - 1))
                case 6:
                    for reader in self.plan.joins(week - 1) if week else ():
                        self.join(app, self.plan.address(reader))
                case 7:
                    for reader in self.plan.leaves(week - 1) if week else ():
                        app.subscribers.unsubscribe(self.plan.address(reader))

    def join(self, app: App, address: str) -> None:
        """Sign up on the page, get the mail, follow its link."""
        signup = app.subscribers.sign_up(address, language="de")
        if signup is None:
            return
        app.subscribers.send_confirmation(signup)
        token = app._context.link_signer.token(Purpose.CONFIRM, signup.subscriber, signup.consent)
        app.subscribers.confirm(token)

    def drop_reports(self, context: AppContext, readers: range) -> None:
        """Put reports about yesterday's issue into the mailbox of bounces."""
        newest = issues.newest_issue(context.store, frozen=True)
        assert newest is not None and context.bounce_addresses is not None
        row = issues.get(context.store, newest)
        assert row is not None
        for address in map(self.plan.address, readers):
            found = subscribers.find(context.store, EmailAddress.parse(address))
            assert found is not None
            to = context.bounce_addresses.address_for(row.number, found.id)
            file = self.home / f"inbox/new/{row.number}.{found.id}.here"
            file.write_bytes(sample_reports.postfix(to, address))

    def write_essay(self, week: int, day: date) -> None:
        words = [
            "Bahnhof",
            "Kaufhaus",
            "Schule",
            "Dachstuhl",
            "Ziegel",
            "Halle",
            "Brücke",
            "Werft",
            "Speicher",
            "Kirche",
        ]
        word = words[week % len(words)]
        (self.home / f"content/essays/{day}-{word.lower()}-{week}.md").write_text(
            f'---\ntitle: "{word} Nummer {week}"\nauthor: Redaktion\ndate: {day}\nstatus: ready\n---\n\n'
            + f"Der Umbau: {word}. Was gebaut ist, ist bezahlt und vertraut. Woche {week}.\n\n" * 8,
            encoding="utf-8",
        )

    def publish_feeds(self, day: date) -> None:
        """Write the feeds as their publishers show them today: new, edited, withdrawn; one is away for weeks."""
        now = datetime(day.year, day.month, day.day, 6, tzinfo=UTC)
        for feed in range(3):
            path = self.home.parent / f"feeds/feed{feed}.xml"
            if feed == 2 and 70 < (day - date.fromisoformat(self.plan.begin)).days < 120:
                path.unlink(missing_ok=True)
                continue
            items = []
            for age in range(14):
                number = (day - timedelta(days=age)).toordinal()
                if number % (feed + 2) or (age > 3 and number % 11 == 0):
                    continue  # nothing that day, or withdrawn since
                edited = " (aktualisiert)" if age > 1 and number % 5 == 0 else ""
                items.append(
                    {
                        "title": f"Umbau {feed}-{number}: die alte Schule{edited}",
                        "link": f"https://quelle{feed}.example.org/beitrag-{number}",
                        "guid": f"beitrag-{feed}-{number}",
                        "text": f"Der Bahnhof und das Kaufhaus werden umgebaut. Beitrag {number}.",
                        "age_days": age,
                    }
                )
            path.write_bytes(rss(items, now))


def main() -> None:
    plan = Plan(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    folder = Path(plan.home).parent
    # Nothing leaves the machine: no DNS, and no relay but that on loopback.
    with patch.object(scheduled, "run_checks", partial(run_checks, offline=True)):
        Year(plan, folder / "results.jsonl").live(folder / "position")


def save_plan(plan: Plan, file: Path) -> None:
    file.write_text(json.dumps(asdict(plan)), encoding="utf-8")


if __name__ == "__main__":
    main()

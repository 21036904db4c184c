"""A run of watch that stays: what becomes due while it lives, and what happens when it dies.

The clock is turned by the sleep between two looks; Prefect is a stand-in on loopback.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from upcycle_news.api import open_app
from upcycle_news.app.context import AppContext
from upcycle_news.errors import StoreError
from upcycle_news.models import DeliveryState, IssueId
from upcycle_news.prefect_api import client
from upcycle_news.prefect_api.client import PrefectClient
from upcycle_news.services.delivery import issue_control, send
from upcycle_news.services.runs import watching
from upcycle_news.services.runs.pending import due_issues, pending_issues
from upcycle_news.services.runs.watching import WatchRun
from upcycle_news.storage import issues, workers
from upcycle_news.storage.ledger import Ledger
from upcycle_news.storage.schema import deliveries

from ...delivery.memory_ledger import Clock
from ...prefect_api.prefect_stand_in import PrefectStandIn, prefect_stand_in
from ...publications import Publication, approve_issue
from .test_pending import on_the_wire_of_a_dead_worker, queued_issue

ISSUE = IssueId.parse("2026-11-26")
FIVE_MINUTES = timedelta(minutes=5)
STARTING = timedelta(seconds=30)  # a poll for work and the start of a process, twice over
HOUR = timedelta(minutes=65)
SCHEDULES = [{"active": True, "parameters": {"stay_minutes": 65}}]


@dataclass
class Watched:
    """A publication, a Prefect, and a clock that only the sleep of a run turns."""

    context: AppContext
    clock: Clock
    prefect: type[PrefectStandIn]
    checks: list[Any] = field(default_factory=list)

    def client(self) -> PrefectClient:
        return PrefectClient(self.prefect.url)

    def run(self, name: str = "first", minutes: int = 65) -> WatchRun:
        return WatchRun(name, "watch", {"stay_minutes": minutes})

    def look(self, run: WatchRun) -> bool:
        return watching.look(self.context, self.client(), run)

    def stay(
        self,
        run: WatchRun,
        after_sleep: Callable[[], None] = lambda: None,
        *,
        look: Callable[[], bool] | None = None,
        check: Callable[[], None] | None = None,
    ) -> None:
        def sleep(seconds: float) -> None:
            self.clock.now += timedelta(seconds=seconds)
            after_sleep()

        watching.stay(
            run,
            look or (lambda: self.look(run)),
            check or (lambda: self.checks.append(self.clock.now)),
            clock=self.context.clock,
            sleep=sleep,
        )

    def started(self) -> list[dict[str, Any]]:
        return [run for run in self.prefect.runs.values() if run["deployment"] == "deliver"]

    def standbys(self) -> list[dict[str, Any]]:
        return [run for run in self.prefect.runs.values() if run["tags"] == ["standby"]]


@contextmanager
def watched(context: AppContext, clock: Clock) -> Iterator[Watched]:
    with prefect_stand_in(
        watch={"flow": "watch", "schedules": SCHEDULES}, deliver={"flow": "deliver-pending"}
    ) as prefect:
        yield Watched(context, clock, prefect)


@pytest.fixture
def watch(publication: Publication, clock: Clock) -> Iterator[Watched]:
    with watched(publication.context(), clock) as found:
        yield found


def test_an_idle_hour_is_one_run_with_a_standby_and_a_check_every_ten_minutes(
    watch: Watched,
) -> None:
    begin = watch.clock.now
    watch.stay(watch.run())
    assert watch.clock.now - begin >= HOUR
    assert len(watch.checks) == 7
    assert {b - a for a, b in pairwise(watch.checks)} == {timedelta(minutes=10)}
    [standby] = watch.prefect.runs.values()
    assert standby["tags"] == ["standby"]
    assert standby["parameters"] == {"stay_minutes": 65}


@pytest.mark.parametrize("minutes", [0.1, 7, 31.5, 64])
def test_what_is_approved_elsewhere_is_begun_within_five_minutes(
    publication: Publication, clock: Clock, minutes: float
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    begin, approved, started = clock.now, list[datetime](), list[datetime]()
    with watched(publication.context(), clock) as watch:

        def approve_then_see() -> None:
            if not approved and clock.now - begin >= timedelta(minutes=minutes):
                approve_issue(watch.context)
                approved.append(clock.now)
            if watch.started() and not started:
                started.append(clock.now)

        watch.stay(watch.run(), after_sleep=approve_then_see)
        assert started[0] - approved[0] + STARTING <= FIVE_MINUTES
        # Nobody starts the runs here: one that has not begun is not doubled.
        assert len(watch.started()) == 1


def test_a_deferred_delivery_is_left_alone_until_it_is_due_and_then_begun(
    publication: Publication, clock: Clock
) -> None:
    context = queued_issue(publication)
    due = clock.now + timedelta(minutes=23)
    with context.store.writing() as connection:
        connection.execute(
            deliveries.update().values(state=DeliveryState.DEFERRED, next_at=due, attempts=1)
        )
    seen: list[datetime] = []
    with watched(context, clock) as watch:

        def see() -> None:
            if watch.started() and not seen:
                seen.append(clock.now)

        watch.stay(watch.run(), after_sleep=see)
    assert due <= seen[0] <= due + FIVE_MINUTES - STARTING


def test_what_stays_due_gets_a_run_every_four_minutes_and_another_issue_one_at_once(
    publication: Publication, clock: Clock
) -> None:
    """A run that ends without having sent everything: the relay is away, or a quota is used up."""
    context = queued_issue(publication)
    times: list[datetime] = []
    with watched(context, clock) as watch:

        def run_them() -> None:
            times.extend(clock.now for run in watch.started() if run["state"] == "SCHEDULED")
            for run in watch.started():
                run["state"] = "COMPLETED"

        watch.stay(watch.run(minutes=20), run_them)
        waits = [later - earlier for earlier, later in pairwise(times)]
        assert 5 <= len(times) <= 6
        assert max(waits) + STARTING <= FIVE_MINUTES
        publication.write_essay("Die Schule am Rand")
        approve_issue(context, "2026-11-26-2")
        run = watch.run("second")
        before = len(watch.started())
        watch.look(run)
        assert len(watch.started()) == before + 1


def test_what_a_living_worker_is_sending_is_left_to_it(
    publication: Publication, clock: Clock
) -> None:
    context = queued_issue(publication)
    host, pid = "elsewhere", 7
    worker = workers.register_worker(
        context.store, host=host, pid=pid, process_start="1", now=clock.now
    )
    Ledger(context.store, ISSUE, worker).lease(1, clock.now)
    assert due_issues(context) == []
    assert pending_issues(context) == [str(ISSUE)]
    clock.now += timedelta(minutes=11)  # no heartbeat since: it counts as dead
    assert due_issues(context) == [str(ISSUE)]


def test_what_deliver_pending_would_leave_alone_is_not_due(
    publication: Publication, clock: Clock
) -> None:
    context = queued_issue(publication)
    assert due_issues(context) == [str(ISSUE)]
    issue_control.pause(context, ISSUE, by="Anna")
    assert due_issues(context) == []
    on_the_wire_of_a_dead_worker(context)
    assert due_issues(context) == [], "who pauses an issue decides when it goes on"
    issue_control.resume(context, ISSUE, by="Anna")
    send.deliver_issue(context, ISSUE)
    assert due_issues(context) == pending_issues(context) == []


def test_an_issue_whose_last_process_died_before_it_closed_it_is_due(
    publication: Publication, clock: Clock
) -> None:
    context = queued_issue(publication)
    with context.store.writing() as connection:
        connection.execute(deliveries.update().values(state=DeliveryState.SENT))
    assert due_issues(context) == [str(ISSUE)]
    assert pending_issues(context) == []  # closes it
    assert due_issues(context) == []


def test_a_cancelled_issue_with_mails_on_the_wire_of_a_dead_worker_is_due(
    publication: Publication, clock: Clock
) -> None:
    context = queued_issue(publication)
    on_the_wire_of_a_dead_worker(context)
    issues.cancel(context.store, ISSUE, by="Anna", reason="", now=clock.now)
    assert due_issues(context) == [str(ISSUE)]


def test_an_approval_that_is_too_old_or_of_a_day_to_come_is_not_due(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    context = publication.context()
    approve_issue(context, "2026-11-27")
    assert due_issues(context, max_lateness_hours=24) == []
    clock.now += timedelta(days=1)
    assert due_issues(context, max_lateness_hours=24) == ["2026-11-27"]
    clock.now += timedelta(days=2)
    assert due_issues(context, max_lateness_hours=24) == []
    assert due_issues(context) == ["2026-11-27"]


def test_a_halted_issue_shows_in_one_run_of_each_watch(
    publication: Publication, clock: Clock
) -> None:
    context = queued_issue(publication)
    issue_control.pause(context, ISSUE, by="Anna")
    with watched(context, clock) as watch:
        watch.stay(watch.run())
        assert len(watch.started()) == 1
        watch.started()[0]["state"] = "CANCELLED"
        watch.stay(watch.run("second", minutes=10))
        assert len(watch.started()) == 2


# --- what ends a run, and who goes on


def test_the_standby_is_always_within_four_minutes(watch: Watched) -> None:
    """Whenever the run dies, a runner or a worker starts the standby, which looks at once."""
    left = []

    def see() -> None:
        [standby] = watch.standbys()
        left.append(datetime.fromisoformat(standby["at"]) - watch.clock.now)

    watch.stay(watch.run(), after_sleep=see)
    assert timedelta(minutes=1) < min(left) <= max(left) <= timedelta(minutes=4)
    assert max(left) + STARTING + timedelta(seconds=20) <= FIVE_MINUTES


def test_a_newer_run_takes_over_and_has_a_standby_of_its_own(watch: Watched) -> None:
    first, second = watch.run(), watch.run("second")
    assert watch.look(first)
    [old] = watch.standbys()
    assert watch.look(second)
    assert not watch.look(first)
    [new] = watch.standbys()
    assert new["id"] != old["id"]
    assert not watch.look(first), "and it does not come back"


def test_a_standby_that_somebody_cancelled_is_replaced(watch: Watched) -> None:
    run = watch.run()
    watch.look(run)
    watch.standbys()[0]["state"] = "CANCELLED"
    watch.clock.now += timedelta(minutes=3)
    watch.look(run)
    assert [standby["state"] for standby in watch.standbys()] == ["CANCELLED", "SCHEDULED"]


def test_a_paused_deployment_ends_its_run_without_a_standby(watch: Watched) -> None:
    run = watch.run()
    assert watch.look(run)
    watch.prefect.deployments["watch"]["paused"] = True
    assert not watch.look(run)
    assert watch.prefect.runs == {}
    assert not watching.start_if_missing(watch.context, watch.client())
    del watch.prefect.deployments["watch"]
    assert not watch.look(run), "nor does one whose deployment was deleted go on"


def test_a_paused_or_missing_deliver_pending_is_said(
    publication: Publication, clock: Clock
) -> None:
    context = queued_issue(publication)
    with watched(context, clock) as watch:
        watch.prefect.deployments["deliver"]["paused"] = True
        run = watch.run()
        assert watch.look(run)
        assert "deliver-pending" in run.problem
        assert watch.started() == []
        watch.prefect.deployments["deliver"]["paused"] = False
        watch.look(run)
        assert (run.problem, len(watch.started())) == ("", 1)


def test_a_server_that_is_away_ends_no_run(
    publication: Publication, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "BUSY_PAUSES", ())
    context = queued_issue(publication)
    with watched(context, clock) as watch:
        watch.prefect.down = True
        run = watch.run()
        assert watch.look(run)
        assert "503" in run.problem
        watch.prefect.down = False
        assert watch.look(run)
        assert (run.problem, len(watch.started()), len(watch.standbys())) == ("", 1, 1)


@pytest.mark.parametrize(
    "error", [StoreError("the database is away"), OSError(28, "no space left")]
)
def test_settings_or_a_store_that_cannot_be_read_for_a_while_end_no_run(
    watch: Watched, error: Exception
) -> None:
    """The standby would fail as well, and nobody would leave another one."""
    run, looks = watch.run(), 0
    away = range(3, 60)  # nineteen minutes

    def look() -> bool:
        nonlocal looks
        looks += 1
        if looks in away:
            assert run.problem in ("", str(error))
            raise error
        return watch.look(run)

    watch.stay(run, look=look)
    assert looks > away.stop
    assert run.problem == ""
    [standby] = watch.standbys()
    assert datetime.fromisoformat(standby["at"]) > watch.clock.now


def test_a_run_that_begins_while_the_store_is_away_takes_the_watch_over_afterwards(
    watch: Watched,
) -> None:
    first, second, looks = watch.run(), watch.run("second"), 0
    assert watch.look(first)

    def look() -> bool:
        nonlocal looks
        looks += 1
        if looks < 20:
            raise StoreError("the database is away")
        return watch.look(second)

    watch.stay(second, look=look)
    assert not watch.look(first)
    assert [standby["state"] for standby in watch.standbys()] == ["SCHEDULED"]


def test_a_check_that_fails_ends_no_run_and_is_said_until_one_succeeds(watch: Watched) -> None:
    run, said = watch.run(minutes=35), []

    def check() -> None:
        said.append(run.check_problem)
        if len(said) < 3:
            raise StoreError("the table is locked")

    watch.stay(run, check=check)
    assert said == ["", "the table is locked", "the table is locked", ""]
    assert run.check_problem == ""


def test_what_is_no_answer_of_prefect_ends_no_run(
    publication: Publication, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = queued_issue(publication)
    with watched(context, clock) as watch:
        run = watch.run()
        with monkeypatch.context() as proxy:
            proxy.setattr(PrefectStandIn, "page", "<html>Wartung</html>")
            assert watch.look(run)
            assert run.problem.endswith("Berichtigen Sie PREFECT_API_URL.")
        assert watch.look(run)
        assert (run.problem, len(watch.started())) == ("", 1)


def test_a_machine_that_slept_ends_its_run_when_it_wakes(watch: Watched) -> None:
    looks = []

    def fall_asleep() -> None:
        looks.append(watch.clock.now)
        watch.clock.now += timedelta(hours=9)

    watch.stay(watch.run(), after_sleep=fall_asleep)
    assert len(looks) == 1
    # The standby was due meanwhile; it begins as soon as anybody polls for work.
    assert datetime.fromisoformat(watch.standbys()[0]["at"]) < watch.clock.now


# --- a runner that begins


def test_a_new_runner_starts_a_watch_or_the_standby_that_is_left(watch: Watched) -> None:
    assert watching.start_if_missing(watch.context, watch.client())
    [run] = watch.standbys()
    assert run["parameters"] == {"stay_minutes": 65}
    watch.clock.now += timedelta(minutes=1)
    run["at"] = (watch.clock.now + timedelta(minutes=4)).isoformat()
    assert watching.start_if_missing(watch.context, watch.client())
    [same] = watch.standbys()
    assert same["at"] == watch.clock.now.isoformat()


def test_a_publication_whose_watch_does_not_stay_gets_none(watch: Watched) -> None:
    """Its prefect.yaml is an older one: watch and deliver-pending have schedules of their own."""
    watch.prefect.deployments["watch"]["schedules"] = [{"active": True, "parameters": {}}]
    assert not watching.start_if_missing(watch.context, watch.client())
    assert watch.prefect.runs == {}


def test_only_deployments_of_the_programs_flows_that_nobody_serves_are_removed(
    watch: Watched,
) -> None:
    others: dict[str, dict[str, Any]] = {
        "every-five-minutes": {},
        "own": {"entrypoint": "flows/own.py:own"},
        "pooled": {"work_pool_name": "newsletter"},
    }
    for name, row in others.items():
        watch.prefect.deployments[name] = {
            "id": name, "name": name, "work_pool_name": None, "entrypoint": "upcycle_news_flows.a.a",
            **row,
        }  # fmt: skip
    removed = watching.remove_deployments(watch.client(), keep=["watch", "deliver"])
    assert removed == ["every-five-minutes"]
    assert set(watch.prefect.deployments) == {"watch", "deliver", "own", "pooled"}


def test_a_prefect_that_is_busy_keeps_no_runner_from_serving(
    publication: Publication, watch: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "BUSY_PAUSES", (0.0,))
    watch.prefect.down = True
    with publication, open_app(publication.home) as app:
        app.runs.begin_serving(watch.prefect.url, served=["watch", "deliver"])
        assert watch.prefect.runs == {}
        watch.prefect.down = False
        app.runs.begin_serving(watch.prefect.url, served=["watch", "deliver"])
    assert len(watch.standbys()) == 1

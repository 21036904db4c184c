"""A run of watch that stays: it looks at the store again and again, so that no run has to start for that.

What is due gets a run of deliver-pending. The run that stays always has a successor in Prefect, the standby,
scheduled a few minutes ahead and moved on while the run lives: whatever ends it (kill -9, a person, a machine
that vanishes), a runner or worker starts the standby. The newest run has the lock; the one before ends.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.observability.logging import Log
from upcycle_news.prefect_api.client import PrefectApiError, PrefectClient
from upcycle_news.prefect_api.flow_process import PACKAGE
from upcycle_news.services.runs.admission import send_hold_result
from upcycle_news.services.runs.pending import due_issues, halted_issues
from upcycle_news.storage import locks

log = Log(__name__)

FLOW, DELIVERY_FLOW = "watch", "deliver-pending"
TAG = "standby"
LENGTH = "stay_minutes"  # the parameter of watch
LOOK = timedelta(seconds=20)  # one look takes some 15 ms of a processor
CHECK = timedelta(minutes=10)
# What is due waits for the last of a look, a slot or the standby, a poll for work (10 s) and a start (10 s).
SLOT = timedelta(minutes=4)  # deliver-pending is started once in that time for the same issues
STANDBY = timedelta(minutes=4)  # so far ahead is the standby at most, and at least half of it
_LOCK = "watch"
_NOT_STARTED = timedelta(minutes=30)  # its worker has given up a run that did not start for so long


@dataclass
class WatchRun:
    """A run of watch that stays; `deployment` is its deployment's id, `parameters` are its own.

    `started` counts the runs of deliver-pending that it started, `problem` is why it cannot start one now,
    `check_problem` is why the last check failed.
    """

    run: str
    deployment: str
    parameters: Mapping[str, Any]
    started: int = 0
    problem: str = ""
    check_problem: str = ""
    began: bool = False
    standby: str = ""
    standby_at: datetime | None = None
    halted_shown: bool = False
    keys: set[str] = field(default_factory=set)

    @property
    def length(self) -> timedelta:
        """For how long the run stays."""
        return timedelta(minutes=float(self.parameters.get(LENGTH, 0.0)))


def stay(
    me: WatchRun,
    look: Callable[[], bool],
    check: Callable[[], object],
    *,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> None:
    """Look every 20 seconds and check every ten minutes, for the run's length or until `look` returns False.

    The first look comes before the first check, which may take long: then there is a standby already. What
    fails with a sentence (settings that cannot be read, a database that is away) is tried again: a standby
    would fail as well, and leave none.
    """
    began, checked = clock(), None
    while clock() - began < me.length:
        try:
            if not look():
                return
            if checked is None or clock() - checked >= CHECK:
                checked = clock()
                _check(me, check)
        except (UpcycleError, OSError) as error:
            _note(me, str(error))
        sleep(LOOK.total_seconds())


def _check(me: WatchRun, check: Callable[[], object]) -> None:
    try:
        check()
        me.check_problem = ""
    except (UpcycleError, OSError) as error:
        log.warning("check failed", why=error)
        me.check_problem = str(error)


def look(context: AppContext, client: PrefectClient, me: WatchRun) -> bool:
    """Start deliver-pending if something is due, and keep the standby; False when the run shall end.

    The first look takes the watch over from the run that has it, which ends at its next one. A run ends when
    another has taken over, or the deployment was paused. A Prefect that does not answer is
    asked again at the next look.
    """
    now = context.clock()
    if not me.began:
        locks.take_over(context.store, _LOCK, me.run, until=now + me.length)
        me.began = True
    if locks.holder(context.store, _LOCK, now=now) != me.run:
        return False
    try:
        if client.is_paused(me.deployment):
            _delete_standbys(client, me)
            return False
        _keep_standby(client, me, now)
        _start_due(context, client, me)
    except PrefectApiError as error:
        _note(me, error.in_language(context.language))
    return True


def start_if_missing(context: AppContext, client: PrefectClient) -> bool:
    """Start a run of watch that stays, unless its deployment is paused or never stays; for a new runner.

    The standby of a runner that was stopped before is started instead. Returns whether one was started.
    """
    for deployment in client.deployments(FLOW):
        parameters = _staying_parameters(deployment)
        if deployment["paused"] or not parameters:
            continue
        now = context.clock()
        if standbys := client.scheduled_runs(deployment["id"], tag=TAG):
            client.postpone_run(standbys[0], now)
        else:
            client.start_run(deployment["id"], parameters, at=now, tags=[TAG])
        return True
    return False


def _staying_parameters(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with which a deployment's schedules let a run stay; empty without one."""
    for schedule in deployment["schedules"]:
        parameters = {**deployment["parameters"], **schedule.get("parameters", {})}
        if schedule["active"] and parameters.get(LENGTH):
            return parameters
    return {}


def remove_deployments(client: PrefectClient, keep: Collection[str]) -> list[str]:
    """Remove the deployments of the program's flows that have no work pool and are not in `keep` (ids)."""
    removed = []
    for deployment in client.deployments():
        ours = str(deployment["entrypoint"]).startswith(f"{PACKAGE}.")
        if ours and not deployment["work_pool_name"] and str(deployment["id"]) not in keep:
            client.delete_deployment(str(deployment["id"]))
            removed.append(str(deployment["name"]))
            log.info("deployment removed", name=deployment["name"])
    return removed


def _keep_standby(client: PrefectClient, me: WatchRun, now: datetime) -> None:
    if me.standby_at is not None and me.standby_at - now > STANDBY / 2:
        return
    waiting = client.scheduled_runs(me.deployment, tag=TAG)
    at = now + STANDBY
    if me.standby in waiting:
        client.postpone_run(me.standby, at)
    else:
        for run in waiting:  # of the run before; each has its own, or its history would not end
            client.delete_run(run)
        me.standby = client.start_run(
            me.deployment, me.parameters, name=f"{FLOW}-{TAG}", at=at, tags=[TAG]
        )
    me.standby_at = at


def _delete_standbys(client: PrefectClient, me: WatchRun) -> None:
    for run in client.scheduled_runs(me.deployment, tag=TAG):
        client.delete_run(run)


def _start_due(context: AppContext, client: PrefectClient, me: WatchRun) -> None:
    """Start a run of deliver-pending for what is due, unless one is about to start.

    What waits for people gets one run for each run of watch, so that it stands in the list of runs.
    """
    if not due_issues(context) and (me.halted_shown or not _waits_for_people(context)):
        me.problem = ""
        return
    deployment = next(iter(client.deployments(DELIVERY_FLOW)), None)
    if deployment is None or deployment["paused"]:
        _note(me, localized("watch-cannot-deliver").in_language(context.language))
        return
    hours = float(deployment["parameters"].get("max_lateness_hours", 24.0))
    due = due_issues(context, max_lateness_hours=hours)
    now = context.clock()
    key = f"{' '.join(due)} {int(now.timestamp() // SLOT.total_seconds())}"
    if not due:
        if me.halted_shown:
            return
        key = me.run
    if key in me.keys or client.starting_runs(deployment["id"], now - _NOT_STARTED, now):
        return
    client.start_run(deployment["id"], name=DELIVERY_FLOW, key=f"{FLOW} {key}")
    log.info("deliver-pending started", issues=due)
    me.keys.add(key)
    me.started += 1
    me.halted_shown, me.problem = True, ""


def _waits_for_people(context: AppContext) -> bool:
    return send_hold_result(context) is not None or bool(halted_issues(context))


def _note(me: WatchRun, problem: str) -> None:
    """Keep why deliver-pending cannot be started, and log it when it is new."""
    if problem != me.problem:
        log.warning("nothing can be started", why=problem)
    me.problem = problem

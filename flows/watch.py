"""Remind editors of approvals, resolve stale runs, and emit alert events; a run that stays starts deliveries."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State, StateType
from prefect.events import emit_event
from prefect.runtime import deployment, flow_run
from prefect.settings import PREFECT_API_URL
from upcycle_news_flows._issue_artifacts import language, write_missing_artifacts

from upcycle_news import open_app
from upcycle_news.api import runs
from upcycle_news.api.runs import ResolvedRuns, WatchRun
from upcycle_news_flows import failing_with_a_sentence, run_by_hand

# The steps are no tasks: a run that stays takes them a hundred times, each a row in Prefect's database.


@dataclass
class Found:
    """What the checks of a run found and did; `problems` are those of the last check."""

    confirmations: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    reminders: int = 0
    resolved: int = 0
    problems: tuple[str, ...] = ()


def remind() -> int:
    """Tell the editors what they could not be told, and remind them of requests that expire soon."""
    with open_app() as app:
        events = [*app.runs.tell_editors(), *app.runs.send_reminders()]
    for event in events:
        emit_event(**event.as_event())
    return len(events)


def resolve_stale_runs() -> ResolvedRuns:
    """Settle runs whose approval request expired, was decided elsewhere, or that have ended."""
    login = os.environ.get("PREFECT_API_AUTH_STRING", "")
    with open_app() as app:
        return app.runs.resolve_stale_runs(PREFECT_API_URL.value() or "", login)


def emit_alerts() -> list[str]:
    """Emit the new alert events; return their sentences."""
    with open_app() as app:
        events = app.runs.alert_events()
    for event in events:
        emit_event(**event.as_event())
    return [event.message for event in events]


def send_confirmations() -> list[str]:
    """Send the confirmation mails that wait, within the limits; return what became of it."""
    with open_app() as app:
        return app.subscribers.send_confirmations(due_only=True).sentences(app.language)


def send_welcome() -> list[str]:
    """Send the steps of the welcome that are due; return what became of it."""
    with open_app() as app:
        if app.runs.send_hold() is not None:
            return []
        return [text.in_language(app.language) for text in app.welcome.send_due().sentences()]


def deliver_notices() -> list[str]:
    """Tell operators what could not be told before; return what became of it."""
    with open_app() as app:
        report = app.runs.deliver_notices()
        result = runs.notification_result(report, app.language)
    return [result.message] if report.delivered or report.waiting else []


def report_closed_issues() -> None:
    """Write the artifacts of issues that a command closed, or for which a run died."""
    with open_app() as app:
        write_missing_artifacts(app)


def wait_for_people() -> list[str]:
    """Return sentences about what people have to let go on: all is not well beside a stopped issue."""
    with open_app() as app:
        hold, halted = app.runs.send_hold(), app.runs.halted()
    return [*([hold.message] if hold else []), *halted]


def check(found: Found) -> None:
    """Take all steps once, and add what they did."""
    resolved = resolve_stale_runs()
    found.resolved, found.problems = found.resolved + resolved.count, resolved.problems
    report_closed_issues()
    found.confirmations += send_confirmations()
    found.confirmations += send_welcome()
    found.notices += deliver_notices()
    found.reminders += remind()
    tell_webhooks(seconds=60.0)
    found.alerts += emit_alerts()


def stay(found: Found) -> WatchRun:
    """Look again and again until a newer run takes over; return how many deliveries were started."""
    watch = WatchRun(str(flow_run.id), str(deployment.id), flow_run.parameters)
    runs.stay(watch, partial(look, watch), partial(check, found))
    return watch


def tell_webhooks(seconds: float) -> None:
    """Post events to the webhooks of the settings, as the web pages do where they run."""
    with open_app() as app:
        app.webhooks.deliver(seconds=seconds)


def look(watch: WatchRun) -> bool:
    """Start deliver-pending if something is due, and tell webhooks; return whether this run shall stay."""
    login = os.environ.get("PREFECT_API_AUTH_STRING", "")
    with open_app() as app:  # again each time, so that changed settings count
        stays = app.runs.look(watch, PREFECT_API_URL.value() or "", login)
        if stays:
            app.webhooks.deliver(seconds=10.0)
        return stays


@flow(name="watch", flow_run_name="watch", timeout_seconds=3 * 3600)
@failing_with_a_sentence
def watch(stay_minutes: float = 0.0) -> State[Any]:
    """Check for late issues, dead feeds, slow relays and expiring approval requests.

    Confirmation mails that wait are sent before.

    Args:
        stay_minutes: The run stays so long, looks every 20 seconds whether something is to be delivered, and checks every ten minutes; 0: it checks once.

    """
    found, started, problems = Found(), 0, []
    if stay_minutes and deployment.id:
        watched = stay(found)
        started, problems = watched.started, [watched.problem, watched.check_problem]
    else:
        check(found)
    result = runs.watch_result(
        confirmations=found.confirmations,
        notices=found.notices,
        reminders=found.reminders,
        resolved=found.resolved,
        started=started,
        problems=[
            *filter(None, problems),
            *found.problems,
            *([] if found.alerts else wait_for_people()),
        ],
        language=language(),
        alerts=found.alerts,
    )
    return State(type=StateType[result.kind.upper()], name=result.name, message=result.message)


if __name__ == "__main__":
    run_by_hand(watch)

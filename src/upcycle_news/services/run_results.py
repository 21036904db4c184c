"""How runs end, in a sentence: what was sent, what is left, which feeds were silent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.i18n.messages import counted
from upcycle_news.models.runs import RunResult
from upcycle_news.services.bounces import process
from upcycle_news.services.subscribers import subscriptions
from upcycle_news.services.subscribers.list_health import alarm_sentences


def summary(delivered: Mapping[str, Any], collected: Mapping[str, Any]) -> RunResult:
    """The state of a run that delivered: Degraded when a feed failed."""
    message = f"issue {delivered['issue']}: sent to {delivered['sent']} of {delivered['audience']}"
    for key in ("rejected", "unknown", "suppressed", "cancelled", "deferred", "queued"):
        if delivered[key]:
            message += f", {delivered[key]} {key}"
    if collected and (troubles := _troubles(collected)):
        return RunResult("completed", "Degraded", f"{message}; {troubles}")
    return RunResult("completed", "Completed", message)


def delivered_summary(sums: Sequence[Mapping[str, Any]], paused: RunResult | None) -> RunResult:
    """The state of a run that delivered what was left.

    A standstill is no failure here: this run comes every few minutes, and a person knows of it.
    """
    if paused:
        return RunResult("completed", paused.name, paused.message)
    if not sums:
        return RunResult("completed", "NothingPending", "no issue has deliveries left")
    if waits := [one["waits"] for one in sums if one["waits"]]:
        done = [summary(one, {}).message for one in sums if not one["waits"]]
        return RunResult("completed", "RelayAway", "; ".join([*waits, *done]))
    return RunResult("completed", "Completed", "; ".join(summary(one, {}).message for one in sums))


def collected_summary(collected: Mapping[str, Any]) -> RunResult:
    """The state of a run that collected: Degraded when a feed or the pull failed."""
    message = (
        f"{counted(collected['asked'], 'feed')} asked, {counted(collected['items'], 'new item')}"
    )
    waiting = [f"{one['feed']} waits: {one['reason']}" for one in collected.get("waiting", [])]
    message = "; ".join([message, *waiting])
    if collected["failed"] or collected.get("pull"):
        told = [f"{one['feed']}: {one['error']}" for one in collected["failed"]]
        told = [collected["pull"], *told] if collected.get("pull") else told
        return RunResult("completed", "Degraded", "; ".join([message, *told]))
    return RunResult("completed", "Completed", message)


def _troubles(collected: Mapping[str, Any]) -> str:
    """What the issue had to do without."""
    silent = [*collected.get("failed", []), *collected.get("waiting", [])]
    told = [collected["pull"]] if collected.get("pull") else []
    if silent:
        told.append(f"without these feeds: {', '.join(one['feed'] for one in silent)}")
    return "; ".join(told)


def collect_bounces(context: AppContext) -> dict[str, int]:
    """Handle the inbox; nothing to do where none is configured."""
    if not process.has_inbox(context):
        return {}
    return process.collect(context).as_dict()


def alarms(context: AppContext) -> list[str]:
    """What has to be looked at."""
    return alarm_sentences(context)


def bounce_summary(counts: Mapping[str, int], alarmed: Sequence[str]) -> RunResult:
    """The state of the run: Degraded when there is an alarm."""
    parts = [f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count]
    message = ", ".join(parts) or ("the inbox is empty" if counts else "no inbox is configured")
    if alarmed:
        return RunResult("completed", "Degraded", f"{message}; {'; '.join(alarmed)}")
    return RunResult("completed", "Completed", message)


def tidy(context: AppContext) -> dict[str, int]:
    """Delete what has had its time."""
    return asdict(subscriptions.tidy(context))


def tidy_summary(counts: Mapping[str, int]) -> str:
    """One sentence."""
    return (
        f"{counts['unconfirmed']} unconfirmed sign-ups and {counts['reports']} old reports deleted, "
        f"{counts['mailed']} confirmations mailed"
    )

"""Results of flow runs: a state name and a sentence from the counts of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.i18n.messages import format_count
from upcycle_news.models.runs import RunResult
from upcycle_news.services.bounces import process
from upcycle_news.services.subscribers import subscriptions
from upcycle_news.services.subscribers.list_health import list_alert_sentences


def publish_result(delivered: Mapping[str, Any], collected: Mapping[str, Any]) -> RunResult:
    """Return the result of publish-issue; Degraded when a feed or the pull failed."""
    message = f"issue {delivered['issue']}: sent to {delivered['sent']} of {delivered['audience']}"
    for key in ("rejected", "unknown", "suppressed", "cancelled", "deferred", "queued"):
        if delivered[key]:
            message += f", {delivered[key]} {key}"
    if collected and (troubles := _troubles(collected)):
        return RunResult("completed", "Degraded", f"{message}; {troubles}")
    return RunResult("completed", "Completed", message)


def delivery_result(statuses: Sequence[Mapping[str, Any]], hold: RunResult | None) -> RunResult:
    """Return the result of a run that delivered what was left.

    A send hold is no failure here: this run comes every few minutes, and an operator knows of it.
    """
    if hold:
        return RunResult("completed", hold.name, hold.message)
    if not statuses:
        return RunResult("completed", "NothingPending", "no issue has deliveries left")
    if waits := [status["waits"] for status in statuses if status["waits"]]:
        done = [publish_result(status, {}).message for status in statuses if not status["waits"]]
        return RunResult("completed", "RelayAway", "; ".join([*waits, *done]))
    return RunResult(
        "completed",
        "Completed",
        "; ".join(publish_result(status, {}).message for status in statuses),
    )


def collection_result(collected: Mapping[str, Any]) -> RunResult:
    """Return the result of collect-feeds; Degraded when a feed or the pull failed."""
    message = f"{format_count(collected['asked'], 'feed')} asked, {format_count(collected['items'], 'new item')}"
    deferred = [f"{feed['feed']} waits: {feed['reason']}" for feed in collected.get("waiting", [])]
    message = "; ".join([message, *deferred])
    if collected["failed"] or collected.get("pull"):
        errors = [f"{feed['feed']}: {feed['error']}" for feed in collected["failed"]]
        errors = [collected["pull"], *errors] if collected.get("pull") else errors
        return RunResult("completed", "Degraded", "; ".join([message, *errors]))
    return RunResult("completed", "Completed", message)


def _troubles(collected: Mapping[str, Any]) -> str:
    """Return what an issue had to do without: the pull, feeds."""
    missing = [*collected.get("failed", []), *collected.get("waiting", [])]
    troubles = [collected["pull"]] if collected.get("pull") else []
    if missing:
        troubles.append(f"without these feeds: {', '.join(feed['feed'] for feed in missing)}")
    return "; ".join(troubles)


def process_bounces(context: AppContext) -> dict[str, int]:
    """Process the bounce inbox; return counts, none where no inbox is configured."""
    if not process.has_inbox(context):
        return {}
    return process.collect(context).as_dict()


def bounce_alerts(context: AppContext) -> list[str]:
    """Return the alerts about bounces and complaints of the newest issues."""
    return list_alert_sentences(context)


def bounce_result(counts: Mapping[str, int], alerts: Sequence[str]) -> RunResult:
    """Return the result of collect-bounces; Degraded when there is an alert."""
    parts = [f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count]
    message = ", ".join(parts) or ("the inbox is empty" if counts else "no inbox is configured")
    if alerts:
        return RunResult("completed", "Degraded", f"{message}; {'; '.join(alerts)}")
    return RunResult("completed", "Completed", message)


def purge_expired(context: AppContext) -> dict[str, int]:
    """Delete expired sign-ups and reports, and mail pending confirmations; return counts."""
    return asdict(subscriptions.purge_expired(context))


def purge_summary(counts: Mapping[str, int]) -> str:
    """Return the counts as a sentence."""
    return (
        f"{counts['unconfirmed']} unconfirmed sign-ups and {counts['reports']} old reports deleted, "
        f"{counts['mailed']} confirmations mailed"
    )

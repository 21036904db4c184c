"""Results of flow runs: a state name and a sentence from the counts of a step."""

from __future__ import annotations

from collections.abc import Sequence

from upcycle_news.i18n.messages import format_count
from upcycle_news.models import IssueStatus
from upcycle_news.models.runs import RunResult
from upcycle_news.services.feeds.collect import FeedRunReport
from upcycle_news.services.runs.deliver import ResumedDelivery


def publish_result(status: IssueStatus, collected: FeedRunReport | None = None) -> RunResult:
    """Return the result of publish-issue; Degraded when a feed or the pull failed."""
    counts = status.as_dict()
    message = f"issue {status.issue}: sent to {counts['sent']} of {status.audience}"
    for key in ("rejected", "unknown", "suppressed", "cancelled", "deferred", "queued"):
        if counts[key]:
            message += f", {counts[key]} {key}"
    if status.in_mailbox:
        message += ", but only into the embedded mailbox on this machine; no reader has it"
    if collected and (troubles := _troubles(collected)):
        return RunResult("completed", "Degraded", f"{message}; {troubles}")
    return RunResult("completed", "Completed", message)


def delivery_result(
    delivered: Sequence[ResumedDelivery],
    hold: RunResult | None = None,
    halted: Sequence[str] = (),
) -> RunResult:
    """Return the result of a run that delivered what was left.

    `halted` are sentences about issues that wait for a person: then it is not shown as done. Neither they
    nor a send hold are a failure here: this run comes every few minutes, and an operator was told.
    """
    if hold:
        return RunResult("completed", hold.name, hold.message)
    if not delivered and not halted:
        return RunResult("completed", "NothingPending", "no issue has deliveries left")
    waits = [delivery.waits for delivery in delivered if delivery.waits]
    done = [publish_result(delivery.status).message for delivery in delivered if not delivery.waits]
    message = "; ".join([*waits, *halted, *done])
    if halted and not waits:
        return RunResult("cancelled", "Halted", message)
    return RunResult("completed", "RelayAway" if waits else "Completed", message)


def collection_result(collected: FeedRunReport) -> RunResult:
    """Return the result of collect-feeds; Degraded when a feed or the pull failed."""
    message = f"{format_count(collected.asked, 'feed')} asked, {format_count(collected.items, 'new item')}"
    deferred = [f"{feed} waits: {reason}" for feed, reason in collected.waiting]
    message = "; ".join([message, *deferred])
    if collected.failed or collected.pull:
        errors = [f"{feed}: {error}" for feed, error in collected.failed]
        errors = [collected.pull, *errors] if collected.pull else errors
        return RunResult("completed", "Degraded", "; ".join([message, *errors]))
    return RunResult("completed", "Completed", message)


def _troubles(collected: FeedRunReport) -> str:
    """Return what an issue had to do without: the pull, feeds."""
    missing = [*collected.failed, *collected.waiting]
    troubles = [collected.pull] if collected.pull else []
    if missing:
        troubles.append(f"without these feeds: {', '.join(feed for feed, _ in missing)}")
    return "; ".join(troubles)

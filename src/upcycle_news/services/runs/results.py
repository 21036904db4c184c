"""Results of flow runs: a state name and a sentence from the counts of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.i18n.recognition import recognise
from upcycle_news.models import IssueStatus
from upcycle_news.models.runs import RunResult
from upcycle_news.services.feeds.collect import FeedRunReport
from upcycle_news.services.runs.deliver import ResumedDelivery


def publish_result(
    status: IssueStatus, collected: FeedRunReport | None = None, language: str = "en"
) -> RunResult:
    """Return the result of publish-issue; Degraded when a feed or the pull failed.

    Deliveries of which nobody knows whether they arrived are no success: they wait for a person.
    """
    counts, issue = status.as_dict(), str(status.issue)
    text = localized("result-sent", issue=issue, sent=counts["sent"], audience=status.audience)
    texts = [text, *_others(counts)]
    if status.left_for_digest and status.digest_day:
        texts.append(localized("result-left", count=status.left_for_digest, day=status.digest_day))
    message = ", ".join(each.in_language(language) for each in texts)
    if status.in_mailbox:
        message += localized("result-in-mailbox").in_language(language)
    troubles = _troubles(collected, language) if collected else ""
    if counts["unknown"]:
        cure = localized("result-unknown-cure", issue=issue).in_language(language)
        sentences = [message, cure, *([troubles] if troubles else [])]
        return RunResult("failed", "Unknown", "; ".join(sentences))
    if troubles:
        return RunResult("completed", "Degraded", f"{message}; {troubles}")
    return RunResult("completed", "Completed", message)


def _others(counts: Mapping[str, Any]) -> list[LocalizedText]:
    """Return the deliveries that are not sent, by state, as far as there are any."""
    texts = {
        "rejected": localized("result-rejected", count=counts["rejected"]),
        "unknown": localized("result-unknown", count=counts["unknown"]),
        "suppressed": localized("result-suppressed", count=counts["suppressed"]),
        "cancelled": localized("result-cancelled", count=counts["cancelled"]),
        "deferred": localized("result-deferred", count=counts["deferred"]),
        "queued": localized("result-queued", count=counts["queued"]),
    }
    return [text for state, text in texts.items() if counts[state]]


def delivery_result(
    delivered: Sequence[ResumedDelivery],
    hold: RunResult | None = None,
    halted: Sequence[str] = (),
    language: str = "en",
    waiting: Sequence[str] = (),
) -> RunResult:
    """Return the result of a run that delivered what was left.

    `halted` are sentences about issues that wait for a person: then it is not shown as done, nor with unknown
    deliveries or during a send hold. That is no failure: this run comes every few minutes, and an operator
    was told. `waiting` are sentences about issues that wait for their day or hour.
    """
    if hold:
        return RunResult("cancelled", hold.name, "; ".join([hold.message, *halted]))
    away = [delivery.waits for delivery in delivered if delivery.waits]
    done = [
        (publish_result(delivery.status, language=language), delivery.goes_on)
        for delivery in delivered
        if not delivery.waits
    ]
    sentences = [", ".join(filter(None, (result.message, goes_on))) for result, goes_on in done]
    message = "; ".join([*halted, *away, *sentences, *waiting])
    if halted or any(result.kind == "failed" for result, _ in done):
        return RunResult("cancelled", "Halted", message)
    if away:
        return RunResult("completed", "RelayAway", message)
    if any(goes_on for _, goes_on in done):
        return RunResult("completed", "WaitsForItsHour", message)
    if done:
        return RunResult("completed", "Completed", message)
    if waiting:
        return RunResult("completed", "WaitsForItsDay", message)
    nothing = localized("result-nothing-pending").in_language(language)
    return RunResult("completed", "NothingPending", nothing)


def collection_result(collected: FeedRunReport, language: str = "en") -> RunResult:
    """Return the result of collect-feeds; Degraded when a feed or the pull failed."""
    message = localized(
        "result-collected",
        feeds=localized("result-feeds", count=collected.asked),
        items=localized("result-items", count=collected.items),
    ).in_language(language)
    deferred = [
        localized("result-feed-waits", feed=feed, why=recognise(reason, "feeds")).in_language(
            language
        )
        for feed, reason in collected.waiting
    ]
    message = "; ".join([message, *deferred])
    if collected.failed or collected.pull:
        errors = [
            localized("feeds-said", name=feed, sentence=recognise(error, "feeds")).in_language(
                language
            )
            for feed, error in collected.failed
        ]
        pull = recognise(collected.pull, "findings").in_language(language) if collected.pull else ""
        errors = [pull, *errors] if pull else errors
        return RunResult("completed", "Degraded", "; ".join([message, *errors]))
    return RunResult("completed", "Completed", message)


def _troubles(collected: FeedRunReport, language: str) -> str:
    """Return what an issue had to do without: the pull, feeds."""
    missing = [*collected.failed, *collected.waiting]
    troubles = []
    if collected.pull:
        troubles.append(recognise(collected.pull, "findings").in_language(language))
    if missing:
        names = ", ".join(feed for feed, _ in missing)
        troubles.append(localized("result-without-feeds", feeds=names).in_language(language))
    return "; ".join(troubles)

"""The relays of an issue beside one another, as operators read it."""

from __future__ import annotations

from upcycle_news.model import IssueId
from upcycle_news.newsroom import Newsroom
from upcycle_news.sayings import Saying, say
from upcycle_news.steps.relay_speed import slow_relays
from upcycle_news.steps.reporting_text import Words, md
from upcycle_news.store import replies


def relays(room: Newsroom, words: Words, issue: IssueId) -> list[str]:
    """A line for each relay: what it did with our messages, and how long it took for one."""
    found = replies.of_issue(room.store, issue)
    if not found:
        return []
    rows = [
        f"| {md(one.relay)} | {one.accepted} | {one.deferred} | {one.refused} | {one.lost} "
        f"| {words(_duration(one.median))} | {words(_duration(one.slowest))} |"
        for one in found
    ]
    slow = [
        f"- {words(say('report-slow-relay', relay=md(one.relay), why=why))}"
        for one, why in slow_relays(room, issue)
    ]
    return [
        words(say("report-relays")),
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
        *([*slow, ""] if slow else []),
    ]


def _duration(seconds: float) -> Saying:
    if seconds >= 1:
        return say("report-seconds", seconds=seconds)
    return say("report-milliseconds", milliseconds=1000 * seconds)

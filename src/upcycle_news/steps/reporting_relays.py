"""The relays of an issue beside one another, as operators read it."""

from __future__ import annotations

from upcycle_news.model import IssueId
from upcycle_news.newsroom import Newsroom
from upcycle_news.steps.relay_speed import slow_relays
from upcycle_news.steps.reporting_text import md
from upcycle_news.store import replies


def relays(room: Newsroom, issue: IssueId) -> list[str]:
    """A line for each relay: what it did with our messages, and how long it took for one."""
    found = replies.of_issue(room.store, issue)
    if not found:
        return []
    rows = [
        f"| {md(one.relay)} | {one.accepted} | {one.deferred} | {one.refused} | {one.lost} "
        f"| {_duration(one.median)} | {_duration(one.slowest)} |"
        for one in found
    ]
    slow = [f"- **Slow:** relay {md(one.relay)}: {why}" for one, why in slow_relays(room, issue)]
    return [
        "| relay | accepted | deferred | refused | no answer | median | slowest |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
        *([*slow, ""] if slow else []),
    ]


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"

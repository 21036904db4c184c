"""What operators read in the cockpit about a delivery: Markdown with ids and counts, no address."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from upcycle_news.logs import Log
from upcycle_news.model import DeliveryState, IssueId
from upcycle_news.newsroom import Newsroom
from upcycle_news.postroom.contract import DeliveryReport
from upcycle_news.steps.collecting import feeds_health
from upcycle_news.steps.health import list_health
from upcycle_news.steps.reporting_changes import what_changed
from upcycle_news.steps.reporting_relays import relays
from upcycle_news.steps.reporting_text import md
from upcycle_news.store import figures, issues, revisions

log = Log(__name__)


def delivery_report(room: Newsroom, issue: IssueId, collected: Mapping[str, Any]) -> str:
    """The report of an issue: the closing sum, relays, refusals, quotas, list, feeds, what changed."""
    status = issues.status(room.store, issue)
    row = issues.get(room.store, issue)
    assert status is not None and row is not None
    told = status.as_dict()
    lines = [f"## Issue {issue}", "", "| state | deliveries |", "|---|---|"]
    lines += [f"| {state} | {told[state]} |" for state in DeliveryState if told.get(state)]
    lines += [f"| **audience** | **{status.audience}** |", ""]
    lines += ["The sum closes." if status.closed else "The sum does not close yet.", ""]
    lines += _speed(room, issue, row.enqueued_at, int(told["sent"]))
    lines += relays(room, issue)
    lines += _refusals(room, issue)
    lines += _quotas(room)
    lines += _list_health(room)
    lines += _feeds(room, collected)
    revision = revisions.revision(room.store, issue, row.hash)
    if revision is not None:
        lines += what_changed(room, issue, row.hash, revision.manifest)
    return "\n".join(lines)


def _list_health(room: Newsroom) -> list[str]:
    """What this issue and the two before it did to the list; alarms first."""
    newest = list_health(room, 3)
    alarmed = [f"- **Alarm:** {alarm}" for one in newest for alarm in one.alarms]
    return ["### The list", "", *alarmed, *(f"- {one.sentence()}" for one in newest), ""]


def _speed(room: Newsroom, issue: IssueId, began: datetime | None, sent: int) -> list[str]:
    ended = figures.last_change(room.store, issue)
    if began is None or ended is None or not sent:
        return []
    seconds = max((ended - began).total_seconds(), 1.0)
    relay = "the mailbox" if room.configured_relay is None else "relay main"
    return [f"{sent} messages in {seconds:.0f} s over {relay}: {sent / seconds:.1f}/s.", ""]


def _refusals(room: Newsroom, issue: IssueId) -> list[str]:
    found = figures.refusals(room.store, issue)
    if not found:
        return []
    rows = [f"| {r.state} | {r.code or ''} {r.enhanced} | {r.count} |" for r in found]
    return ["| refused or deferred | code | deliveries |", "|---|---|---|", *rows, ""]


def _quotas(room: Newsroom) -> list[str]:
    found = room.quotas("main", room.settings.sender.address)
    lines = []
    for what, scope, rates in (
        ("relay main", f"relay {found.relay_name}", found.relay),
        ("sender", f"sender {found.sender_address}", found.sender),
    ):
        for rate in rates:
            used = figures.sent_within(
                room.store, scope, timedelta(seconds=rate.seconds), now=room.clock()
            )
            lines.append(
                f"- {what}: {max(rate.limit - used, 0)} of {rate.limit} left in {rate.seconds} s"
            )
    return ["**Quotas:**", "", *lines, ""] if lines else []


def _feeds(room: Newsroom, collected: Mapping[str, Any]) -> list[str]:
    health = [one for one in feeds_health(room) if one["active"]]
    well = sum(1 for one in health if not one["errors"] and not one["stopped"])
    lines = [f"**Feeds:** {well} of {len(health)} well", ""]
    lines += [
        f"- {md(one['name'])}: {md(one['last_error'])}"
        for one in health
        if one["errors"] or one["stopped"]
    ]
    if collected.get("pull"):
        lines.append(f"- content: {md(str(collected['pull']))}")
    return [*lines, ""] if health or collected.get("pull") else []


Show = Callable[[float, str], None]


@dataclass
class Progress:
    """Tells how far a delivery is, not more often than every `every` seconds."""

    audience: int
    ended: int
    show: Show
    every: float = 5.0
    clock: Callable[[], float] = time.monotonic
    _began: float = field(init=False)
    _told: float = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._began = self._told = self.clock()

    def __call__(self, report: DeliveryReport) -> None:
        """Take the counts of this run so far."""
        now = self.clock()
        with self._lock:
            if now - self._told < self.every:
                return
            self._told = now
        done = report.sent + report.rejected + report.unknown
        rate = done / max(now - self._began, 0.001)
        left = max(self.audience - self.ended - done, 0)
        rest = f", about {left / rate / 60:.0f} minutes left" if rate and left else ""
        ended = self.ended + done
        self.tell(ended, f"{ended} of {self.audience} deliveries ended, {rate:.1f}/s{rest}")

    def tell(self, ended: int, text: str) -> None:
        """Show it if that is possible now: what is sent must not depend on who can look at it."""
        try:
            self.show(100 * ended / max(self.audience, 1), text)
        except Exception as error:
            log.warning("progress could not be shown", why=type(error).__name__)

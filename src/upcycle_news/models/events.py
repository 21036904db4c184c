"""Events of the store that other programs are told, over the HTTP API and by webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class EventKind(StrEnum):
    """What happened. `ISSUE_SENT`: an issue was queued, its deliveries have begun; how they ended is in `ISSUE_CLOSED`."""

    SUBSCRIBER_CONFIRMED = "subscriber.confirmed"
    SUBSCRIBER_LEFT = "subscriber.left"
    SUBSCRIBER_SUPPRESSED = "subscriber.suppressed"
    SUBSCRIBER_UNSUPPRESSED = "subscriber.unsuppressed"
    SUBSCRIBER_FORGOTTEN = "subscriber.forgotten"
    ISSUE_APPROVED = "issue.approved"
    ISSUE_REJECTED = "issue.rejected"
    ISSUE_SENT = "issue.sent"
    ISSUE_PAUSED = "issue.paused"
    ISSUE_STOPPED = "issue.stopped"
    ISSUE_RESUMED = "issue.resumed"
    ISSUE_CLOSED = "issue.closed"
    ISSUE_REOPENED = "issue.reopened"
    ISSUE_CANCELLED = "issue.cancelled"
    ISSUE_TAKEN_BACK = "issue.taken_back"


@dataclass(frozen=True)
class Event:
    """An event; never with an address.

    `position` names it for ever and orders it: no event that is read later has a smaller one, also
    after a restore. `subscriber` is the id of the subscriber it is about, who may be erased since;
    `issue` that of the issue it is about or came from. `detail` holds what `event_log` lists for its
    kind.
    """

    position: int
    at: datetime
    kind: EventKind
    subscriber: int | None
    issue: str | None
    detail: Mapping[str, Any]

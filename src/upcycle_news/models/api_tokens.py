"""Tokens of the HTTP API: what they may do, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any


class ApiScope(StrEnum):
    """What a token may do. Nothing follows from anything else: a token has exactly what it was given."""

    SUBSCRIBERS_READ = "subscribers:read"
    SUBSCRIBERS_WRITE = "subscribers:write"
    SUBSCRIBERS_CONFIRM = "subscribers:confirm"
    SUBSCRIBERS_FORGET = "subscribers:forget"
    SUPPRESSIONS_READ = "suppressions:read"
    SUPPRESSIONS_WRITE = "suppressions:write"
    ISSUES_READ = "issues:read"
    ISSUES_APPROVE = "issues:approve"
    ISSUES_SEND = "issues:send"
    EVENTS_READ = "events:read"


@dataclass(frozen=True)
class ApiToken:
    """A token as it is stored, without its secret. `last_used_on` is a day in UTC, kept no closer."""

    id: int
    name: str
    scopes: frozenset[ApiScope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None = None
    last_used_on: date | None = None

    def is_valid(self, now: datetime) -> bool:
        """Return whether it is neither revoked nor expired."""
        if self.revoked_at is not None:
            return False
        return self.expires_at is None or now < self.expires_at

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object of `tokens list`."""
        return {
            "name": self.name,
            "scopes": sorted(self.scopes),
            "created_at": self.created_at.isoformat(timespec="seconds"),
            "expires_at": self.expires_at and self.expires_at.isoformat(timespec="seconds"),
            "revoked_at": self.revoked_at and self.revoked_at.isoformat(timespec="seconds"),
            "last_used_on": self.last_used_on and self.last_used_on.isoformat(),
        }


class RetryVerdict(StrEnum):
    """What a request with an `Idempotency-Key` is. `NEW`: to be carried out, by this process alone."""

    NEW = "new"
    ANSWERED = "answered"
    RUNNING = "running"
    DIFFERENT = "different"


@dataclass(frozen=True)
class Retry:
    """The verdict about a request with a key; `status` and `body` are the stored answer, if there is one."""

    verdict: RetryVerdict
    status: int = 0
    body: str = ""

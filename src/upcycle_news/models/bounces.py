"""Bounces and complaints as they are stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Bounce:
    """One report. `kind`: hard, soft, blocked or complaint; `code` is the RFC 3463 status, or empty.

    `understood` is False for a soft one that never suppresses by itself.
    """

    id: int
    issue: str
    subscriber: int
    kind: str
    code: str
    reason: str
    at: datetime
    raw: bytes | None = None
    understood: bool = True

    def as_dict(self) -> dict[str, str | int | bool]:
        """Return the JSON object of `bounces list`: no raw text, no address."""
        return {
            "id": self.id,
            "issue": self.issue,
            "subscriber": self.subscriber,
            "kind": self.kind,
            "understood": self.understood,
            "code": self.code,
            "reason": self.reason,
            "at": self.at.isoformat(timespec="seconds"),
        }

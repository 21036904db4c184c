"""The welcome: a series of mails that a reader gets after the confirmation, each step once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

SERIES = "welcome"
"""The series of every step so far; with step and subscriber it is the key of a delivery."""
TEMPLATE = "welcome"
"""The name of the templates of its mails, without suffix."""


@dataclass(frozen=True)
class WelcomeFile:
    """A step as editors wrote it in ``content/welcome/*.md``; its name orders the steps of one day.

    With `newest_issue` the step is the newest issue that was sent, and has no words of its own.
    """

    step: str
    source: str
    after: timedelta
    subject: str = ""
    preheader: str = ""
    body: str = ""
    body_line: int = 1
    newest_issue: bool = False


@dataclass(frozen=True)
class WelcomeRevision:
    """One state of a step: what it says, and when it comes. Approved once, it goes on until another is."""

    step: str
    revision_id: str
    after: timedelta
    newest_issue: bool
    language: str
    subject: str
    html: str
    text: str
    created_at: datetime
    approved_at: datetime | None = None

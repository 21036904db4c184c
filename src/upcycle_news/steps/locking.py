"""One run at a time prepares an issue; a lock is a row that ends by itself."""

from __future__ import annotations

from datetime import datetime, timedelta

from upcycle_news.model import IssueId
from upcycle_news.newsroom import Newsroom
from upcycle_news.store import turns

# Longer than anything between two questions takes, short enough to wait for after a crash.
PREPARING = timedelta(minutes=15)


def take(room: Newsroom, issue: IssueId, run: str) -> bool:
    """Take an issue into one's hands, or keep it there; False while another run has it."""
    now = room.clock()
    return turns.take(room.store, _name(issue), run, until=now + PREPARING, now=now)


def hold_until(room: Newsroom, issue: IssueId, run: str, until: datetime) -> None:
    """Keep what one has for as long as a question waits."""
    turns.take(room.store, _name(issue), run, until=until, now=room.clock())


def free(room: Newsroom, issue: IssueId, run: str) -> None:
    """Let others have it."""
    turns.free(room.store, _name(issue), run)


def _name(issue: IssueId) -> str:
    return f"issue {issue}"

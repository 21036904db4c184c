"""The lock of an issue that a flow run holds while it prepares the issue and waits for approval."""

from __future__ import annotations

from datetime import datetime, timedelta

from upcycle_news.app.context import AppContext
from upcycle_news.models import IssueId
from upcycle_news.storage import locks

# Longer than anything between two approval requests takes, short enough to wait for after a crash.
PREPARING = timedelta(minutes=15)


def acquire_lock(context: AppContext, issue: IssueId, run: str) -> bool:
    """Acquire or renew the lock for a flow run; False while another run holds it."""
    now = context.clock()
    return locks.acquire(context.store, _name(issue), run, until=now + PREPARING, now=now)


def extend_lock(context: AppContext, issue: IssueId, run: str, until: datetime) -> None:
    """Extend the lock of a flow run that waits for an approval."""
    locks.acquire(context.store, _name(issue), run, until=until, now=context.clock())


def release_lock(context: AppContext, issue: IssueId, run: str) -> None:
    """Release the lock if this flow run holds it."""
    locks.release(context.store, _name(issue), run)


def _name(issue: IssueId) -> str:
    return f"issue {issue}"

"""Who may work on an issue before it is queued: one flow run at a time.

While it prepares the issue, a run holds a lock. While it waits for an approval, its approval request
keeps other runs away, and after an approval until the issue is queued.
"""

from __future__ import annotations

from datetime import timedelta

from upcycle_news.app.context import AppContext
from upcycle_news.models import IssueId
from upcycle_news.storage import approvals, locks

# Longer than anything between two approval requests takes, short enough to wait for after a crash.
PREPARING = timedelta(minutes=15)
# Prefect's own timeout comes so much later than that of a request: it ends runs only when `watch`
# does not.
PREFECT_MARGIN = timedelta(hours=2)


def acquire_lock(context: AppContext, issue: IssueId, run: str) -> bool:
    """Acquire or renew the lock for a flow run; False while another run works on the issue."""
    now = context.clock()
    if approvals.is_other_run_waiting(context.store, issue, run, since=now - PREFECT_MARGIN):
        return False
    return locks.acquire(context.store, _name(issue), run, until=now + PREPARING, now=now)


def release_lock(context: AppContext, issue: IssueId, run: str) -> None:
    """Release the lock if this flow run holds it."""
    locks.release(context.store, _name(issue), run)


def lock_holder(context: AppContext, issue: IssueId) -> str:
    """Return the flow run that prepares the issue now; empty when none does."""
    return locks.holder(context.store, _name(issue), now=context.clock())


def _name(issue: IssueId) -> str:
    return f"issue {issue}"

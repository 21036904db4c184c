"""Suppressions of a wave of refusals or hard bounces, which wait until a person has decided about them."""

from __future__ import annotations

from upcycle_news.app.context import AppContext
from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import IssueId
from upcycle_news.models.welcome import SERIES
from upcycle_news.observability.logging import Log
from upcycle_news.storage import pending_suppressions

log = Log(__name__)


def pending_sentence(context: AppContext) -> str:
    """Return how many suppressions wait and what to do, in the publication's language; else empty."""
    count = pending_suppressions.count_pending(context.store)
    if not count:
        return ""
    return localized("suppressions-pending", count=count).in_language(context.language)


def confirm_pending(context: AppContext, issue: str = "") -> int:
    """Suppress those that wait (with `issue` its own); `UpcycleError` when none does."""
    return _decided(
        context, "confirmed", pending_suppressions.confirm_pending(context.store, issue)
    )


def drop_pending(context: AppContext, issue: str = "") -> int:
    """Drop those that wait (with `issue` its own); `UpcycleError` when none does."""
    return _decided(context, "dropped", pending_suppressions.drop_pending(context.store, issue))


def _decided(context: AppContext, decision: str, count: int) -> int:
    if not count:
        raise UpcycleError(localized("no-suppression-pending"))
    log.info("pending suppressions decided", decision=decision, count=count)
    return count


def undo_of_issue(context: AppContext, issue: str) -> int:
    """Undo what bounces and refusals of an issue, or the welcome, suppressed; `UpcycleError` when nothing is."""
    mailing = issue if issue == SERIES else str(IssueId.parse(issue))
    count = pending_suppressions.undo_of_issue(context.store, mailing, now=context.clock())
    if not count:
        raise UpcycleError(localized("nothing-suppressed-by-issue", issue=issue))
    log.info("suppressions of an issue undone", issue=issue, count=count)
    return count

"""The statements of the ledger, built once: building them costs more than running them.

`ledger.Ledger` executes them through SQLAlchemy; `RECORD_VERDICT` and `CLAIM_IF_ALLOWED` are also
compiled by `ledger_fast_path`, which gives them to the database driver directly. Nothing here
opens a transaction.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam, literal_column, or_, select, update

from upcycle_news.models import (
    DeliveryState,
    EmailAddress,
    IssueState,
    LeasedDelivery,
    SubscriberStatus,
    Verdict,
)
from upcycle_news.storage.schema import deliveries, issues, subscribers
from upcycle_news.storage.suppressions import suppression_reason_sql
from upcycle_news.storage.workers import NO_WORKER

PENDING_STATES = (DeliveryState.QUEUED, DeliveryState.DEFERRED)

LOCK_ISSUE_SHARED = (
    select(issues.c.id).where(issues.c.id == bindparam("issue")).with_for_update(read=True)
)

SELECT_ISSUE = select(issues.c.state, issues.c.enqueued_at).where(issues.c.id == bindparam("issue"))

# As a literal, so that the planner sees that the partial index fits.
IS_DEFERRED = deliveries.c.state == literal_column("'deferred'")


def _select_unleased(*conditions: Any) -> Select[Any]:
    return (
        select(
            deliveries.c.id,
            deliveries.c.subscriber_id,
            deliveries.c.attempts,
            deliveries.c.code,
            deliveries.c.variant,
            deliveries.c.queued_at,
            subscribers.c.email,
            subscribers.c.name,
            subscribers.c.status,
            suppression_reason_sql().label("suppressed"),
        )
        .select_from(deliveries)
        .outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(
            deliveries.c.issue_id == bindparam("issue"),
            deliveries.c.worker_id == NO_WORKER,
            *conditions,
        )
        .limit(bindparam("limit"))
        .with_for_update(skip_locked=True, of=deliveries)
    )


SELECT_QUEUED = _select_unleased(deliveries.c.state == DeliveryState.QUEUED).order_by(
    # A message that made the issue stop must not be the first again.
    deliveries.c.attempts,
    deliveries.c.id,
)
SELECT_NEVER_TRIED = SELECT_QUEUED.where(deliveries.c.attempts == 0)
SELECT_DUE = _select_unleased(IS_DEFERRED, deliveries.c.next_at <= bindparam("now")).order_by(
    deliveries.c.next_at
)
SELECT_FOR_CLAIM = (
    select(
        deliveries.c.id,
        deliveries.c.state,
        deliveries.c.worker_id,
        issues.c.state.label("issue_state"),
        subscribers.c.email,
        subscribers.c.status,
        suppression_reason_sql().label("suppressed"),
    )
    .select_from(deliveries)
    .join(issues, issues.c.id == deliveries.c.issue_id)
    .outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
    .where(deliveries.c.id.in_(bindparam("rows", expanding=True)))
    .order_by(deliveries.c.id)
    .with_for_update(of=deliveries)
)
_IS_PENDING = or_(*(deliveries.c.state == state for state in PENDING_STATES))
_LEASED_BY_ME = (deliveries.c.id == bindparam("row"), deliveries.c.worker_id == bindparam("me"))
LEASE = (
    update(deliveries).where(deliveries.c.id == bindparam("row")).values(worker_id=bindparam("me"))
)
RELEASE_LEASE = update(deliveries).where(*_LEASED_BY_ME, _IS_PENDING).values(worker_id=NO_WORKER)
CLAIM = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("row"))
    .values(
        state=DeliveryState.SENDING,
        attempts=bindparam("attempt"),
        changed_at=bindparam("changed_at"),
    )
)
# Claims exactly what `Ledger.commit` would grant without quotas: the conditions of `refusal` and
# the state of the issue.
CLAIM_IF_ALLOWED = CLAIM.where(
    deliveries.c.worker_id == bindparam("me"),
    _IS_PENDING,
    select(issues.c.id)
    .where(issues.c.id == deliveries.c.issue_id, issues.c.state == IssueState.SENDING)
    .correlate(deliveries)
    .exists(),
    select(subscribers.c.id)
    .where(
        subscribers.c.id == deliveries.c.subscriber_id,
        subscribers.c.status == SubscriberStatus.CONFIRMED,
        subscribers.c.email.is_not(None),
        suppression_reason_sql().is_(None),
    )
    .correlate(deliveries)
    .exists(),
)
RECORD_VERDICT = (
    update(deliveries)
    .where(*_LEASED_BY_ME)
    .values(
        {
            name: bindparam(name)
            for name in (
                "state",
                "next_at",
                "code",
                "enhanced",
                "reason",
                "worker_id",
                "changed_at",
            )
        }
    )
)

# The usual verdict, of a message that was on the wire until now. Any other is about a delivery that
# was settled before, perhaps in an issue that is closed.
RECORD_VERDICT_IN_FLIGHT = RECORD_VERDICT.where(deliveries.c.state == DeliveryState.SENDING)
SELECT_NOT_IN_FLIGHT = (
    select(deliveries.c.id)
    .where(
        deliveries.c.id.in_(bindparam("rows", expanding=True)),
        deliveries.c.state != DeliveryState.SENDING,
    )
    .limit(1)
)


def record_parameters(
    delivery: LeasedDelivery, verdict: Verdict, me: int, now: datetime
) -> dict[str, Any]:
    """Return the parameters of `RECORD_VERDICT` for worker `me`."""
    return {
        "row": delivery.delivery,
        "me": me,
        "state": verdict.state,
        "next_at": verdict.next_at,
        "code": verdict.code,
        "enhanced": verdict.enhanced,
        "reason": verdict.reason,
        # A delivery that waits again may be leased by any worker.
        "worker_id": NO_WORKER if verdict.state in PENDING_STATES else me,
        "changed_at": now,
    }


def claim_parameters(delivery: LeasedDelivery, me: int, now: datetime) -> dict[str, Any]:
    """Return the parameters of `CLAIM_IF_ALLOWED` for worker `me`."""
    return {
        "row": delivery.delivery,
        "me": me,
        "attempt": delivery.attempt,
        "changed_at": now,
    }


def leased_delivery(row: Row[Any]) -> LeasedDelivery:
    """Return a row of `SELECT_QUEUED` or `SELECT_DUE` as the delivery engine takes it."""
    return LeasedDelivery(
        delivery=row.id,
        subscriber=row.subscriber_id,
        address=EmailAddress(row.email),
        name=row.name,
        attempt=row.attempts + 1,
        queued_at=row.queued_at,
        refused_before=(row.code or 0) >= 500,
        variant=row.variant,
    )


def refusal(row: Row[Any]) -> tuple[DeliveryState, str] | None:
    """Return the final state and reason if the subscriber must not get the issue any more."""
    if row.email is None:
        return DeliveryState.CANCELLED, "the person was forgotten"
    if row.suppressed is not None:
        return DeliveryState.SUPPRESSED, f"suppressed: {row.suppressed}"
    if row.status != SubscriberStatus.CONFIRMED:
        return DeliveryState.CANCELLED, "has unsubscribed"
    return None

"""The statements of the ledger, built once: building them costs more than running them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam, literal_column, or_, select, update

from upcycle_news.models import (
    DeliveryState,
    EmailAddress,
    LeasedDelivery,
    SubscriberStatus,
    Verdict,
)
from upcycle_news.storage.issues import IssueState
from upcycle_news.storage.schema import deliveries, issues, subscribers
from upcycle_news.storage.suppressions import reason_barred
from upcycle_news.storage.workers import NOBODY

HELD_BACK = (DeliveryState.QUEUED, DeliveryState.DEFERRED)

HOLD_ISSUE = select(issues.c.id).where(issues.c.id == bindparam("issue")).with_for_update(read=True)

# As a literal, so that the planner sees that the partial index fits.
DEFERRED = deliveries.c.state == literal_column("'deferred'")


def _waiting(*conditions: Any) -> Select[Any]:
    return (
        select(
            deliveries.c.id,
            deliveries.c.subscriber_id,
            deliveries.c.attempts,
            deliveries.c.queued_at,
            subscribers.c.email,
            subscribers.c.name,
            subscribers.c.status,
            reason_barred().label("suppressed"),
        )
        .select_from(deliveries)
        .outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(
            deliveries.c.issue_id == bindparam("issue"),
            deliveries.c.sender_id == NOBODY,
            *conditions,
        )
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True, of=deliveries)
    )


QUEUED = _waiting(deliveries.c.state == DeliveryState.QUEUED).order_by(
    # Whoever made the issue stop must not be the first again.
    deliveries.c.attempts,
    deliveries.c.id,
)
FRESH = QUEUED.where(deliveries.c.attempts == 0)
DUE = _waiting(DEFERRED, deliveries.c.next_at <= bindparam("now")).order_by(deliveries.c.next_at)
STANDING = (
    select(
        deliveries.c.id,
        deliveries.c.state,
        deliveries.c.sender_id,
        issues.c.state.label("issue_state"),
        subscribers.c.email,
        subscribers.c.status,
        reason_barred().label("suppressed"),
    )
    .select_from(deliveries)
    .join(issues, issues.c.id == deliveries.c.issue_id)
    .outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
    .where(deliveries.c.id.in_(bindparam("rows", expanding=True)))
    .order_by(deliveries.c.id)
    .with_for_update(of=deliveries)
)
_MINE = (deliveries.c.id == bindparam("row"), deliveries.c.sender_id == bindparam("me"))
LEASE = (
    update(deliveries).where(deliveries.c.id == bindparam("row")).values(sender_id=bindparam("me"))
)
LET_GO = (
    update(deliveries)
    .where(*_MINE, or_(*(deliveries.c.state == state for state in HELD_BACK)))
    .values(sender_id=NOBODY)
)
MARK = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("row"))
    .values(
        state=DeliveryState.SENDING,
        attempts=bindparam("attempt"),
        changed_at=bindparam("changed_at"),
    )
)
# Marks whoever may go, as `refusal` and the issue's state have it, and nobody else.
MARK_WHO_MAY_GO = MARK.where(
    deliveries.c.sender_id == bindparam("me"),
    or_(*(deliveries.c.state == state for state in HELD_BACK)),
    select(issues.c.id)
    .where(issues.c.id == deliveries.c.issue_id, issues.c.state == IssueState.SENDING)
    .correlate(deliveries)
    .exists(),
    select(subscribers.c.id)
    .where(
        subscribers.c.id == deliveries.c.subscriber_id,
        subscribers.c.status == SubscriberStatus.CONFIRMED,
        subscribers.c.email.is_not(None),
        reason_barred().is_(None),
    )
    .correlate(deliveries)
    .exists(),
)
RECORD = (
    update(deliveries)
    .where(*_MINE)
    .values(
        {
            name: bindparam(name)
            for name in (
                "state",
                "next_at",
                "code",
                "enhanced",
                "reason",
                "sender_id",
                "changed_at",
            )
        }
    )
)


def recorded(claim: LeasedDelivery, verdict: Verdict, me: int, now: datetime) -> dict[str, Any]:
    """The parameters of `RECORD`."""
    return {
        "row": claim.delivery,
        "me": me,
        "state": verdict.state,
        "next_at": verdict.next_at,
        "code": verdict.code,
        "enhanced": verdict.enhanced,
        "reason": verdict.reason,
        # Who holds nothing any more leaves it to others.
        "sender_id": NOBODY if verdict.state in HELD_BACK else me,
        "changed_at": now,
    }


def marked(claim: LeasedDelivery, me: int, now: datetime) -> dict[str, Any]:
    """The parameters of `MARK_WHO_MAY_GO`."""
    return {"row": claim.delivery, "me": me, "attempt": claim.attempt, "changed_at": now}


def claim_of(row: Row[Any]) -> LeasedDelivery:
    """A row of the queue as the sender sees it."""
    return LeasedDelivery(
        delivery=row.id,
        subscriber=row.subscriber_id,
        address=EmailAddress(row.email),
        name=row.name,
        attempt=row.attempts + 1,
        queued_at=row.queued_at,
    )


def refusal(row: Row[Any]) -> tuple[DeliveryState, str] | None:
    """Why this person must not get the issue any more, and how the delivery ends."""
    if row.email is None:
        return DeliveryState.CANCELLED, "the person was forgotten"
    if row.suppressed is not None:
        return DeliveryState.SUPPRESSED, f"suppressed: {row.suppressed}"
    if row.status != SubscriberStatus.CONFIRMED:
        return DeliveryState.CANCELLED, "has unsubscribed"
    return None

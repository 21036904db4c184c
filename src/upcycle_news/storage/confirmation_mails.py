"""The mails of sign-ups and changes of address: queued with the request, settled by the relay's reply.

A process claims a mail before it sends it, so that no other one does; whoever died leaves a claim that
ends with its process, or by itself. A mail counts as mailed when the relay has accepted it. The limits
are quotas in the store (`quotas`), so that all processes share them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from upcycle_news.models import ConfirmationMailKind, EmailAddress, Rate, SubscriberStatus
from upcycle_news.models.refusal_wave import Outcome, find_wave
from upcycle_news.storage import quotas, suppressions
from upcycle_news.storage.database import Store
from upcycle_news.storage.dialect_insert import dialect_insert
from upcycle_news.storage.quotas import FullScope, Scope
from upcycle_news.storage.schema import (
    address_changes,
    confirmation_mails,
    consents,
    request_levels,
    subscribers,
)

MOST = 2000
"""Mails that one run looks at: more than the limits let it send."""

_OUTCOMES = 200
"""Replies of the relay that are looked at for a wave."""
_HOURS_IN_A_WAVE = (1, 2, 4, 8, 16, 24)
"""How long a mail waits that was refused in a wave, by the attempts before."""
SCOPE_PREFIX = "confirmation mails"
"""How the names of the limits' scopes begin in the store."""


@dataclass(frozen=True)
class WaitingMail:
    """A mail that waits. `reference` is the id of its consent, or of its change of address."""

    id: int
    kind: ConfirmationMailKind
    subscriber: int
    reference: int
    asked_at: datetime
    attempts: int


@dataclass(frozen=True)
class ClaimedMail:
    """A mail that this process is to send, with its recipient and their language."""

    mail: WaitingMail
    email: EmailAddress
    language: str


def queue(
    connection: Connection,
    kind: ConfirmationMailKind,
    *,
    subscriber: int,
    reference: int,
    email_key: str,
    mailbox_key: str,
    now: datetime,
) -> None:
    """Queue a mail in the transaction of what it is about; due at once.

    The keys are those of the address that was entered: they count against its limits. Empty ones
    count against none.
    """
    connection.execute(
        insert(confirmation_mails).values(
            kind=kind,
            subscriber_id=subscriber,
            consent_id=reference if kind.is_about_consent else None,
            change_id=None if kind.is_about_consent else reference,
            email_key=email_key,
            mailbox_key=mailbox_key,
            asked_at=now,
            attempts=0,
            limited=False,
            next_at=now,
            holder="",
        )
    )


def last_asked(connection: Connection, email_key: str) -> datetime | None:
    """Return when a confirmation of this address was last asked for and is not given yet."""
    at: datetime | None = connection.scalar(
        select(func.max(confirmation_mails.c.asked_at)).where(
            confirmation_mails.c.email_key == email_key
        )
    )
    return at


def count_asked(connection: Connection, mailbox_key: str, *, since: datetime) -> int:
    """Return how many mails to addresses of a mailbox were asked for after `since`."""
    return (
        connection.scalar(
            select(func.count()).where(
                confirmation_mails.c.mailbox_key == mailbox_key,
                confirmation_mails.c.asked_at > since,
            )
        )
        or 0
    )


def forget_asked(connection: Connection, kind: ConfirmationMailKind, reference: int) -> None:
    """Delete the mails about what was confirmed: its owner may be asked again."""
    column = (
        confirmation_mails.c.consent_id if kind.is_about_consent else confirmation_mails.c.change_id
    )
    connection.execute(
        delete(confirmation_mails).where(column == reference, confirmation_mails.c.kind == kind)
    )


def waiting(
    store: Store, *, due_at: datetime | None = None, consent: int | None = None
) -> tuple[WaitingMail, ...]:
    """Return at most `MOST` of the mails that people asked for and that wait, those tried least first.

    With `due_at` only those due by then, with `consent` only that of a sign-up. Mails of lists are
    `waiting_of_lists`.
    """
    query = _waiting().where(_OF_PEOPLE).limit(MOST)
    if consent is not None:
        query = query.where(confirmation_mails.c.consent_id == consent)
    if due_at is not None:
        query = query.where(confirmation_mails.c.next_at <= due_at)
    return _read(store, query)


def waiting_of_lists(store: Store, *, due_at: datetime, limit: int) -> tuple[WaitingMail, ...]:
    """Return at most `limit` mails of imported lists that are due, those tried least first."""
    query = _waiting().where(~_OF_PEOPLE, confirmation_mails.c.next_at <= due_at)
    return _read(store, query.limit(limit))


# A list may have thousands: nobody who asked for a mail waits behind them.
_OF_PEOPLE = confirmation_mails.c.kind != ConfirmationMailKind.LIST


def _waiting() -> Select[Any]:
    return (
        select(confirmation_mails)
        .where(confirmation_mails.c.next_at.is_not(None))
        .order_by(confirmation_mails.c.attempts, confirmation_mails.c.id)
    )


def _read(store: Store, query: Select[Any]) -> tuple[WaitingMail, ...]:
    with store.reading() as connection:
        return tuple(
            WaitingMail(
                row.id,
                ConfirmationMailKind(row.kind),
                row.subscriber_id,
                row.consent_id if row.change_id is None else row.change_id,
                row.asked_at,
                row.attempts,
            )
            for row in connection.execute(query)
        )


def count_waiting(store: Store) -> int:
    """Return how many mails wait, whatever for."""
    with store.reading() as connection:
        return _count_waiting(connection)


def count_limited(store: Store) -> int:
    """Return how many mails wait while the limits hold back one of them; 0 while they hold back none.

    Those of lists do not count: that they wait is what the limits are for.
    """
    held_back = select(confirmation_mails.c.id).where(
        confirmation_mails.c.next_at.is_not(None), confirmation_mails.c.limited, _OF_PEOPLE
    )
    with store.reading() as connection:
        if connection.execute(held_back.limit(1)).first() is None:
            return 0
        return _count_waiting(connection, _OF_PEOPLE)


def _count_waiting(connection: Connection, *those: ColumnElement[bool]) -> int:
    query = select(func.count()).where(confirmation_mails.c.next_at.is_not(None), *those)
    return connection.scalar(query) or 0


def full_until(store: Store, scopes: Sequence[Scope], now: datetime) -> datetime | None:
    """Return when one of these limits has room again; None if all have room now."""
    with store.writing() as connection:
        full = quotas.full_scope(connection, scopes, now)
        if full is not None:
            _mark_limited(connection)
    return None if full is None else full.until


def _mark_limited(connection: Connection) -> None:
    """Mark the oldest waiting mail: the limits hold back at least this one."""
    oldest = select(func.min(confirmation_mails.c.id)).where(
        confirmation_mails.c.next_at.is_not(None), _OF_PEOPLE
    )
    connection.execute(
        update(confirmation_mails)
        .where(confirmation_mails.c.id == oldest.scalar_subquery())
        .values(limited=True)
    )


def claim(
    store: Store,
    mail: WaitingMail,
    *,
    scopes: Callable[[EmailAddress], Sequence[Scope]],
    token_hash: str,
    holder: str,
    until: datetime,
    now: datetime,
) -> ClaimedMail | FullScope | None:
    """Claim a mail for the process `holder`, and count it against `scopes` of its address.

    Returns the scope that has no room instead, or None when there is nothing to send: it was sent,
    another process has it, or what it is about was confirmed, cancelled or erased. `token_hash` is
    that of the link in it, stored now: whoever reads the mail may be faster than our next commit.
    """
    with store.writing() as connection:
        row = connection.execute(
            select(confirmation_mails).where(confirmation_mails.c.id == mail.id).with_for_update()
        ).first()
        if row is None or row.next_at is None:
            return None
        if row.holder and row.held_until is not None and row.held_until > now:
            return None
        recipient = _recipient(connection, mail)
        if recipient is None:
            connection.execute(
                update(confirmation_mails)
                .where(confirmation_mails.c.id == mail.id)
                .values(next_at=None, holder="", held_until=None)
            )
            return None
        full = quotas.reserve(connection, scopes(recipient[0]), now)
        connection.execute(
            update(confirmation_mails)
            .where(confirmation_mails.c.id == mail.id)
            .values(
                {"limited": True, "next_at": full.until}
                if full is not None
                else {"limited": False, "holder": holder, "held_until": until}
            )
        )
        if full is not None:
            return full
        _store_token_hash(connection, mail, token_hash)
    return ClaimedMail(mail, *recipient)


def _recipient(connection: Connection, mail: WaitingMail) -> tuple[EmailAddress, str] | None:
    """Return address and language; None if the mail must not be sent any more."""
    if mail.kind.is_about_consent:
        language = func.coalesce(consents.c.chosen_language, subscribers.c.language)
        query = (
            select(subscribers.c.email.label("address"), language.label("language"))
            .join(consents, consents.c.subscriber_id == subscribers.c.id)
            .where(consents.c.id == mail.reference, consents.c.confirmed_at.is_(None))
        )
        if mail.kind is ConfirmationMailKind.LIST:
            # Whoever signed up, left or was suppressed meanwhile is not asked as well.
            another = consents.alias()
            query = query.where(
                subscribers.c.status == SubscriberStatus.PENDING,
                ~exists().where(
                    another.c.subscriber_id == subscribers.c.id, another.c.id > mail.reference
                ),
                suppressions.suppression_reason_sql().is_(None),
            )
    else:
        is_notice = mail.kind is ConfirmationMailKind.CHANGED
        address = address_changes.c.old_email if is_notice else address_changes.c.new_email
        query = (
            select(address.label("address"), subscribers.c.language)
            .join(subscribers, subscribers.c.id == address_changes.c.subscriber_id)
            .where(address_changes.c.id == mail.reference, address != "")
        )
    row = connection.execute(query.where(subscribers.c.id == mail.subscriber)).first()
    return None if row is None else (EmailAddress(row.address), row.language)


def _store_token_hash(connection: Connection, mail: WaitingMail, token_hash: str) -> None:
    if mail.kind is ConfirmationMailKind.CHANGED:
        return
    table = consents if mail.kind.is_about_consent else address_changes
    connection.execute(
        update(table).where(table.c.id == mail.reference).values(token_hash=token_hash)
    )


def mark_mailed(store: Store, mail: WaitingMail, now: datetime) -> None:
    """Record that the relay has accepted the mail. The old address of a change is not kept further."""
    now = now.replace(microsecond=0)
    with store.writing() as connection:
        _end(connection, mail)
        if mail.kind is ConfirmationMailKind.CHANGED:
            _drop_old_address(connection, mail)
            return
        table = consents if mail.kind.is_about_consent else address_changes
        values = {"mailed_at": now}
        if mail.kind is ConfirmationMailKind.LIST:
            # It may have waited for days: the time to answer begins with the question.
            values["given_at"] = now
        connection.execute(update(table).where(table.c.id == mail.reference).values(**values))


def mark_refused(store: Store, mail: WaitingMail, *, now: datetime) -> bool:
    """Record that the relay refused this address for good; returns whether the mail waits all the same.

    There is no further attempt, except in a wave of refusals (`models.refusal_wave`): then all that was
    refused in it waits again, each mail six times at the most.
    """
    with store.writing() as connection:
        _end(connection, mail, refused_at=now)
        waits = mail.id in _put_off_wave(connection, now)
        if mail.kind is ConfirmationMailKind.CHANGED and not waits:
            _drop_old_address(connection, mail)
    return waits


def _put_off_wave(connection: Connection, now: datetime) -> frozenset[int]:
    """Let the mails of the present wave of refusals wait again; returns their ids, none without a wave."""
    wave = find_wave(_recent_outcomes(connection))
    if wave is None:
        return frozenset()
    refused = wave.deliveries if wave.spread else wave.doubtful
    put_off: set[int] = set()
    for attempts, hours in enumerate(_HOURS_IN_A_WAVE):
        statement = (
            update(confirmation_mails)
            .where(
                confirmation_mails.c.id.in_(sorted(refused)),
                confirmation_mails.c.next_at.is_(None),
                confirmation_mails.c.attempts == attempts,
                confirmation_mails.c.id.not_in(sorted(put_off)),
            )
            .values(next_at=now + timedelta(hours=hours), attempts=attempts + 1)
        )
        put_off |= set(connection.scalars(statement.returning(confirmation_mails.c.id)))
    return frozenset(put_off)


def _recent_outcomes(connection: Connection) -> list[Outcome]:
    """Return what became of the newest mails, the last reply first; notices to old addresses left out."""
    settled_at = func.coalesce(
        confirmation_mails.c.held_until, consents.c.mailed_at, address_changes.c.mailed_at
    )
    query = (
        select(
            confirmation_mails.c.id, confirmation_mails.c.email_key, confirmation_mails.c.held_until
        )
        .outerjoin(consents, consents.c.id == confirmation_mails.c.consent_id)
        .outerjoin(address_changes, address_changes.c.id == confirmation_mails.c.change_id)
        .where(
            confirmation_mails.c.holder == "",
            confirmation_mails.c.kind != ConfirmationMailKind.CHANGED,
            settled_at.is_not(None),
        )
        .order_by(settled_at.desc(), confirmation_mails.c.id.desc())
        .limit(_OUTCOMES)
    )
    return [
        Outcome(row.id, row.email_key.rpartition("@")[2] if row.held_until is not None else "")
        for row in connection.execute(query)
    ]


def _drop_old_address(connection: Connection, mail: WaitingMail) -> None:
    connection.execute(
        update(address_changes).where(address_changes.c.id == mail.reference).values(old_email="")
    )


def _end(connection: Connection, mail: WaitingMail, *, refused_at: datetime | None = None) -> None:
    connection.execute(
        update(confirmation_mails)
        .where(confirmation_mails.c.id == mail.id)
        .values(next_at=None, limited=False, holder="", held_until=refused_at)
    )


def postpone(store: Store, mail: WaitingMail, *, next_at: datetime) -> None:
    """Give a claimed mail back: it was not accepted, and is due again at `next_at`."""
    with store.writing() as connection:
        connection.execute(
            update(confirmation_mails)
            .where(confirmation_mails.c.id == mail.id, confirmation_mails.c.next_at.is_not(None))
            .values(attempts=mail.attempts + 1, next_at=next_at, holder="", held_until=None)
        )


def holders(store: Store) -> frozenset[str]:
    """Return the processes that have claimed a mail."""
    query = select(confirmation_mails.c.holder).where(confirmation_mails.c.next_at.is_not(None))
    with store.reading() as connection:
        return frozenset(connection.scalars(query.distinct())) - {""}


def release_held_by(store: Store, holder: str) -> int:
    """Give back what a process that ended had claimed; returns how many mails."""
    with store.writing() as connection:
        return connection.execute(
            update(confirmation_mails)
            .where(confirmation_mails.c.holder == holder)
            .values(holder="", held_until=None)
        ).rowcount


def delete_old(store: Store, *, before: datetime, done_before: datetime) -> None:
    """Delete what was asked for before `before`, whether it was mailed or not, and marks of the limits.

    Those mailed are needed for the cooldown only: they go when asked for before `done_before`. Those of
    lists wait as long as the limits make them.
    """
    with store.writing() as connection:
        connection.execute(
            delete(confirmation_mails).where(
                or_(
                    (confirmation_mails.c.asked_at < before) & _OF_PEOPLE,
                    confirmation_mails.c.next_at.is_(None)
                    & (confirmation_mails.c.asked_at < done_before),
                )
            )
        )
        # Levels have fallen to nothing, and limits count hours, long before.
        connection.execute(delete(request_levels).where(request_levels.c.at < done_before))
        quotas.delete_scopes(connection, f"{SCOPE_PREFIX} to ", before=done_before)


def raise_level(store: Store, scope: str, rate: Rate, now: datetime) -> float:
    """Count one request in the level of `scope`, which falls as fast as `rate` lets mails go.

    Returns the level with this request.
    """
    with store.writing() as connection:
        connection.execute(
            dialect_insert(store.dialect, request_levels)
            .values(scope=scope, level=0.0, at=now)
            .on_conflict_do_nothing()
        )
        query = select(request_levels).where(request_levels.c.scope == scope).with_for_update()
        row = connection.execute(query).one()
        passed = max((now - row.at).total_seconds(), 0.0)
        level: float = max(row.level - passed * rate.limit / rate.seconds, 0.0) + 1
        connection.execute(
            update(request_levels)
            .where(request_levels.c.scope == scope)
            .values(level=level, at=now)
        )
    return level

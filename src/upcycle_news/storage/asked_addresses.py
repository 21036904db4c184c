"""People on lists without proof of consent: each is asked once, and remembered as a keyed hash.

They become pending subscribers with an unconfirmed consent, whose mail is queued with those of sign-ups
(`confirmation_mails`), behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection, insert, select

from upcycle_news.errors import StoreError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import ConfirmationMailKind, SubscriberStatus
from upcycle_news.storage import suppressions
from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import (
    asked_addresses,
    confirmation_mails,
    consents,
    subscribers,
)
from upcycle_news.storage.signups import PURPOSE
from upcycle_news.storage.subscribers import NewSubscriber, chunks, new_row, skip_reason


@dataclass
class AskReport:
    """How many will be asked; `skipped` holds (line, reason)."""

    asked: int = 0
    skipped: list[tuple[int, LocalizedText]] = field(default_factory=list)


def ask_all(
    store: Store,
    new: Iterable[NewSubscriber],
    *,
    source: str,
    wording: Mapping[str, str],
    language: str,
    now: datetime,
    dry_run: bool,
    progress: Callable[[int], None] = lambda _: None,
) -> AskReport:
    """Store pending subscribers and queue the mail that asks each of them, all or none.

    `wording` has the version of the consent texts for each language; `language` is that of subscribers
    without one. Skipped is whoever is known, suppressed, or was asked before. Raises `StoreError` without
    the key of the hashes, since nobody could be remembered.
    """
    if not store.erasure_key:
        raise StoreError(localized("person-key-missing"))
    report = AskReport()
    seen: set[str] = set()
    now = now.replace(microsecond=0)
    with store.writing() as connection:
        for chunk in chunks(new):
            fresh = [
                replace(subscriber, language=subscriber.language or language)
                for subscriber in _unknown(store, connection, chunk, seen, report)
            ]
            if fresh:
                _insert(store, connection, fresh, source=source, wording=wording, now=now)
                report.asked += len(fresh)
            progress(len(chunk))
        if dry_run:
            connection.rollback()
    return report


def _unknown(
    store: Store,
    connection: Connection,
    chunk: list[NewSubscriber],
    seen: set[str],
    report: AskReport,
) -> list[NewSubscriber]:
    """Return those that may be asked; the others are reported."""
    hashes = {new.email.key: suppressions.hash_key(store, new.email) for new in chunk}
    rows = connection.execute(select(subscribers).where(subscribers.c.email_key.in_(list(hashes))))
    known = {row.email_key: row for row in rows}
    asked = frozenset(
        connection.scalars(
            select(asked_addresses.c.hash_key).where(
                asked_addresses.c.hash_key.in_(list(hashes.values()))
            )
        )
    )
    suppressed = suppressions.suppressed_reasons(connection, store, (new.email for new in chunk))
    fresh = []
    for new in chunk:
        key = new.email.key
        reason = skip_reason(key, known.get(key), suppressed, is_twice=key in seen)
        if reason is None and key in known:
            reason = localized("list-confirmed")
        if reason is None and hashes[key] in asked:
            reason = localized("list-asked")
        seen.add(key)
        if reason is None:
            fresh.append(new)
        else:
            report.skipped.append((new.line, reason))
    return fresh


def _insert(
    store: Store,
    connection: Connection,
    new: list[NewSubscriber],
    *,
    source: str,
    wording: Mapping[str, str],
    now: datetime,
) -> None:
    connection.execute(
        insert(subscribers),
        [new_row(store, subscriber, SubscriberStatus.PENDING, now) for subscriber in new],
    )
    keys = [subscriber.email.key for subscriber in new]
    chosen = {subscriber.email.key: subscriber.rhythm for subscriber in new}
    inserted = connection.execute(
        select(subscribers.c.id, subscribers.c.email_key, subscribers.c.language)
        .where(subscribers.c.email_key.in_(keys))
        .order_by(subscribers.c.id)
    ).all()
    connection.execute(
        insert(consents),
        [
            {
                "subscriber_id": row.id,
                "purpose": PURPOSE,
                "source": source,
                "wording": wording.get(row.language, ""),
                "token_hash": "",
                "ip": "",
                "given_at": now,
                "chosen_rhythm": chosen[row.email_key],
            }
            for row in inserted
        ],
    )
    of_new = consents.c.subscriber_id.in_([row.id for row in inserted])
    connection.execute(
        insert(confirmation_mails),
        [
            {
                "kind": ConfirmationMailKind.LIST,
                "subscriber_id": row.subscriber_id,
                "consent_id": row.id,
                # Empty: who signs up themselves meanwhile gets their mail at once.
                "email_key": "",
                "mailbox_key": "",
                "asked_at": now,
                "attempts": 0,
                "limited": False,
                "next_at": now,
                "holder": "",
            }
            for row in connection.execute(
                select(consents.c.id, consents.c.subscriber_id)
                .where(of_new)
                .order_by(consents.c.id)
            ).all()
        ],
    )
    connection.execute(
        insert(asked_addresses),
        [
            {"hash_key": suppressions.hash_key(store, subscriber.email), "asked_at": now}
            for subscriber in new
        ],
    )

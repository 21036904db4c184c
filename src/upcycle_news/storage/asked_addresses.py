"""People on lists without proof of consent: each is asked once, and remembered as a keyed hash.

They become pending subscribers with an unconfirmed consent, whose mail is queued with those of sign-ups
(`confirmation_mails`), behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, insert, select

from upcycle_news.errors import StoreError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import ConfirmationMailKind, SubscriberStatus
from upcycle_news.storage import suppressions
from upcycle_news.storage.chunks import chunks
from upcycle_news.storage.database import Store
from upcycle_news.storage.key_lists import is_one_of_keys, plan_each_time
from upcycle_news.storage.schema import (
    asked_addresses,
    confirmation_mails,
    consents,
)
from upcycle_news.storage.signups import PURPOSE
from upcycle_news.storage.subscribers import (
    NewSubscriber,
    insert_rows,
    new_row,
    skip_reason,
    with_keys,
)
from upcycle_news.storage.suppressions import SuppressionKeys


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
        plan_each_time(connection)
        for chunk in chunks(new):
            keys = [suppressions.suppression_keys(store, one.email) for one in chunk]
            fresh = _unknown(connection, chunk, keys, seen, report)
            if fresh:
                rows = [
                    new_row(one, of_one, SubscriberStatus.PENDING, now, language=language)
                    for one, of_one in fresh
                ]
                insert_rows(connection, rows)
                _ask(connection, fresh, source=source, wording=wording, now=now)
                report.asked += len(fresh)
            progress(len(chunk))
        if dry_run:
            connection.rollback()
    return report


def _unknown(
    connection: Connection,
    chunk: list[NewSubscriber],
    keys: list[SuppressionKeys],
    seen: set[str],
    report: AskReport,
) -> list[tuple[NewSubscriber, SuppressionKeys]]:
    """Return those that may be asked, with their keys; the others are reported."""
    known = with_keys(connection, [of_one.email_key for of_one in keys])
    were_asked = is_one_of_keys(asked_addresses.c.hash_key, connection.dialect.name)
    query = select(asked_addresses.c.hash_key).where(were_asked)
    asked = frozenset(connection.scalars(query, {"keys": [of_one.hash_key for of_one in keys]}))
    suppressed = suppressions.suppressed_by_keys(connection, keys)
    fresh = []
    for new, of_one in zip(chunk, keys, strict=True):
        key = of_one.email_key
        reason = skip_reason(key, known.get(key), suppressed, is_twice=key in seen)
        if reason is None and key in known:
            reason = localized("list-confirmed")
        if reason is None and of_one.hash_key in asked:
            reason = localized("list-asked")
        seen.add(key)
        if reason is None:
            fresh.append((new, of_one))
        else:
            report.skipped.append((new.line, reason))
    return fresh


def _ask(
    connection: Connection,
    new: list[tuple[NewSubscriber, SuppressionKeys]],
    *,
    source: str,
    wording: Mapping[str, str],
    now: datetime,
) -> None:
    """Store the consents that new subscribers are asked for, and queue the mails."""
    chosen = {keys.email_key: subscriber.rhythm for subscriber, keys in new}
    inserted = sorted(with_keys(connection, list(chosen)).values(), key=lambda row: row.id)
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
        [{"hash_key": keys.hash_key, "asked_at": now} for _, keys in new],
    )

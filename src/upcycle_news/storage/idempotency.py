"""Requests that may be repeated: each key is carried out once, and answered again for a day.

After draft-ietf-httpapi-idempotency-key-header: the same key with another request is refused, and so
is a repetition while the first is being carried out.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from upcycle_news.models.api_tokens import Retry, RetryVerdict
from upcycle_news.storage.database import Store
from upcycle_news.storage.dialect_insert import dialect_insert
from upcycle_news.storage.schema import idempotency_keys

KEPT = timedelta(hours=24)
"""How long an answer is given again."""

ABANDONED = timedelta(minutes=5)
"""After which a request without an answer counts as one whose process died: it is carried out anew."""


def begin(store: Store, token: int, key_hash: str, request_hash: str, *, now: datetime) -> Retry:
    """Take a key for this request, or return what became of it before."""
    mine = (idempotency_keys.c.token_id == token, idempotency_keys.c.key_hash == key_hash)
    values = {
        "token_id": token, "key_hash": key_hash, "request_hash": request_hash, "body": "", "at": now,
    }  # fmt: skip
    with store.writing() as connection:
        connection.execute(
            delete(idempotency_keys).where(*mine, idempotency_keys.c.at <= now - KEPT)
        )
        taken = connection.scalar(
            dialect_insert(store.dialect, idempotency_keys)
            .values(values)
            .on_conflict_do_nothing()
            .returning(idempotency_keys.c.token_id)
        )
        if taken is not None:
            return Retry(RetryVerdict.NEW)
        row = connection.execute(select(idempotency_keys).where(*mine).with_for_update()).first()
        if row is None:  # its first request failed just now, and gave it back
            return Retry(RetryVerdict.RUNNING)
        if row.request_hash != request_hash:
            return Retry(RetryVerdict.DIFFERENT)
        if row.status is not None:
            return Retry(RetryVerdict.ANSWERED, row.status, row.body)
        if row.at > now - ABANDONED:
            return Retry(RetryVerdict.RUNNING)
        connection.execute(update(idempotency_keys).where(*mine).values(at=now))
    return Retry(RetryVerdict.NEW)


def finish(store: Store, token: int, key_hash: str, *, status: int, body: str) -> None:
    """Store the answer of a request; `body` holds no personal data."""
    with store.writing() as connection:
        connection.execute(
            update(idempotency_keys)
            .where(idempotency_keys.c.token_id == token, idempotency_keys.c.key_hash == key_hash)
            .values(status=status, body=body)
        )


def give_back(store: Store, token: int, key_hash: str) -> None:
    """Forget a key whose request failed for a reason that may pass: it may be tried again."""
    with store.writing() as connection:
        connection.execute(
            delete(idempotency_keys).where(
                idempotency_keys.c.token_id == token,
                idempotency_keys.c.key_hash == key_hash,
                idempotency_keys.c.status.is_(None),
            )
        )


def delete_old(store: Store, *, now: datetime) -> None:
    """Delete the answers that are not given again any more."""
    with store.writing() as connection:
        connection.execute(delete(idempotency_keys).where(idempotency_keys.c.at <= now - KEPT))

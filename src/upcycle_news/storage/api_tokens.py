"""Tokens of the HTTP API: stored as hashes, looked up by them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, or_, select, update

from upcycle_news.models.api_tokens import ApiScope, ApiToken
from upcycle_news.storage.database import Store
from upcycle_news.storage.dialect_insert import dialect_insert
from upcycle_news.storage.schema import api_tokens


def add(
    store: Store,
    name: str,
    token_hash: str,
    scopes: Collection[ApiScope],
    *,
    expires_at: datetime | None,
    now: datetime,
) -> bool:
    """Store a token; False when one has had this name."""
    values = {
        "name": name,
        "token_hash": token_hash,
        "scopes": sorted(scope.value for scope in scopes),
        "created_at": now,
        "expires_at": expires_at,
    }
    statement = dialect_insert(store.dialect, api_tokens).values(values)
    with store.writing() as connection:
        added = connection.scalar(
            statement.on_conflict_do_nothing(index_elements=[api_tokens.c.name]).returning(
                api_tokens.c.id
            )
        )
    return added is not None


def all_tokens(store: Store) -> tuple[ApiToken, ...]:
    """Return all tokens, oldest first, also those that are revoked or have expired."""
    with store.reading() as connection:
        rows = connection.execute(select(api_tokens).order_by(api_tokens.c.id)).all()
    return tuple(_token(row) for row in rows)


def is_any_valid(store: Store, *, now: datetime) -> bool:
    """Return whether a token may be used now."""
    query = select(api_tokens.c.id).where(
        api_tokens.c.revoked_at.is_(None),
        or_(api_tokens.c.expires_at.is_(None), api_tokens.c.expires_at > now),
    )
    with store.reading() as connection:
        return connection.execute(query.limit(1)).first() is not None


def with_hash(store: Store, token_hash: str) -> ApiToken | None:
    """Return the token with this hash, whatever its state; None without one.

    One look-up in the index, whatever the hash: how near it is to one that is there cannot be
    steered by somebody who does not know the token, since nobody can choose a hash.
    """
    with store.reading() as connection:
        row = connection.execute(
            select(api_tokens).where(api_tokens.c.token_hash == token_hash)
        ).first()
    return None if row is None else _token(row)


def revoke(store: Store, name: str, *, now: datetime) -> bool:
    """Revoke a token; False when none has this name that is not revoked."""
    with store.writing() as connection:
        return bool(
            connection.execute(
                update(api_tokens)
                .where(api_tokens.c.name == name, api_tokens.c.revoked_at.is_(None))
                .values(revoked_at=now)
            ).rowcount
        )


def mark_used(store: Store, token: ApiToken, day: date) -> None:
    """Record the day of the last use; nothing is written a second time on a day."""
    if token.last_used_on == day:
        return
    with store.writing() as connection:
        connection.execute(
            update(api_tokens).where(api_tokens.c.id == token.id).values(last_used_on=day)
        )


def _token(row: Row[Any]) -> ApiToken:
    known = set(ApiScope)
    return ApiToken(
        id=row.id,
        name=row.name,
        # A scope that another version of the program knew means nothing here.
        scopes=frozenset(ApiScope(scope) for scope in row.scopes if scope in known),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_on=row.last_used_on,
    )

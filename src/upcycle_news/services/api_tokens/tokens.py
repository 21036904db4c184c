"""Make, list, check and revoke the tokens of the HTTP API.

A token is 256 random bits, shown once. Stored is its SHA-256: a slow hash is for passwords, which can be
guessed; here there is nothing to guess that more time for each guess would make harder.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from upcycle_news.app.context import AppContext
from upcycle_news.errors import UpcycleError, UsageError
from upcycle_news.i18n.messages import localized
from upcycle_news.models.api_tokens import ApiScope, ApiToken
from upcycle_news.observability.logging import Log
from upcycle_news.storage import api_tokens

log = Log(__name__)

PREFIX = "ucn_"
"""How each token begins, so that scanners for leaked secrets and our own logs recognise it."""

_BYTES = 32
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")


@dataclass(frozen=True, repr=False)
class NewToken:
    """A token that was made, and its secret, which is shown now and never again."""

    token: ApiToken
    secret: str


def create_token(
    context: AppContext, name: str, scopes: Iterable[ApiScope | str], expires: str = ""
) -> NewToken:
    """Make a token; `expires` is the last day on which it works (``2027-01-31``), empty for no end.

    Raises `UsageError` for a name, a scope or a day that cannot be, `UpcycleError` for a name that a token
    has or had.
    """
    if not _NAME.match(name):
        raise UsageError(localized("token-name-bad"))
    chosen = _scopes(scopes)
    expires_at = _end_of(context, expires) if expires else None
    now = context.clock().replace(microsecond=0)
    if expires_at is not None and expires_at <= now:
        raise UsageError(localized("token-expires-past"))
    secret = PREFIX + secrets.token_urlsafe(_BYTES)
    token_hash = hash_of(secret)
    if not api_tokens.add(context.store, name, token_hash, chosen, expires_at=expires_at, now=now):
        raise UpcycleError(localized("token-name-taken", name=name))
    token = api_tokens.with_hash(context.store, token_hash)
    assert token is not None
    log.info("token of the HTTP API made", token=name, scopes=sorted(chosen))
    return NewToken(token, secret)


def _scopes(scopes: Iterable[ApiScope | str]) -> frozenset[ApiScope]:
    names = {part for scope in scopes for part in str(scope).replace(",", " ").split()}
    unknown = sorted(names - set(ApiScope))
    if unknown or not names:
        raise UsageError(localized("token-scopes-bad", scopes=tuple(ApiScope)))
    return frozenset(ApiScope(name) for name in names)


def _end_of(context: AppContext, day: str) -> datetime:
    """Return when a day ends in the publication's time zone."""
    try:
        last = datetime.strptime(day, "%Y-%m-%d").date()
        zone = context.settings.publication.zone
        return datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(localized("token-expires-bad")) from None


def revoke_token(context: AppContext, name: str) -> None:
    """Revoke a token at once; raises `UpcycleError` when none has this name, or it was revoked."""
    if not api_tokens.revoke(context.store, name, now=context.clock().replace(microsecond=0)):
        raise UpcycleError(localized("token-unknown"))
    log.info("token of the HTTP API revoked", token=name)


def hash_of(secret: str) -> str:
    """Return what is stored of a token."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def find_valid_token(context: AppContext, secret: str) -> ApiToken | None:
    """Return the token of a request; None for one that is wrong, revoked or expired.

    The store is asked the same single question in each of these cases, and nothing is compared
    beside it; only for a token that is valid the day of its last use may be written.
    """
    now = context.clock()
    token = api_tokens.with_hash(context.store, hash_of(secret))
    if token is None or not token.is_valid(now):
        return None
    api_tokens.mark_used(context.store, token, now.astimezone(UTC).date())
    return token

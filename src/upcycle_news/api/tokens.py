"""`app.tokens`: who may use the HTTP API, and what for."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from upcycle_news.app.context import AppContext
from upcycle_news.models.api_tokens import ApiScope, ApiToken, Retry, RetryVerdict
from upcycle_news.services.api_tokens.tokens import (
    NewToken,
    create_token,
    find_valid_token,
    revoke_token,
)
from upcycle_news.storage import api_tokens, idempotency

__all__ = ["ApiScope", "ApiToken", "NewToken", "Retry", "RetryVerdict", "Tokens"]


class Tokens:
    """Make, list and revoke tokens; and what the HTTP API asks about the token of a request.

    The API answers nothing but 404 while no token is valid.
    """

    def __init__(self, context: AppContext) -> None:
        """Make the group of an open publication; `App.tokens` is the usual way."""
        self._context = context

    def create(self, name: str, scopes: Iterable[ApiScope | str], *, expires: str = "") -> NewToken:
        """Make a token with these scopes; its secret is in the result, and stored nowhere.

        `expires` is the last day on which it works, such as ``2027-01-31``. Raises `UsageError` for a name
        that is not made of small letters, digits and hyphens, for an unknown scope and for a day that
        has passed; `UpcycleError` when a token has or had this name.
        """
        return create_token(self._context, name, scopes, expires)

    def list(self) -> tuple[ApiToken, ...]:
        """Return all tokens without their secrets, oldest first, also those that work no more."""
        return api_tokens.all_tokens(self._context.store)

    def revoke(self, name: str) -> None:
        """Revoke a token at once; raises `UpcycleError` when none has this name, or it was revoked."""
        revoke_token(self._context, name)

    def any_valid(self) -> bool:
        """Return whether any token works now."""
        return api_tokens.is_any_valid(self._context.store, now=self._context.clock())

    def find_valid(self, secret: str) -> ApiToken | None:
        """Return the token with this secret; None when it is wrong, was revoked or has expired.

        The day of its last use is recorded.
        """
        return find_valid_token(self._context, secret)

    # --- requests that are repeated

    def begin_request(self, token: ApiToken, secret: str, key: str, request: bytes) -> Retry:
        """Take an idempotency key for a request, or return what became of it before.

        `request` is all that makes it the same. Stored are hashes of both, keyed with the token's secret:
        they may hold an address, and say nothing to whoever reads the store.
        """
        return idempotency.begin(
            self._context.store,
            token.id,
            _keyed_hash(secret, key.encode()),
            _keyed_hash(secret, request),
            now=self._context.clock(),
        )

    def finish_request(
        self, token: ApiToken, secret: str, key: str, *, status: int, body: str
    ) -> None:
        """Store the answer that a repetition gets; `body` holds no personal data."""
        idempotency.finish(
            self._context.store,
            token.id,
            _keyed_hash(secret, key.encode()),
            status=status,
            body=body,
        )

    def give_back_request(self, token: ApiToken, secret: str, key: str) -> None:
        """Let a request whose failure may pass be tried again with the same key."""
        idempotency.give_back(self._context.store, token.id, _keyed_hash(secret, key.encode()))


def _keyed_hash(secret: str, text: bytes) -> str:
    return hmac.new(secret.encode("utf-8", "replace"), text, hashlib.sha256).hexdigest()

"""`upcycle-news tokens`: who may use the HTTP API, and its description for programs."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated

import typer

from upcycle_news.cli.output import JsonOption, note, open_publication, print_json, say
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models.api_tokens import ApiScope, ApiToken


def create(
    name: Annotated[str, typer.Argument(help="Who will have it, such as website.")],
    scope: Annotated[
        list[str],
        typer.Option(
            "--scope",
            help="What it may do, given once or more: " + ", ".join(ApiScope) + ".",
            autocompletion=lambda: list(ApiScope),
        ),
    ],
    expires: Annotated[
        str, typer.Option(metavar="DAY", help="The last day on which it works: 2027-01-31.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Make a token for the HTTP API and print it: it is shown now and never again.

    Example: upcycle-news tokens create website --scope subscribers:write --expires 2027-12-31
    """
    with open_publication() as app:
        made = app.tokens.create(name, scope, expires=expires)
        if as_json:
            print_json({**made.token.as_dict(), "token": made.secret})
        else:
            typer.echo(made.secret)
            note(localized("token-shown-once", name=name))
            if made.token.expires_at is None:
                note(localized("token-without-end", name=name))


def list_(as_json: JsonOption = False) -> None:
    """List the tokens with scopes, end and the day of their last use; the tokens themselves are not kept.

    Example: upcycle-news tokens list
    """
    with open_publication() as app:
        tokens, now = app.tokens.list(), app.now
        if not tokens and not as_json:
            say(localized("token-none"))
        for token in tokens:
            if as_json:
                print_json({**token.as_dict(), "valid": token.is_valid(now)})
                continue
            used = localized("token-never-used")
            if token.last_used_on is not None:
                used = localized("token-used", day=token.last_used_on)
            say(
                localized(
                    "token-line", name=token.name, scopes=tuple(sorted(token.scopes)), used=used,
                    state=_state(token, now),
                )
            )  # fmt: skip


def _state(token: ApiToken, now: datetime) -> LocalizedText:
    if token.revoked_at is not None:
        return localized("token-was-revoked", day=token.revoked_at)
    if token.expires_at is None:
        return localized("token-valid")
    if now >= token.expires_at:
        return localized("token-has-expired", at=token.expires_at)
    return localized("token-valid-until", at=token.expires_at)


def revoke(name: Annotated[str, typer.Argument(help="As 'tokens list' names it.")]) -> None:
    """Revoke a token: from now on every request with it is refused.

    Example: upcycle-news tokens revoke website
    """
    with open_publication() as app:
        app.tokens.revoke(name)
        say(localized("token-revoked", name=name))


def openapi() -> None:
    """Print the OpenAPI document of the HTTP API, as /api/v1/openapi.json has it.

    Example: upcycle-news tokens openapi > openapi.json
    """
    from upcycle_news.web.http_api.openapi import openapi_document

    typer.echo(json.dumps(openapi_document(), indent=2, ensure_ascii=False))

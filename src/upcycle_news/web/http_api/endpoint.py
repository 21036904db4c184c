"""`/api/v1`: each request's way from its token to its answer.

In this order: the network's limit · is there any valid token (else 404, as for any unknown page) · the
token · the token's limit · path and method · the token's scope · query and body · the idempotency key ·
the operation. Nothing is said about what a later step would find.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from upcycle_news.api import App
from upcycle_news.api.tokens import RetryVerdict
from upcycle_news.errors import StoreError, StoreMismatchError, UpcycleError
from upcycle_news.observability.logging import Log
from upcycle_news.observability.redaction import redact
from upcycle_news.web.handlers import Handlers
from upcycle_news.web.http_api.limits import Allowance, RequestLimit
from upcycle_news.web.http_api.openapi import ROOT, openapi_document
from upcycle_news.web.http_api.operations import OPERATIONS, Call, Operation
from upcycle_news.web.http_api.problems import Problem
from upcycle_news.web.http_api.requests import (
    bearer_secret,
    idempotency_key,
    read_json,
    read_query,
)
from upcycle_news.web.rate_limit import network_of

log = Log(__name__)

OFF_SECONDS = 5.0
"""How long it may take until the first token is noticed: the store is not asked more often while there is none."""

NETWORKS_FACTOR = 4
"""How many times the limit of a token one network may use up: several programs on one machine."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}
_PARAMETERS = {"id": r"[0-9]{1,10}", "issue": r"[0-9a-z-]{1,20}"}
_ROUTES = tuple(
    (
        re.compile(
            re.sub(r"\{(\w+)\}", lambda m: f"(?P<{m[1]}>{_PARAMETERS[m[1]]})", one.path) + r"\Z"
        ),
        one,
    )
    for one in OPERATIONS
)


def below_root(path: str) -> bool:
    """Return whether a path is the API's."""
    return path == ROOT or path.startswith(f"{ROOT}/")


class HttpApi:
    """Answers the requests below `/api/v1`."""

    def __init__(
        self,
        app: App,
        handlers: Handlers,
        *,
        per_minute: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """A token may ask `per_minute` times a minute; `clock` returns monotonic seconds."""
        self._app, self._handlers, self._clock = app, handlers, clock
        self._of_tokens = RequestLimit(per_minute, clock)
        self._of_networks = RequestLimit(NETWORKS_FACTOR * per_minute, clock)
        self._off_until = -OFF_SECONDS
        self._was_on = False
        self._document: str | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request (ASGI)."""
        request = Request(scope, receive)
        response = await self.respond(request)
        await response(scope, receive, send)

    async def respond(self, request: Request) -> Response:
        """Return the answer; whatever happens is a problem, without internals."""
        allowance: list[Allowance] = []
        try:
            of_network = self._of_networks.take(_network(request))
            if not of_network.allowed and self._was_on:  # a flood costs the store nothing
                raise _network_limit(of_network)
            if not await self._is_on():
                return self._handlers.error_page(request, "missing", 404)
            if not of_network.allowed:
                raise _network_limit(of_network)
            response = await self._answer(request, allowance)
        except Problem as problem:
            response = problem.response()
        except StoreError as error:
            log.error("http api: the store does not answer", why=type(error).__name__)
            response = Problem("unavailable", headers={"Retry-After": "30"}).response()
        except Exception as error:  # its text may hold an address
            log.error("http api failed", why=type(error).__name__)
            response = Problem("internal").response()
        for name, value in _HEADERS.items():
            response.headers[name] = value
        if allowance:
            response.headers.update(allowance[-1].headers("token"))
        return response

    async def _is_on(self) -> bool:
        """Return whether a token is valid; while none is, the store is asked now and then only."""
        if self._clock() < self._off_until:
            return False
        self._was_on = await self._in_thread(lambda: self._app.tokens.any_valid())
        if self._was_on:
            return True
        self._off_until = self._clock() + OFF_SECONDS
        return False

    async def _answer(self, request: Request, allowance: list[Allowance]) -> Response:
        path = request.scope["path"].removeprefix(ROOT)
        if path == "/openapi.json":
            if request.method not in ("GET", "HEAD"):
                raise _method_not_allowed(["GET"])
            return self._openapi()
        secret = bearer_secret(request)
        token = await self._in_thread(lambda: self._app.tokens.find_valid(secret))
        if token is None:
            raise Problem("unauthorized", headers={"WWW-Authenticate": 'Bearer realm="api"'})
        allowance.append(self._of_tokens.take(str(token.id)))
        if not allowance[-1].allowed:
            raise Problem("too-many-requests")
        operation, parameters = _route(request.method, path)
        if operation.scope not in token.scopes:
            raise _missing_scope(operation)
        key = idempotency_key(request) if operation.writes else ""
        query = read_query(request.query_params, operation.query)
        body = await read_json(request, operation.body)
        call = Call(self._app, token, parameters, query, body, self._handlers.mailer.wake)
        return await self._handlers.run_in_thread(self._carry_out, operation, call, secret, key)

    def _openapi(self) -> Response:
        if self._document is None:
            self._document = json.dumps(openapi_document(), ensure_ascii=False)
        return Response(self._document, media_type="application/json")

    # --- in a thread: all of it may ask the store

    def _carry_out(self, operation: Operation, call: Call, secret: str, key: str) -> Response:
        """Run an operation, with a key once for all its repetitions."""
        if not key:
            return self._run(operation, call)
        tokens = self._app.tokens
        retry = tokens.begin_request(call.token, secret, key, _what_is_asked(operation, call))
        if retry.verdict is RetryVerdict.DIFFERENT:
            raise Problem("key-reused")
        if retry.verdict is RetryVerdict.RUNNING:
            raise Problem("key-in-use", headers={"Retry-After": "1"})
        if retry.verdict is RetryVerdict.ANSWERED:
            return _stored(retry.status, retry.body)
        try:
            response = self._run(operation, call)
        except Problem as problem:
            response = problem.response()
        except BaseException:
            tokens.give_back_request(call.token, secret, key)
            raise
        body = bytes(response.body).decode()
        tokens.finish_request(call.token, secret, key, status=response.status_code, body=body)
        return response

    def _run(self, operation: Operation, call: Call) -> Response:
        try:
            result = operation.run(call)
        except StoreMismatchError as error:
            raise self._refused(error) from None
        except StoreError:
            raise
        except UpcycleError as error:
            raise self._refused(error) from None
        if operation.writes:
            log.info("http api", operation=operation.name, token=call.token.name)
        return _answer_of(operation, result)

    def _refused(self, error: UpcycleError) -> Problem:
        """Return the command line's own sentence, in the publication's language."""
        language = self._app.language
        sentence = error.in_language(language).replace(f"{self._app.settings.home}/", "")
        return Problem("refused", redact(sentence), language=language)

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        return await self._handlers.run_in_thread(work)


def _route(method: str, path: str) -> tuple[Operation, Mapping[str, str]]:
    """Return the operation of a request and what its path names; raises `Problem`."""
    wanted = "GET" if method == "HEAD" else method
    allowed = []
    for pattern, operation in _ROUTES:
        if match := pattern.match(path):
            if operation.method == wanted:
                return operation, match.groupdict()
            allowed.append(operation.method)
    if not allowed:
        raise Problem("not-found")
    raise _method_not_allowed(allowed)


def _method_not_allowed(allowed: list[str]) -> Problem:
    names = [name for one in allowed for name in ((one, "HEAD") if one == "GET" else (one,))]
    return Problem("method-not-allowed", headers={"Allow": ", ".join(names)})


def _network(request: Request) -> str:
    return network_of(request.client.host if request.client else "")


def _network_limit(allowance: Allowance) -> Problem:
    return Problem("too-many-requests", headers=allowance.headers("network"))


def _missing_scope(operation: Operation) -> Problem:
    header = f'Bearer error="insufficient_scope", scope="{operation.scope}"'
    return Problem(
        "forbidden",
        f"This needs the scope {operation.scope}.",
        headers={"WWW-Authenticate": header},
        scope=operation.scope.value,
    )


def _what_is_asked(operation: Operation, call: Call) -> bytes:
    """Return what makes a request the same as another one: order and spaces of its JSON do not."""
    body = None if call.body is None else call.body.model_dump(mode="json", exclude_unset=True)
    asked = [operation.name, dict(call.path), body]
    return json.dumps(asked, sort_keys=True, ensure_ascii=False).encode()


def _answer_of(operation: Operation, result: BaseModel | None) -> Response:
    if result is None:
        return Response(status_code=operation.status)
    return JSONResponse(result.model_dump(mode="json"), operation.status)


def _stored(status: int, body: str) -> Response:
    """Return the answer that a request got before."""
    kind = "application/problem+json" if status >= 400 else "application/json"
    media_type = kind if body else None
    return Response(body, status, media_type=media_type, headers={"Idempotent-Replayed": "true"})

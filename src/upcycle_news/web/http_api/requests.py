"""Read requests of the HTTP API: body and query as values, or the problem that says what does not fit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request

from upcycle_news.web.http_api.problems import Problem, invalid
from upcycle_news.web.rate_limit import BodyTooLarge, read_body

MAX_BODY = 16 * 1024
"""Bytes of a request's body."""

_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")
_NUMBER = re.compile(r"-?[0-9]{1,18}\Z")
_MOST_ERRORS = 20


def bearer_secret(request: Request) -> str:
    """Return the token of a request (RFC 6750); empty without one."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def idempotency_key(request: Request) -> str:
    """Return the Idempotency-Key of a request; empty without one. Raises `Problem`."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return ""
    if not _KEY.match(key):
        raise Problem("malformed", "Idempotency-Key has 1 to 255 printable ASCII characters.")
    return key


async def read_json(request: Request, model: type[BaseModel] | None) -> BaseModel | None:
    """Return the body as `model`, None where none is expected; raises `Problem`."""
    try:
        data = await read_body(request, MAX_BODY)
    except BodyTooLarge:
        raise Problem("too-large", f"At most {MAX_BODY} bytes are read.") from None
    except ClientDisconnect:
        raise Problem("malformed", "The body was cut off.") from None
    if model is None:
        if data.strip() not in (b"", b"{}"):
            raise Problem("malformed", "This operation takes no body.")
        return None
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.replace(" ", "").strip('"').lower()
    if kind.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        raise Problem("unsupported-media-type")
    return parse_json(data, model)


def parse_json(data: bytes, model: type[BaseModel]) -> BaseModel:
    """Return JSON as `model`; raises `Problem` that quotes nothing of it."""
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        if error.errors(include_url=False, include_context=False)[0]["type"] == "json_invalid":
            raise Problem("malformed", "The body is no JSON in UTF-8.") from None
        raise invalid(_errors(error)) from None


def read_query(parameters: QueryParams, model: type[BaseModel] | None) -> BaseModel | None:
    """Return the query as `model`, None where none is expected; raises `Problem`."""
    names = [name for name, _ in parameters.multi_items()]
    known = set() if model is None else set(model.model_fields)
    if set(names) - known or len(names) != len(set(names)):
        what = ", ".join(sorted(known)) or "none"
        raise invalid([{"pointer": "", "detail": f"the query takes, once each: {what}"}])
    if model is None:
        return None
    numbers = {
        name
        for name, shape in model.model_json_schema()["properties"].items()
        if shape.get("type") == "integer"
    }
    values: dict[str, Any] = {
        name: int(text) if name in numbers and _NUMBER.match(text) else text
        for name, text in parameters.multi_items()
    }
    return parse_json(json.dumps(values).encode(), model)


def _errors(error: ValidationError) -> list[dict[str, str]]:
    """Return what does not fit and where, with nothing of what was sent: a name may be an address, too."""
    found = []
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        place = one["loc"]
        if one["type"] == "extra_forbidden":
            found.append({"pointer": _pointer(place[:-1]), "detail": "has a member too many"})
        else:
            found.append({"pointer": _pointer(place), "detail": one["msg"]})
    return found[:_MOST_ERRORS]


def _pointer(place: Iterable[str | int]) -> str:
    return "".join(f"/{part}" for part in place)

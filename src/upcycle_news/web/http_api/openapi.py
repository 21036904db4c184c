"""The OpenAPI document of the HTTP API, made of the table of operations."""

from __future__ import annotations

import re
from typing import Any

from pydantic.json_schema import models_json_schema

from upcycle_news.models.api_tokens import ApiScope
from upcycle_news.version import __version__
from upcycle_news.web.http_api.operations import OPERATIONS, Operation
from upcycle_news.web.http_api.problems import CONTENT_TYPE, PROBLEMS, TYPE_PREFIX
from upcycle_news.web.http_api.schemas import HIGHEST_ID, ProblemOut

ROOT = "/api/v1"

_ALWAYS = ("unauthorized", "forbidden", "too-many-requests", "internal", "unavailable")
_PATH_PARAMETERS: dict[str, dict[str, Any]] = {
    "id": {"type": "integer", "minimum": 1, "maximum": HIGHEST_ID},
    "issue": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}(-[0-9]{1,2})?(-c[1-9])?$"},
}


def openapi_document() -> dict[str, Any]:
    """Return the document (OpenAPI 3.1), the same whatever the publication."""
    models = {model for one in OPERATIONS for model in (one.body, one.result) if model}
    pairs = [(model, "validation") for model in sorted(models | {ProblemOut}, key=_name)]
    _, definitions = models_json_schema(pairs, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "upcycle_news",
            "version": __version__,
            "summary": "Subscribers, suppressions, issues and events of a publication.",
        },
        "servers": [{"url": ROOT}],
        "security": [{"token": []}],
        "paths": _paths(),
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of `upcycle-news tokens create`; its scopes: "
                    + ", ".join(ApiScope),
                }
            },
        },
    }


def _name(model: Any) -> str:
    return str(model.__name__)


def _paths() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for one in OPERATIONS:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one)
    return paths


def _operation(one: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary,
        "description": f"Scope: `{one.scope}`",
        "x-scope": one.scope.value,
        "security": [{"token": [one.scope.value]}],
        "responses": _responses(one),
    }
    if parameters := _parameters(one):
        described["parameters"] = parameters
    if one.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _reference(one.body)}},
        }
    return described


def _parameters(one: Operation) -> list[dict[str, Any]]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": _PATH_PARAMETERS[name]}
        for name in re.findall(r"\{(\w+)\}", one.path)
    ]
    if one.query is not None:
        schema = one.query.model_json_schema()
        for name, shape in schema["properties"].items():
            found.append(
                {"name": name, "in": "query", "required": False, "schema": _inlined(shape, schema)}
            )
    if one.writes:
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "The same key gets the same answer for 24 hours.",
                "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
            }
        )
    return found


def _inlined(shape: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a query parameter without references; null is a missing one."""
    shape = {key: value for key, value in shape.items() if key not in ("title", "default")} | (
        {"default": shape["default"]} if shape.get("default") is not None else {}
    )
    for choice in shape.pop("anyOf", []):
        if "$ref" in choice:
            shape |= schema["$defs"][choice["$ref"].rpartition("/")[2]]
    return {key: value for key, value in shape.items() if key != "title"}


def _responses(one: Operation) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "Done"}
    if one.result is not None:
        done["content"] = {"application/json": {"schema": _reference(one.result)}}
    responses = {str(one.status): done}
    for status, kinds in sorted(_problems(one).items()):
        responses[str(status)] = {
            "description": "; ".join(
                f"{PROBLEMS[kind][1]} (`{TYPE_PREFIX}{kind}`)" for kind in kinds
            ),
            "content": {CONTENT_TYPE: {"schema": _reference(ProblemOut)}},
        }
    return responses


def _problems(one: Operation) -> dict[int, list[str]]:
    kinds = [*_ALWAYS, *one.problems, "malformed", "invalid", "too-large"]
    if "{" in one.path or one.name.startswith("find"):
        kinds.append("not-found")
    if one.body is not None:
        kinds.append("unsupported-media-type")
    if one.writes:
        kinds += ["key-in-use", "key-reused"]
    by_status: dict[int, list[str]] = {}
    for kind in dict.fromkeys(kinds):
        by_status.setdefault(PROBLEMS[kind][0], []).append(kind)
    return by_status


def _reference(model: type[Any]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}

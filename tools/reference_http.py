"""The page of the HTTP API's operations, generated from the table that routes them."""

from __future__ import annotations

from collections.abc import Iterator

from upcycle_news.models import EventKind
from upcycle_news.web.http_api.openapi import ROOT
from upcycle_news.web.http_api.operations import OPERATIONS
from upcycle_news.web.http_api.problems import PROBLEMS, TYPE_PREFIX


def http_reference() -> Iterator[str]:
    """Yield the lines: operations with their scopes, then the problems, then the kinds of events."""
    yield f"Below `{ROOT}`. [The guide](../api.md#over-http) shows them in use; what requests and answers hold is said by"
    yield "the [OpenAPI document](openapi.json)."
    yield ""
    yield "| operation | scope | what it does |"
    yield "|---|---|---|"
    for one in OPERATIONS:
        yield f"| `{one.method} {one.path}` | `{one.scope}` | {one.summary} |"
    yield ""
    yield "## Problems"
    yield ""
    yield f"`type` is `{TYPE_PREFIX}` and what stands in the first column. These stay as they are."
    yield ""
    yield "| type | status | title |"
    yield "|---|---|---|"
    for kind, (status, title) in PROBLEMS.items():
        yield f"| `{kind}` | {status} | {title} |"
    yield ""
    yield "## Kinds of events"
    yield ""
    for kind in EventKind:
        yield f"- `{kind}`"

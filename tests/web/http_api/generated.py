"""Requests made of the OpenAPI document: those that fit it, and those that do not quite."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from upcycle_news.web.http_api.openapi import openapi_document

DOCUMENT = openapi_document()

# What people and attackers send: signs of other languages, of SQL, of headers, of paths.
HOSTILE = st.sampled_from(
    ["", " ", "'; --", "\x00", "\r\nX-A: b", "../..", "%00", "\u202e", "\ud7ff", "ä" * 400, "@", "#",
     "a@b", "anna@example.org", "@example.org", "-1", "1e400", "null", "{}", "\U0001f600", "１"]
)  # fmt: skip
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | HOSTILE
)
ANYTHING = st.recursive(
    SCALARS | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(HOSTILE | st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=12,
)


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema of the document without its reference."""
    while "$ref" in schema:
        _, _, name = schema["$ref"].rpartition("/")
        schema = DOCUMENT["components"]["schemas"][name]
    return schema


def fitting(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that fit a schema of the document."""
    schema = resolved(schema)
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of([fitting(choice) for choice in schema["anyOf"]])
    match schema["type"]:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema.get("minimum", -(2**60)), schema.get("maximum", 2**60))
        case "array":
            return st.lists(fitting(schema["items"]), max_size=min(schema.get("maxItems", 5), 5))
        case "object":
            required = set(schema.get("required", ()))
            values = {name: fitting(part) for name, part in schema["properties"].items()}
            return st.fixed_dictionaries(
                {name: value for name, value in values.items() if name in required},
                optional={name: value for name, value in values.items() if name not in required},
            )
        case "string":
            return _text(schema)
    raise AssertionError(schema)


def _text(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "date-time":
        zones = st.sampled_from(["Z", "+14:00", "-12:00"])
        return st.tuples(st.datetimes(), zones).map(lambda two: f"{two[0].isoformat()}{two[1]}")
    examples = schema.get("examples", [])
    text = st.text(max_size=30)
    if pattern := schema.get("pattern"):
        text = st.from_regex(pattern)
    low, high = schema.get("minLength", 0), schema.get("maxLength", 10**6)
    fits = text.filter(lambda value: low <= len(value) <= high)
    return st.sampled_from(examples) | fits if examples else fits


@st.composite
def broken(draw: st.DrawFn, schema: dict[str, Any]) -> Any:
    """Return values that do not quite fit: a member missing, added, or of another kind."""
    value = draw(fitting(schema))
    if not isinstance(value, dict) or draw(st.integers(0, 5)) == 0:
        return draw(ANYTHING)
    what = draw(st.sampled_from(["missing", "added", "other"]))
    if what == "added" or not value:
        return {**value, draw(HOSTILE | st.text(max_size=9)): draw(ANYTHING)}
    name = draw(st.sampled_from(sorted(value)))
    if what == "missing":
        return {key: inner for key, inner in value.items() if key != name}
    return {**value, name: draw(ANYTHING)}

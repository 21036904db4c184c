"""Turn pydantic's errors into sentences with a place and a fix, in every language; never print a value."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from upcycle_news.errors import SettingsError
from upcycle_news.fileio import line_of
from upcycle_news.i18n.messages import LocalizedText, localized


class UnusableValueError(ValueError):
    """A value that a validator of ours refuses; `text` says why, in every language."""

    def __init__(self, text: LocalizedText) -> None:
        super().__init__(str(text))
        self.text = text


def unknown_variable(variable: str, first: str, known: list[str], prefix: str) -> SettingsError:
    """Return the error for an environment variable that is no setting."""
    near = get_close_matches(first, known, n=1)
    if near:
        text = localized("variable-unknown-near", near=prefix + near[0].upper())
    else:
        text = localized("variable-not-known", known=tuple(prefix + name.upper() for name in known))
    return SettingsError(variable, None, text)


def unreadable_variable(error: Exception, prefix: str) -> SettingsError:
    """Return the error for a variable with a list or a table that is not valid JSON."""
    # The exception holds the value, not the name; the value is only compared, never printed.
    value = getattr(error.__cause__, "doc", None)
    names = [name for name in os.environ if name.upper().startswith(prefix)]
    suspects = [name for name in names if os.environ[name] == value] or names
    return SettingsError(
        ", ".join(sorted(suspects)),
        None,
        localized("variable-unreadable", example=f"{prefix}PUBLICATION__NAME"),
    )


def describe_validation_error(
    error: ValidationError, model: type[BaseModel], *, source: str, file_name: str, prefix: str
) -> SettingsError:
    """Return the first error of a validation as one sentence with file:line or variable."""
    first = error.errors(include_url=False, include_input=False)[0]
    keys = tuple(first["loc"])
    names = [str(key) for key in keys if not isinstance(key, int)]
    variable = prefix + "__".join(names).upper()
    where, line = file_name, line_of(source, keys)
    for name in sorted(map(str.upper, os.environ), reverse=True):
        if name in (variable, f"{variable}_FILE") or name.startswith(f"{variable}__"):
            where, line = name, None
    dotted = ".".join(names)
    if first["type"] == "extra_forbidden":
        known = _siblings(model, names[:-1])
        near = get_close_matches(names[-1], known, n=1)
        if near:
            text = localized("setting-unknown-near", name=dotted, near=near[0])
        else:
            text = localized("setting-unknown", name=dotted, known=tuple(known))
        return SettingsError(where, line, text)
    reason = _reason(first["type"], first.get("ctx", {}), first["msg"])
    return SettingsError(where, line, localized("setting-unusable", name=dotted, reason=reason))


def _reason(kind: str, details: Mapping[str, Any], message: str) -> LocalizedText:
    """Return why pydantic refuses a value, by the type of its error."""
    refused = details.get("error")
    if isinstance(refused, UnusableValueError):
        return refused.text
    if kind == "literal_error":
        *others, last = re.findall(r"'([^']*)'", str(details.get("expected", ""))) or [""]
        return localized("value-choice", others=tuple(f'"{o}"' for o in others), last=f'"{last}"')
    limits = {key: f"{details[key]:g}" for key in ("ge", "gt", "le", "lt") if key in details}
    if "ge" in limits:
        return localized("value-at-least", limit=limits["ge"])
    if "gt" in limits:
        return localized("value-more-than", limit=limits["gt"])
    if "le" in limits:
        return localized("value-at-most", limit=limits["le"])
    if "lt" in limits:
        return localized("value-less-than", limit=limits["lt"])
    if kind in ("string_too_short", "too_short"):
        return localized("value-empty")
    if kind.startswith("value_error"):
        return localized("untranslated", text=message.removeprefix("Value error, "))
    return _kind_of_value(kind.partition("_")[0])


def _kind_of_value(kind: str) -> LocalizedText:
    if kind == "int":
        return localized("value-whole-number")
    if kind in ("float", "decimal"):
        return localized("value-number")
    if kind == "bool":
        return localized("value-true-or-false")
    if kind in ("string", "path", "secret"):
        return localized("value-text")
    if kind in ("list", "tuple", "set"):
        return localized("value-list")
    if kind in ("dict", "model", "mapping"):
        return localized("value-table")
    return localized("value-other")


def _siblings(model: type[BaseModel], path: list[str]) -> list[str]:
    """Return the known keys of the table at `path`."""
    current: type[BaseModel] = model
    for name in path:
        field = current.model_fields.get(name)
        annotation = field.annotation if field else None
        arguments = getattr(annotation, "__args__", ())
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            current = annotation
        for inner in arguments:  # of a table by name, or of a list of tables
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                current = inner
    return list(current.model_fields)

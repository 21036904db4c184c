"""Turn pydantic's errors into sentences with a place and a fix; never print a value."""

from __future__ import annotations

import os
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError

from upcycle_news.errors import SettingsError
from upcycle_news.fileio import line_of


def unknown_variable(variable: str, first: str, known: list[str], prefix: str) -> SettingsError:
    """Return the error for an environment variable that is no setting."""
    near = get_close_matches(first, known, n=1)
    names = ", ".join(prefix + name.upper() for name in known)
    hint = f"did you mean {prefix}{near[0].upper()}?" if near else f"known are {names}"
    return SettingsError(variable, None, f"unknown setting; {hint}")


def unreadable_variable(error: Exception, prefix: str) -> SettingsError:
    """Return the error for a variable with a list or a table that is not valid JSON."""
    # The exception holds the value, not the name; the value is only compared, never printed.
    value = getattr(error.__cause__, "doc", None)
    names = [name for name in os.environ if name.upper().startswith(prefix)]
    suspects = [name for name in names if os.environ[name] == value] or names
    return SettingsError(
        ", ".join(sorted(suspects)),
        None,
        'cannot be read: write a list as ["one", "two"], and a table key by key, '
        f"as in {prefix}PUBLICATION__NAME",
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
        hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}"
        return SettingsError(where, line, f"unknown setting '{dotted}'; {hint}")
    message = first["msg"].removeprefix("Value error, ")
    return SettingsError(where, line, f"'{dotted}' cannot be used: {_plain(message)}")


def _plain(message: str) -> str:
    return message[:1].lower() + message[1:] if message.startswith("Input ") else message


def _siblings(model: type[BaseModel], path: list[str]) -> list[str]:
    """Return the known keys of the table at `path`."""
    current: type[BaseModel] = model
    for name in path:
        field = current.model_fields.get(name)
        annotation = field.annotation if field else None
        arguments = getattr(annotation, "__args__", ())
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            current = annotation
        elif arguments and isinstance(arguments[-1], type) and issubclass(arguments[-1], BaseModel):
            current = arguments[-1]
    return list(current.model_fields)

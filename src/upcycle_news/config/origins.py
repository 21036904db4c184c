"""The origin of each setting: the default, newsletter.toml, the environment, or a file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from upcycle_news.config.settings import FILE_NAME, PREFIX, Settings
from upcycle_news.fileio import line_of

MASK = "********"


@dataclass(frozen=True)
class Origin:
    """A setting, its value for people (secrets masked), and its origin.

    `kind` is default, newsletter.toml, environment or file; `where` names line or variable.
    """

    key: str
    value: Any
    kind: str
    where: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"key": self.key, "value": self.value, "from": self.kind, "where": self.where}


def origins(settings: Settings, environment: Mapping[str, str] | None = None) -> list[Origin]:
    """Return every setting in force with its origin, in the order of `Settings`."""
    known = os.environ if environment is None else environment
    variables = {name.upper(): name for name in known if name.upper().startswith(PREFIX)}
    try:
        source = (settings.home / FILE_NAME).read_text(encoding="utf-8-sig")
        table = tomllib.loads(source)
    except (OSError, ValueError):
        source, table = "", {}
    return [
        Origin(
            ".".join(path),
            _display_value(path, value),
            *_find_origin(path, variables, table, source),
        )
        for path, value in _leaves(settings, ())
    ]


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _leaves(getattr(value, name), (*path, name))
    elif isinstance(value, Mapping):
        for name, child in value.items():
            yield from _leaves(child, (*path, str(name)))
    else:
        yield path, value


def _display_value(path: tuple[str, ...], value: Any) -> Any:
    if isinstance(value, SecretStr):
        return MASK if value.get_secret_value() else ""
    if path == ("store",) and value:
        return mask_password(str(value))
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [
            item.model_dump(mode="json") if isinstance(item, BaseModel) else item for item in value
        ]
    return value


def mask_password(url: str) -> str:
    """Return a store's URL without its password and without its options."""
    scheme, sign, rest = url.partition("://")
    login, at, place = rest.rpartition("@")
    user, colon, _ = login.partition(":")
    place = place.partition("?")[0] + ("?…" if "?" in place else "")
    return f"{scheme}{sign}{user}{':' + MASK if colon else ''}{at}{place}"


def has_password(url: str) -> bool:
    """Return True if a store's URL holds a password."""
    login = url.partition("://")[2].rpartition("@")[0]
    return bool(login.partition(":")[2]) or "password=" in url


def _find_origin(
    path: tuple[str, ...], variables: Mapping[str, str], table: Mapping[str, Any], source: str
) -> tuple[str, str]:
    # A variable may stand for a whole table, as JSON.
    for end in range(len(path), 0, -1):
        name = PREFIX + "__".join(path[:end]).upper()
        if name in variables:
            return "environment", variables[name]
        if f"{name}_FILE" in variables:
            return "file", variables[f"{name}_FILE"]
    current: Any = table
    for key in path:
        if not isinstance(current, Mapping) or key not in current:
            return "default", ""
        current = current[key]
    line = line_of(source, path)
    return FILE_NAME, f"{FILE_NAME}:{line}" if line else FILE_NAME

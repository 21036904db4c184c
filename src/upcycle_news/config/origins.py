"""Where each setting came from: the default, newsletter.toml, the environment, or a file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from upcycle_news.config.errors import line_of
from upcycle_news.config.settings import FILE_NAME, PREFIX, Settings

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
        """For programs."""
        return {"key": self.key, "value": self.value, "from": self.kind, "where": self.where}


def origins(settings: Settings, environment: Mapping[str, str] | None = None) -> list[Origin]:
    """Every setting in force, in the order of the reference."""
    known = os.environ if environment is None else environment
    variables = {name.upper(): name for name in known if name.upper().startswith(PREFIX)}
    try:
        source = (settings.home / FILE_NAME).read_text(encoding="utf-8-sig")
        table = tomllib.loads(source)
    except (OSError, ValueError):
        source, table = "", {}
    return [
        Origin(".".join(path), _shown(path, value), *_from(path, variables, table, source))
        for path, value in _leaves(settings, ())
    ]


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _leaves(getattr(value, name), (*path, name))
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from _leaves(one, (*path, str(name)))
    else:
        yield path, value


def _shown(path: tuple[str, ...], value: Any) -> Any:
    if isinstance(value, SecretStr):
        return MASK if value.get_secret_value() else ""
    if path == ("store",) and value:
        return mask_password(str(value))
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def mask_password(url: str) -> str:
    """A store's address without what is secret in it, options included."""
    scheme, sign, rest = url.partition("://")
    login, at, place = rest.rpartition("@")
    user, colon, _ = login.partition(":")
    place = place.partition("?")[0] + ("?…" if "?" in place else "")
    return f"{scheme}{sign}{user}{':' + MASK if colon else ''}{at}{place}"


def has_password(url: str) -> bool:
    """Whether a store's address holds a password."""
    login = url.partition("://")[2].rpartition("@")[0]
    return bool(login.partition(":")[2]) or "password=" in url


def _from(
    path: tuple[str, ...], variables: Mapping[str, str], table: Mapping[str, Any], source: str
) -> tuple[str, str]:
    # A variable may stand for a whole table, as JSON.
    for end in range(len(path), 0, -1):
        name = PREFIX + "__".join(path[:end]).upper()
        if name in variables:
            return "environment", variables[name]
        if f"{name}_FILE" in variables:
            return "file", variables[f"{name}_FILE"]
    found: Any = table
    for key in path:
        if not isinstance(found, Mapping) or key not in found:
            return "default", ""
        found = found[key]
    line = line_of(source, path)
    return FILE_NAME, f"{FILE_NAME}:{line}" if line else FILE_NAME

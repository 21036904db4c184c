"""Settings from `UPCYCLE_NEWS_…` variables, and from the files that those ending in `_FILE` name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel
from pydantic_settings import BaseSettings, EnvSettingsSource
from pydantic_settings import SettingsError as SourceError

from upcycle_news.config.errors import unreadable_variable
from upcycle_news.errors import SettingsError
from upcycle_news.fileio import os_reason, read_given_file
from upcycle_news.i18n.messages import localized


def read_environment(model: type[BaseModel], prefix: str) -> dict[str, Any]:
    """Return what variables say, nested as the fields of `model` are; raises `SettingsError`.

    Lists and tables are JSON, or of a table each key has a variable of its own.
    """
    # A source needs a model's fields only; the settings themselves are no `BaseSettings`, since that takes long to import.
    source = EnvSettingsSource(
        cast("type[BaseSettings]", model), env_prefix=prefix, env_nested_delimiter="__"
    )
    source.env_vars = {
        **_secrets_from_files(os.environ, prefix),
        **{k: v for k, v in source.env_vars.items() if not _names_a_file(k, prefix)},
    }
    try:
        return source()
    except SourceError as error:
        raise unreadable_variable(error, prefix) from None


def merged(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a nested table with changes made to it: what is no table is replaced."""
    result = dict(table)
    for key, value in changes.items():
        known = result.get(key)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            value = merged(known, value)
        result[key] = value
    return result


def _names_a_file(variable: str, prefix: str) -> bool:
    """Return True for `…_FILE`, which names a file with the value; `…__FILE` is a key called file."""
    name = variable.upper()
    return name.startswith(prefix) and name.endswith("_FILE") and not name.endswith("__FILE")


def _secrets_from_files(environment: Mapping[str, str], prefix: str) -> dict[str, str | None]:
    """Return the variable `…_X` with the content of the file that `…_X_FILE` names."""
    secrets: dict[str, str | None] = {}
    for variable, path in environment.items():
        if _names_a_file(variable, prefix):
            try:
                secret = read_given_file(Path(path)).decode("utf-8").strip()
            except OSError as error:
                text = localized("variable-file-unreadable", reason=os_reason(error))
                raise SettingsError(variable, None, text) from None
            except UnicodeDecodeError:
                raise SettingsError(variable, None, localized("variable-file-not-utf8")) from None
            secrets[variable.lower().removesuffix("_file")] = secret
    return secrets

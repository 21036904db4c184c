"""Inspect the store as it is: nothing is created, migrated or written."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from upcycle_news.errors import StoreError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.storage.database import (
    Store,
    current_migration,
    describe_error,
    store_file_exists,
    store_files,
)
from upcycle_news.storage.schema import HEAD

_BUSY = 5  # seconds to wait for the write lock
_CHECK = 20.0  # seconds for the check of every page
_STEPS = 100_000  # of SQLite's virtual machine between two checks of the time


@dataclass(frozen=True)
class StoreFacts:
    """The result of an inspection. `trouble` is a sentence when the store cannot be inspected, else None.

    `damage` is what SQLite found wrong, empty when nothing, None when the check was not finished
    or not made. `size` is in bytes; `exposed` names the files that others than their owner can use; `version` and `newest` are those of the migrations.
    """

    kind: str
    name: str
    exists: bool = True
    version: str | None = None
    newest: str = HEAD
    journal: str = ""
    size: int = 0
    writable: bool = True
    busy: bool = False
    damage: str | LocalizedText | None = None
    exposed: tuple[str, ...] = ()
    trouble: LocalizedText | None = None


def inspect_store(url: str, *, thorough: bool = True) -> StoreFacts:
    """Inspect the store at `url`; `thorough` also checks every page of SQLite. Never raises."""
    try:
        parsed = make_url(url)
        kind = parsed.get_backend_name()
        name = parsed.render_as_string(hide_password=True)
    except SQLAlchemyError:
        return StoreFacts("", "", trouble=localized("store-address-bad"))
    if kind == "sqlite":
        path = Path(parsed.database or "")
        try:
            if not store_file_exists(path):
                return StoreFacts(kind, str(path), exists=False)
        except StoreError as error:
            return StoreFacts(kind, str(path), trouble=error.localized_text)
        name = str(path)
    arguments = {"timeout": _BUSY} if kind == "sqlite" else {"connect_timeout": _BUSY}
    try:
        engine = create_engine(
            parsed, hide_parameters=True, poolclass=NullPool, connect_args=arguments
        )
        version = current_migration(Store(engine, name))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if kind == "sqlite":
                return _sqlite(connection, name, version, thorough=thorough)
            return _postgres(connection, name, version)
    except ModuleNotFoundError:
        return StoreFacts(kind, name, trouble=localized("store-no-driver"))
    except StoreError as error:
        return StoreFacts(kind, name, trouble=error.localized_text)
    except DBAPIError as error:
        return StoreFacts(
            kind, name, trouble=localized("store-said", name=name, why=describe_error(error.orig))
        )
    except SQLAlchemyError:
        return StoreFacts(kind, name, trouble=localized("store-address-bad"))


def _sqlite(
    connection: Connection, name: str, version: str | None, *, thorough: bool
) -> StoreFacts:
    path = Path(name)
    files = [file for file in store_files(path) if file.exists()]
    journal = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar())
    damage = _damage(connection) if thorough else None
    writable, busy = True, False
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.exec_driver_sql("ROLLBACK")
    except DBAPIError as error:
        busy = "locked" in str(error.orig).lower()
        writable = busy
    return StoreFacts(
        "sqlite",
        name,
        version=version,
        journal=journal,
        size=sum(file.stat().st_size for file in files),
        exposed=tuple(file.name for file in files if file.stat().st_mode & 0o077),
        writable=writable,
        busy=busy,
        damage=damage,
    )


def _damage(connection: Connection) -> str | LocalizedText | None:
    raw: Any = connection.connection.driver_connection
    deadline = time.monotonic() + _CHECK
    raw.set_progress_handler(lambda: int(time.monotonic() > deadline), _STEPS)
    try:
        verdict = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    except DBAPIError as error:
        if "interrupted" in str(error.orig):
            return None
        return describe_error(error.orig)
    finally:
        raw.set_progress_handler(None, 0)
    return "" if verdict == "ok" else verdict.splitlines()[-1]


def _postgres(connection: Connection, name: str, version: str | None) -> StoreFacts:
    size = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar()
    read_only = str(connection.exec_driver_sql("SHOW transaction_read_only").scalar())
    server = str(connection.exec_driver_sql("SHOW server_version").scalar())
    return StoreFacts(
        "postgresql",
        name,
        version=version,
        journal=f"PostgreSQL {server.split()[0]}",
        size=int(size or 0),
        writable=read_only == "off",
    )

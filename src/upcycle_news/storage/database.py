"""The store: SQLite in WAL mode by default, Postgres by its address; migrated when it is older.

Durability: with SQLite's ``synchronous=NORMAL`` a commit survives the death of the process, not a
power cut; with Postgres the server's settings decide.
"""

from __future__ import annotations

import json
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Dialect, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from upcycle_news.errors import StoreError
from upcycle_news.fileio import os_reason
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.observability.logging import Log
from upcycle_news.storage.schema import HEAD

log = Log(__name__)

BUSY_SECONDS = 30
_OWNER_ONLY = 0o600

# Migrations of the versions before the first release; there is no way forward from them.
PRE_RELEASES = frozenset({"0001", "0002", "0003", "0004", "0005", "0006"})


class Store:
    """An open store. Every use is one transaction: `reading()`, `writing()`, `snapshot()`."""

    def __init__(self, engine: Engine, name: str, *, raw_engine: Engine | None = None) -> None:
        """Wrap `engine`; `name` is what error messages call the store (never a password).

        `raw_engine` is that of `raw_cursor`, `engine` itself unless given.
        """
        self._engine, self._raw_engine = engine, raw_engine or engine
        # Connections of `raw_cursor` that nobody uses now. Taking one from the engine's pool and giving it
        # back for each commit of a worker would cost as much as a third of the commit.
        self._spare_raw: list[Any] = []
        self.name = name
        self.dialect = engine.dialect.name
        # Keys the hashes of erased subscribers; set by the application, which reads the secrets.
        self.erasure_key = b""

    @property
    def place(self) -> str:
        """The file or the address of the store, without a password."""
        return self.name.removeprefix("store ")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that reads; raises `StoreError`."""
        with self._translate_errors(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes everything or nothing; raises `StoreError`."""
        with self._translate_errors(), self._engine.connect() as connection:
            # SQLite: take the write lock at once, or two writers that read first would deadlock.
            connection = connection.execution_options(immediate=True)
            with connection.begin():
                yield connection

    @contextmanager
    def changing_schema(self) -> Iterator[Connection]:
        """`writing()` for a migration; raises `StoreError` also for a reference to a row that is gone.

        SQLite changes a table by making it anew, and dropping the old one would delete what refers to
        it: references are not followed meanwhile, which no transaction can set, but checked at its end.
        """
        if self.dialect != "sqlite":
            with self.writing() as connection:
                yield connection
            return
        with self._translate_errors(), self._engine.connect() as connection:
            raw: Any = connection.connection.driver_connection
            raw.execute("PRAGMA foreign_keys=OFF")
            try:
                connection = connection.execution_options(immediate=True)
                with connection.begin():
                    yield connection
                    broken = connection.execute(text("PRAGMA foreign_key_check")).first()
                    if broken is not None:
                        raise StoreError(
                            localized("store-reference-broken", name=self.name, table=broken[0])
                        )
            finally:
                raw.execute("PRAGMA foreign_keys=ON")

    @contextmanager
    def raw_cursor(self) -> Iterator[Any]:
        """`writing()` with the driver's own cursor, for `CompiledStatement`; raises `StoreError`.

        Polls for SQLite's write lock more often than SQLite does, which sleeps for whole
        milliseconds: several workers that alternate would mostly sleep. After a restart of
        Postgres the first use raises, the next one connects anew.
        """
        raw = self._raw_connection()
        try:
            cursor = raw.cursor()
            if self.dialect == "sqlite":
                _begin_immediate(cursor)
            yield cursor
            raw.commit()
        except self._engine.dialect.loaded_dbapi.Error as error:
            raw.invalidate()  # a lost connection cannot even roll back
            raise StoreError(
                localized("store-said", name=self.name, why=describe_error(error))
            ) from None
        except BaseException:
            raw.rollback()
            self._spare_raw.append(raw)
            raise
        self._spare_raw.append(raw)

    def _raw_connection(self) -> Any:
        with suppress(IndexError):
            return self._spare_raw.pop()
        with self._translate_errors():
            raw = self._raw_engine.raw_connection()
            if self.dialect == "sqlite":
                raw.cursor().execute("PRAGMA busy_timeout=0")  # `_begin_immediate` waits
            return raw

    @property
    def sql_dialect(self) -> Dialect:
        """The dialect that statements are compiled for."""
        return self._engine.dialect

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A transaction whose queries all see the same state, whatever is written meanwhile."""
        with self._translate_errors(), self._engine.connect() as connection:
            if self.dialect == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @property
    def file(self) -> Path | None:
        """The file of SQLite; None for Postgres."""
        return Path(self._engine.url.database or "") if self.dialect == "sqlite" else None

    def checkpoint(self) -> None:
        """Empty SQLite's write-ahead log, which still holds erased data; open readers may delay it."""
        if self.dialect == "sqlite":
            self.execute_outside_transaction("PRAGMA wal_checkpoint(TRUNCATE)")

    def shrink(self, table: str) -> None:
        """Give the room of deleted rows back to the disk: of SQLite's file, or of a table in Postgres.

        It is written anew, so that it takes as much room again meanwhile, and others wait.
        """
        if self.dialect == "sqlite":
            self.execute_outside_transaction("VACUUM")
            self.checkpoint()
            return
        with self._translate_errors(), self._engine.connect() as connection:
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            alone.execute(text(f"VACUUM (FULL, ANALYZE) {table}"))

    def execute_outside_transaction(self, statement: str, *parameters: str) -> None:
        """Run one statement of SQLite outside of any transaction; raises `StoreError`."""
        with self._translate_errors(), self._engine.connect() as connection:
            raw = connection.connection.driver_connection
            if raw is not None:
                raw.execute(statement, parameters)

    def close(self) -> None:
        """Close all connections."""
        while self._spare_raw:
            self._spare_raw.pop().invalidate()
        self._engine.dispose()
        self._raw_engine.dispose()

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:
            raise StoreError(
                localized("store-said", name=self.name, why=describe_error(error))
            ) from None


def open_store(url: str, *, migrated: bool = True) -> Store:
    """Open, create or migrate the store at `url`; raises `StoreError` with place and cure.

    Without `migrated` it is opened as it is: older, newer, or without tables.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise ArgumentError
        name = parsed.render_as_string(hide_password=True)
        if parsed.get_backend_name() == "sqlite":
            if not parsed.database:
                raise StoreError(localized("store-name-file"))
            name = parsed.database
            _make_folder(Path(parsed.database).parent, name)
            store_file_exists(Path(parsed.database))
        options = {
            "hide_parameters": True,
            "connect_args": _connect_args(parsed),
            "json_serializer": _to_json,
            "json_deserializer": from_json,
        }
        if parsed.get_backend_name() == "sqlite":
            engine = raw_engine = create_engine(parsed, **options)
        else:
            # After a restart of the server no pooled connection works any more: each is tried when
            # it is taken from the pool. Not for `raw_cursor`, where that is a round trip for every
            # commit of a worker, and `delivery.engine.RetryingLedger` tries again.
            engine = create_engine(parsed, pool_pre_ping=True, **options)
            raw_engine = create_engine(parsed, **options)
    except (ArgumentError, NoSuchModuleError):
        raise StoreError(localized("store-address-bad")) from None
    except ModuleNotFoundError:
        raise StoreError(localized("store-no-driver")) from None
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
    store = Store(engine, name, raw_engine=raw_engine)
    if migrated:
        migrate(store)
    return store


def _to_json(value: Any) -> str:
    return "[]" if value == [] else json.dumps(value)  # of a million readers few are in a group


def from_json(text_of_value: str) -> Any:
    """Return a value of a column of JSON from its text; raises `DamagedValueError`."""
    try:
        return [] if text_of_value == "[]" else json.loads(text_of_value)
    except ValueError:
        raise DamagedValueError(localized("store-value-damaged")) from None


class DamagedValueError(StoreError):
    """A value in the store is not what is ever written there."""


@contextmanager
def naming_damage() -> Iterator[None]:
    """Turn what a decoder raises for a damaged value into `DamagedValueError`."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError):
        raise DamagedValueError(localized("store-value-damaged")) from None


def _connect_args(url: Any) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"timeout": BUSY_SECONDS}
    return {"client_encoding": "utf8"}  # else bytes come from a cluster without a locale, SQL_ASCII


def _make_folder(folder: Path, name: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            localized("store-no-folder", name=name, folder=folder, why=os_reason(error))
        ) from None


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # We begin transactions ourselves: the driver's own begin comes too late for a lock.
        connection.isolation_level = None
        cursor = connection.cursor()
        _close_to_others(cursor)
        _use_wal(cursor)
        # Erased means overwritten, also where a row lay before its page was split: some builds of
        # SQLite leave the bytes.
        for pragma in ("synchronous=NORMAL", "foreign_keys=ON", "secure_delete=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def store_files(file: Path) -> tuple[Path, Path, Path]:
    """Return the files of a store of SQLite: its own, the write-ahead log and its index."""
    return file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")


def _close_to_others(cursor: Any) -> None:
    """Make the store's files readable by their owner only: they hold the readers' addresses.

    Before the write-ahead log is made, which gets the mode of the store's file. Who is not the owner
    leaves them as they are, and `upcycle-news doctor` tells.
    """
    for _, name, file in cursor.execute("PRAGMA database_list").fetchall():
        if name != "main" or not file:  # a store in memory has no file
            continue
        for path in store_files(Path(file)):
            with suppress(OSError):
                found = path.stat()
                mode = stat.S_IMODE(found.st_mode)
                # A new one is as the umask made it; one that its owner may only read stays so.
                wanted = mode & _OWNER_ONLY if found.st_size else _OWNER_ONLY
                if mode != wanted:
                    path.chmod(wanted)


def store_file_exists(path: Path) -> bool:
    """Return True if a store of SQLite is there; raises `StoreError` for what can be none.

    SQLite would wait for ever for a pipe, and cannot say that something is a folder.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreError(localized("store-not-seen", path=path, why=os_reason(error))) from None
    if not stat.S_ISREG(mode):
        what = localized("what-folder") if stat.S_ISDIR(mode) else localized("what-pipe")
        raise StoreError(localized("store-no-file", path=path, what=what))
    return True


def _begin_immediate(cursor: Any) -> None:
    deadline, pause = time.monotonic() + BUSY_SECONDS, 0.00005
    while True:
        try:
            cursor.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(pause)
            pause = min(pause * 1.5, 0.01)
        else:
            return


def _use_wal(cursor: Any) -> None:
    """Switch to WAL. Processes that open a new store at once collide here, and SQLite does not wait."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if version is None else str(version)


def current_migration(store: Store) -> str | None:
    """Return the newest migration applied to a store; None for one without tables."""
    with store.reading() as connection:
        return _version(connection)


def migrate(store: Store, to: str | None = None) -> None:
    """Migrate a store to `to` (`HEAD`) in one transaction: one that fails leaves it as it was.

    Of several processes one migrates and the others wait. Raises `StoreError`, also for a store
    that a newer version or a pre-release made.
    """
    to = to or HEAD
    if current_migration(store) == to:
        return
    with store.changing_schema() as connection:
        if store.dialect == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(7503210)"))
        version = _version(connection)  # another process may have been faster
        if version == to:
            return
        raise_if_unsupported_migration(store.name, version)
        from alembic import command, util
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, to)
        except util.CommandError:
            raise StoreError(
                localized("store-other-program", name=store.name, version=version)
            ) from None
    log.info("store migrated", before=version or "empty", now=to)


def raise_if_unsupported_migration(name: str, version: str | None) -> None:
    """Raise `StoreError` for the migration of a pre-release, or one newer than `HEAD`.

    `name` is what holds the migration: a store or a backup.
    """
    if version in PRE_RELEASES:
        raise StoreError(localized("store-pre-release", name=name, version=version))
    if version is not None and version > HEAD:
        raise StoreError(localized("store-newer", name=name, version=version, known=HEAD))


def describe_error(error: BaseException | None) -> LocalizedText:
    """Say what a driver's error means and what to do; its own text may hold parameters."""
    error = getattr(error, "orig", None) or error
    text_of_error = str(error).lower()
    if "deadlock" in text_of_error:
        return localized("fault-same-moment")
    if "locked" in text_of_error or "busy" in text_of_error or "lock timeout" in text_of_error:
        return localized("fault-locked", seconds=BUSY_SECONDS)
    if "readonly" in text_of_error or "read-only" in text_of_error:
        return localized("fault-read-only")
    if "full" in text_of_error or "no space" in text_of_error:
        return localized("fault-full")
    if "not a database" in text_of_error or "malformed" in text_of_error:
        return localized("fault-damaged")
    if "unable to open" in text_of_error:
        return localized("fault-not-opened")
    if "disk i/o" in text_of_error:
        return localized("fault-disk")
    if "OperationalError" in _class_names(error) and "connect" in text_of_error:
        return localized("fault-silent")
    log.debug("store error", kind=type(error).__name__)
    return localized("fault-refused", kind=type(error).__name__)


def _class_names(error: BaseException | None) -> list[str]:
    """Return the names of an error's classes: drivers share these (PEP 249), not the classes."""
    return [base.__name__ for base in type(error).__mro__]

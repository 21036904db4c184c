"""Open the store: SQLite in WAL mode by default, Postgres by address; migrated when it is older.

Durability: with SQLite's ``synchronous=NORMAL`` a commit survives the death of the process, not a
power cut; Postgres keeps its own promise.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Dialect, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from upcycle_news.errors import StoreError
from upcycle_news.observability.logging import Log
from upcycle_news.storage.restarts import mind_restarts
from upcycle_news.storage.schema import HEAD

log = Log(__name__)

BUSY_SECONDS = 30


class Store:
    """An open store. Every use is one transaction: `reading()` or `writing()`."""

    def __init__(self, engine: Engine, name: str) -> None:
        """Wrap `engine`; `name` is what error messages call the store (never a password)."""
        self._engine = engine
        self.name = name
        self.dialect = engine.dialect.name
        # Keys the hashes of forgotten people; set by whoever holds the secrets.
        self.erasure_key = b""

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the store; raises `StoreError`."""
        with self._told(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes: all of it or nothing; raises `StoreError`."""
        with self._told(), self._engine.connect() as connection:
            # SQLite: take the write lock at once, or two writers that read first would deadlock.
            connection = connection.execution_options(immediate=True)
            with connection.begin():
                yield connection

    @contextmanager
    def driving(self) -> Iterator[Any]:
        """`writing()` with the driver's own cursor, for `Prepared` statements; raises `StoreError`.

        It looks for SQLite's write lock more often than SQLite does, which sleeps for whole
        milliseconds: several senders that take turns would mostly sleep.
        """
        raw = None
        try:
            with self._told():
                raw = self._engine.raw_connection()
            cursor = raw.cursor()
            if self.dialect == "sqlite":
                _begin_immediate(cursor)
            yield cursor
            raw.commit()
        except self._engine.dialect.loaded_dbapi.Error as error:
            if raw is not None:
                raw.invalidate()  # one that is lost cannot even roll back
            raise StoreError(f"{self.name}: {sentence(error)}") from None
        finally:
            if raw is not None:
                raw.close()  # which rolls back what was not committed

    @property
    def driver(self) -> Dialect:
        """For what statements are prepared."""
        return self._engine.dialect

    @contextmanager
    def still(self) -> Iterator[Connection]:
        """A transaction that sees one moment, however long it reads and whoever writes meanwhile."""
        with self._told(), self._engine.connect() as connection:
            if self.dialect == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @property
    def file(self) -> Path | None:
        """SQLite's file; None for a server."""
        return Path(self._engine.url.database or "") if self.dialect == "sqlite" else None

    def checkpoint(self) -> None:
        """Empty SQLite's write-ahead log, which still holds what was erased; readers may delay it."""
        if self.dialect == "sqlite":
            self.execute_alone("PRAGMA wal_checkpoint(TRUNCATE)")

    def execute_alone(self, statement: str, *parameters: str) -> None:
        """Run one statement of SQLite outside of any transaction; raises `StoreError`."""
        with self._told(), self._engine.connect() as connection:
            raw = connection.connection.driver_connection
            if raw is not None:
                raw.execute(statement, parameters)

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:
            raise StoreError(f"{self.name}: {sentence(error)}") from None


def open_store(url: str, *, migrated: bool = True) -> Store:
    """Open, create or migrate the store at `url`; raises `StoreError` with place and cure.

    Without `migrated` it is taken as it is: older, newer, or without tables.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise ArgumentError
        name = f"store {parsed.render_as_string(hide_password=True)}"
        if parsed.get_backend_name() == "sqlite":
            if not parsed.database:
                raise StoreError("UPCYCLE_NEWS_STORE: write a file, as in sqlite:///var/upcycle.db")
            name = f"store {parsed.database}"
            _make_folder(Path(parsed.database).parent, name)
        engine = create_engine(parsed, hide_parameters=True, connect_args=_connect_args(parsed))
    except (ArgumentError, NoSuchModuleError):
        raise StoreError(
            "UPCYCLE_NEWS_STORE is not a store's address: write sqlite:///var/upcycle.db "
            "or postgresql+psycopg://user@host/database"
        ) from None
    except ModuleNotFoundError:
        raise StoreError(
            "UPCYCLE_NEWS_STORE names Postgres, whose driver is not installed: "
            "install upcycle-news[postgres]"
        ) from None
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
    else:
        mind_restarts(engine)
    store = Store(engine, name)
    if migrated:
        migrate(store)
    return store


def _connect_args(url: Any) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"timeout": BUSY_SECONDS}
    return {"client_encoding": "utf8"}  # else bytes come from a cluster without a locale, SQL_ASCII


def _make_folder(folder: Path, name: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{name}: cannot make the folder {folder} ({error.strerror}); "
            "make it writable or set UPCYCLE_NEWS_STATE to another folder"
        ) from None


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # We begin transactions ourselves: the driver's own begin comes too late for a lock.
        connection.isolation_level = None
        cursor = connection.cursor()
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


def _begin_immediate(cursor: Any) -> None:
    deadline, pause = time.monotonic() + BUSY_SECONDS, 0.00005
    cursor.execute("PRAGMA busy_timeout=0")
    try:
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
    finally:
        cursor.execute(f"PRAGMA busy_timeout={1000 * BUSY_SECONDS}")


def _use_wal(cursor: Any) -> None:
    """Switch to WAL. Several who open a new store at once collide here, and SQLite does not wait."""
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
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def migration(store: Store) -> str | None:
    """The newest migration a store has seen; None for one without tables."""
    with store.reading() as connection:
        return _version(connection)


def migrate(store: Store, to: str = HEAD) -> None:
    """Bring a store forward, in one transaction: a migration that fails leaves it as it was.

    Of several processes one migrates and the others wait. Raises `StoreError`, also for a store
    that is newer than this program.
    """
    if migration(store) == to:
        return
    with store.writing() as connection:
        if store.dialect == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(7503210)"))
        version = _version(connection)  # another process may have been faster
        if version == to:
            return
        if version is not None and version > to:
            raise StoreError(
                f"{store.name} was written by a newer version of upcycle-news ({version}, "
                f"this one knows {to}): install the newer version, or restore a backup"
            )
        from alembic import command, util
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, to)
        except util.CommandError:
            raise StoreError(
                f"{store.name} belongs to another program (its migration is {version}): name a "
                "database of its own; nothing was changed"
            ) from None
    log.info("the store was migrated", before=version or "empty", now=to)


def sentence(error: BaseException | None) -> str:
    """What the driver's error means, and what to do; the error itself may hold parameters."""
    error = getattr(error, "orig", None) or error
    said = str(error).lower()
    if "deadlock" in said:
        return "another program did the same at the same moment; try again"
    if "locked" in said or "busy" in said or "lock timeout" in said:
        return f"is locked by another program for more than {BUSY_SECONDS} s; let it finish, retry"
    if "readonly" in said or "read-only" in said:
        return "cannot be written to; check the owner and the permissions of the file and folder"
    if "full" in said or "no space" in said:
        return "the disk is full; make room and start again, nothing was half-written"
    if "not a database" in said or "malformed" in said:
        return "is not a store of ours or is damaged; restore a backup"
    if "unable to open" in said:
        return "cannot be opened; check that the folder exists and is writable"
    if "disk i/o" in said:
        return "the disk reported an error (it may be full); nothing was half-written"
    if "OperationalError" in _kinds(error) and "connect" in said:
        return "does not answer; check host, port and that the server runs"
    log.debug("an error of the store", kind=type(error).__name__)
    return f"refused the operation ({type(error).__name__})"


def _kinds(error: BaseException | None) -> list[str]:
    """The names of an error's classes: drivers share them (PEP 249), not the classes."""
    return [kind.__name__ for kind in type(error).__mro__]

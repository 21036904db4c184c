"""Rules for the tests themselves."""

from __future__ import annotations

import socket
import tomllib
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def test_every_marker_is_used() -> None:
    project = tomllib.loads((TESTS.parent / "pyproject.toml").read_text(encoding="utf-8"))
    markers = [
        line.partition(":")[0] for line in project["tool"]["pytest"]["ini_options"]["markers"]
    ]
    sources = "".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("*.py"))
    assert [name for name in markers if f"pytest.mark.{name}" not in sources] == []


@pytest.mark.parametrize("address", ["192.0.2.1", "smtp.example.org", "2001:db8::1"])
def test_a_test_that_connects_to_another_machine_fails(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for connect in ("connect", "connect_ex"):
        with (
            socket.socket(family) as client,
            pytest.raises(AssertionError, match="a test tried to connect to"),
        ):
            getattr(client, connect)((address, 25))

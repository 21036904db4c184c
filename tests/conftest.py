"""What all tests share: nobody leaves this machine, and a publication to work with."""

from __future__ import annotations

import ipaddress
import logging
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .delivery.memory_ledger import Clock

if TYPE_CHECKING:
    from .publications import Publication


@pytest.fixture(autouse=True)
def _nobody_leaves_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to anything but loopback or a local socket fails the test."""

    def guarded(name: str) -> Any:
        original = getattr(socket.socket, name)

        def connect(self: socket.socket, address: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_here(address[0]):
                raise AssertionError(f"a test wanted to leave this machine: {address}")
            return original(self, address)

        return connect

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, guarded(name))


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


def pytest_configure() -> None:
    """A suite that a shell started in the background ignores Ctrl-C, and so would all it starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _a_clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the person who runs the tests are none of the tests' business."""
    for name in os.environ:
        if name.startswith("UPCYCLE_NEWS_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A newsroom that opens routes the log of its process; the next test finds it unrouted."""
    loggers = [logging.getLogger(name) for name in (None, "upcycle_news", "uvicorn")]
    before = [(one, one.level, one.propagate, list(one.handlers)) for one in loggers]
    yield
    for logger, level, propagate, handlers in before:
        logger.setLevel(level)
        logger.propagate = propagate
        logger.handlers[:] = [one for one in logger.handlers if one in handlers]


@pytest.fixture
def clock() -> Clock:
    """Thursday, 26 November 2026, seven in the morning in Berlin, until a test moves it."""
    return Clock()


@pytest.fixture(scope="session")
def _fresh_publication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A publication as `init` makes it, with settings that can send and a migrated store."""
    from .publications import lay_out  # here: most tests need no publication and start faster

    return lay_out(tmp_path_factory.mktemp("publication") / "umbaupost")


@pytest.fixture
def publication(
    _fresh_publication: Path, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Publication]:
    """A publication of one's own, and the current folder is in it."""
    from .publications import Publication

    home = tmp_path / "umbaupost"
    shutil.copytree(_fresh_publication, home)
    monkeypatch.chdir(home)
    with Publication(home, clock) as made:
        yield made

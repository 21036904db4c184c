"""Prefect's server, a runner of all schedules, and the web pages, as processes on this machine."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from upcycle_news.errors import UpcycleError
from upcycle_news.fileio import os_reason, write_atomically
from upcycle_news.i18n.messages import localized
from upcycle_news.prefect_api.client import ADDRESS_FILE, PrefectClient
from upcycle_news.prefect_api.environment import server_environment

RUNNER = "upcycle_news_flows.serve"  # the module that serves the deployments of prefect.yaml
# What a run does stands beside it in Prefect's pages: Prefect's lines, and ours, which name nobody.
_RUN_LOGS = {"PREFECT_LOGGING_EXTRA_LOGGERS": "upcycle_news", "UPCYCLE_NEWS_LOG__LEVEL": "info"}
_WEB = "from upcycle_news.cli import main; main()"  # the command line, whatever it is installed as
_START = 120.0  # seconds a server may take to answer; the first time it makes its database
_STOP = 15.0  # seconds a process may take to end before it is killed


def run_local_server(
    home: Path,
    prefect_home: Path,
    *,
    host: str,
    port: int,
    web: tuple[str, int] | None,
    stopping: Callable[[], bool],
    on_starting: Callable[[], None],
    on_started: Callable[[str, bool], None],
) -> None:
    """Run the server and the runner of the publication in `home` until `stopping` returns True.

    The web pages run beside them at the host and port of `web`, unless something has that port already.
    `on_starting` is called before the server is started, `on_started` when all run, with the address of
    Prefect's pages and whether the web pages were started. Raises `UpcycleError` when the server's port is
    taken, another server runs for this publication, other machines could reach it without a login, or one
    of the processes ends.
    """
    environment = server_environment(os.environ, prefect_home, host=host, port=port)
    environment["UPCYCLE_NEWS_HOME"] = str(home)
    url = environment["PREFECT_API_URL"]
    client = PrefectClient(url, environment.get("PREFECT_API_AUTH_STRING", ""))
    if client.is_healthy():
        raise UpcycleError(localized("up-port-answers", url=url))
    address = prefect_home / ADDRESS_FILE
    with _only_one(prefect_home):
        _refuse_taken(host, port)
        on_starting()
        server = _start(
            ["-m", "prefect", "server", "start", "--host", host, "--port", str(port)],
            environment,
            home,
        )
        runner = pages = None
        try:
            _wait(client, server, stopping)
            if not stopping():
                run_environment = {**_RUN_LOGS, **environment, **_log_level(os.environ)}
                runner = _start(["-W", "ignore", "-m", RUNNER], run_environment, home)
                write_atomically(address, url.encode())
                if web is not None and _is_free(*web):
                    pages = _start(
                        ["-c", _WEB, "web", "--host", web[0], "--port", str(web[1])],
                        environment,
                        home,
                    )
                on_started(url.removesuffix("/api"), pages is not None)
            while not stopping() and server.poll() is None:
                if runner is not None and runner.poll() is not None:
                    raise UpcycleError(localized("up-runner-ended", runner=RUNNER))
                if pages is not None and pages.poll() is not None:
                    raise UpcycleError(localized("up-pages-ended"))
                time.sleep(0.2)
        finally:
            address.unlink(missing_ok=True)
            for process in (pages, runner, server):
                _stop(process)
    if not stopping():
        raise UpcycleError(localized("up-server-ended"))


def _log_level(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the level of a run's log: the one that is set, else every step, unlike the server's."""
    return {"PREFECT_LOGGING_LEVEL": environment.get("PREFECT_LOGGING_LEVEL") or "INFO"}


@contextmanager
def _only_one(prefect_home: Path) -> Iterator[None]:
    """Hold the lock of this publication: a second server and runner would stop the first ones."""
    try:
        prefect_home.mkdir(
            parents=True, exist_ok=True
        )  # Prefect creates the folder, but not its parents
        lock = (prefect_home / "up.lock").open("w")
    except OSError as error:
        raise UpcycleError(
            localized("up-home-not-written", folder=prefect_home, why=os_reason(error))
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UpcycleError(localized("up-runs-already")) from None
        yield


def _refuse_taken(host: str, port: int) -> None:
    """Raise if the port is in use: Prefect's server would try for half a minute, and not say why."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(*addresses[0][:3]) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(addresses[0][4])
    except OSError as error:
        raise UpcycleError(
            localized("up-port-unusable", port=port, host=host, why=os_reason(error))
        ) from None


def _is_free(host: str, port: int) -> bool:
    """Return whether the port can be used, such as not by pages that run already."""
    try:
        _refuse_taken(host, port)
    except UpcycleError:
        return False
    return True


def _start(
    arguments: list[str], environment: dict[str, str], home: Path
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  our own programs
        [sys.executable, *arguments],
        env=environment,
        cwd=home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # we pass Ctrl-C on ourselves, in the right order
    )


def _wait(
    client: PrefectClient, server: subprocess.Popen[bytes], stopping: Callable[[], bool]
) -> None:
    deadline = time.monotonic() + _START
    while not client.is_healthy() and not stopping():
        if server.poll() is not None or time.monotonic() > deadline:
            raise UpcycleError(localized("up-server-not-started"))
        time.sleep(0.3)


def _stop(process: subprocess.Popen[bytes] | None) -> None:
    """End a process and its children: SIGTERM, then SIGKILL."""
    if process is None or process.poll() is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(_STOP)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
        return

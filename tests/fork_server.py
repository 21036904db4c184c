"""Python processes that begin with the program loaded: to import it anew costs more than most commands do.

Each is a process of its own, and a child of the test's: it can be killed and waited for as any other.
A server, started once in a test session, imports all modules of the program and forks when it is asked.
What the start of Python itself or the modules that are loaded matter to, starts by subprocess.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import io
import os
import pickle
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, TypedDict

ROOT = Path(__file__).resolve().parents[1]
_LONGEST_REQUEST = 2**17
_IMPORTED_LATE = (
    "alembic.command",
    "css_inline",
    "mjml",
    "sqlalchemy.dialects.postgresql.psycopg",
    "psycopg",
)
_BECOME_REAPER = 36  # prctl(2): PR_SET_CHILD_SUBREAPER


class _Request(TypedDict):
    arguments: list[str]
    folder: str
    environment: dict[str, str]
    new_session: bool
    before: Callable[[], None] | None


# --- the test's side


class ForkedPython(subprocess.Popen[Any]):
    """`subprocess.Popen` for ``[sys.executable, "-c" or "-m" or script, …]`` or ``[script, …]``.

    `preexec_fn` runs in the folder and with the streams of the new process; it is a function of a
    module, which the process imports.
    """

    def _execute_child(  # type: ignore[no-untyped-def]
        self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, startupinfo,
        creationflags, shell, p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite,
        restore_signals, gid, gids, uid, umask, start_new_session, *_,
    ) -> None:  # fmt: skip
        assert not (shell or pass_fds), "start this one by subprocess"
        arguments = [os.fspath(part) for part in args]
        request = _Request(
            arguments=arguments[1:] if arguments[0] == sys.executable else arguments,
            folder=os.fspath(cwd or Path.cwd()),
            environment=dict(os.environ if env is None else env),
            new_session=start_new_session,
            before=preexec_fn,
        )
        streams = [p2cread, c2pwrite, errwrite]
        try:
            self.pid = _server().fork(
                request, [own if own >= 0 else shared for shared, own in enumerate(streams)]
            )
            self._child_created = True
        finally:
            self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)  # type: ignore[attr-defined]


def run(
    arguments: list[str], *, capture_output: bool = False, timeout: float | None = None,
    check: bool = False, **options: Any,
) -> subprocess.CompletedProcess[Any]:  # fmt: skip
    """Do as `subprocess.run` does, with a process that has the program loaded."""
    if capture_output:
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with ForkedPython(arguments, **options) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(arguments, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


class _Server:
    """The server's process; it ends with this one."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())], cwd=ROOT,
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def fork(self, request: _Request, streams: list[int]) -> int:
        """Start a process; returns its id."""
        libc = ctypes.CDLL(None)
        with self._one_at_a_time:
            libc.prctl(_BECOME_REAPER, 1)  # its parent ends at once: so it becomes a child of ours
            try:
                socket.send_fds(self._socket, [pickle.dumps(request)], streams)
                return int(self._socket.recv(20))
            finally:
                libc.prctl(_BECOME_REAPER, 0)

    def end(self) -> None:
        self._socket.close()
        self._process.wait()


@cache
def _server() -> _Server:
    return _Server()


def end_server() -> None:
    """End the server, if this process has started one."""
    if _server.cache_info().currsize:
        _server().end()
        _server.cache_clear()


# --- the server's side


def _serve(requests: socket.socket) -> None:
    """Fork for each request; returns in the new process, when it is what was asked for.

    Exits when nobody asks any more.
    """
    while True:
        message, streams, _, _ = socket.recv_fds(requests, _LONGEST_REQUEST, 3)
        if not message:
            sys.exit()
        answer, told = os.pipe()
        if parent := os.fork():
            os.close(told)
            os.waitpid(parent, 0)
            requests.send(os.read(answer, 20))
            for descriptor in (answer, *streams):
                os.close(descriptor)
            continue
        if os.fork():
            os._exit(0)
        requests.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        for descriptor in (answer, *streams):
            os.close(descriptor)
        _become(pickle.loads(message))
        os.write(told, str(os.getpid()).encode())
        os.close(told)
        return


def _become(request: _Request) -> None:
    """Be as a process that was just started with these arguments, in this folder and environment."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if request["new_session"]:
        os.setsid()
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    os.chdir(request["folder"])
    if request["before"]:
        request["before"]()
    sys.argv = request["arguments"]
    sys.stdin, sys.stdout, sys.stderr = (_stream(number) for number in range(3))
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]


def _stream(number: int) -> Any:
    """Return a standard stream as Python opens it; None for one that is closed."""
    try:
        raw = io.FileIO(number, "w" if number else "r", closefd=False)
    except OSError:
        return None
    terminal = raw.isatty()
    buffered: Any = io.BufferedWriter(raw) if number else io.BufferedReader(raw)
    return io.TextIOWrapper(
        buffered,
        encoding="utf-8",
        errors="backslashreplace" if number == 2 else "strict",
        line_buffering=terminal or number == 2,
    )


def _execute(kind: str, *arguments: str) -> None:
    """Run a program, a module or a script as Python does for these arguments."""
    if kind == "-m":
        sys.path[0] = str(Path.cwd())
        sys.argv = list(arguments)
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.path[0] = ""
        sys.argv = ["-c", *arguments[1:]]
        sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(arguments[0], "<string>", "exec"), vars(sys.modules["__main__"]))
    else:
        sys.path[0] = str(Path(kind).parent)
        sys.argv = [kind, *arguments]
        runpy.run_path(kind, run_name="__main__")


def _end(program: Callable[[], None]) -> NoReturn:
    """Run a program and end as Python does, without taking apart all modules that are loaded."""
    code: Any = 0
    try:
        program()
    except SystemExit as error:
        code = error.code or 0
        if not isinstance(code, int):
            print(code, file=sys.stderr)  # noqa: T201
            code = 1
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):
        code = 120  # as Python does
    os._exit(code & 0xFF)


def _import_program() -> None:
    """Import all modules of the program, and what those import at their first use only."""
    import upcycle_news

    for name in _IMPORTED_LATE:
        import_module(name)
    for module in pkgutil.walk_packages(upcycle_news.__path__, "upcycle_news."):
        if not module.name.endswith("__main__") and ".migrations." not in module.name:
            with suppress(ImportError):  # it needs an extra that is not installed
                import_module(module.name)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")  # as the command does
    _import_program()
    gc.collect()
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))
    _end(lambda: _execute(*sys.argv))

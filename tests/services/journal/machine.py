"""A machine that is set back to a snapshot, as virtual machines are, and the host of its archive."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ...publications import CommandResult, Publication, relay_variables
from ...transports.bad_relays import MisbehavingRelay


class Machine:
    """A publication that sends over `relay`; `settings` are further variables, without the prefix."""

    def __init__(self, publication: Publication, relay: MisbehavingRelay, **settings: str) -> None:
        self.publication, self.relay = publication, relay
        self.variables = {**relay_variables(relay.controller.port), **settings}
        self.state = publication.home / "var"
        self._snapshot = publication.home.parent / "snapshot"

    def run(self, *command: str, code: int = 0) -> CommandResult:
        """Run a command with the relay set."""
        return self.publication.run(*command, code=code, **self.variables)

    def context(self) -> Any:
        return self.publication.context(**self.variables)

    def send(self, code: int = 0) -> CommandResult:
        return self.run("issue", "send", "--yes", "--no-collect", "--json", code=code)

    def take_snapshot(self) -> None:
        """Remember everything below var, as of now."""
        self.close()
        shutil.rmtree(self._snapshot, ignore_errors=True)
        shutil.copytree(self.state, self._snapshot)

    def set_back(self, *, keep: Collection[str] = ()) -> None:
        """Set everything below var back to the snapshot, apart from these files or folders."""
        self.close()
        kept = {name: self.state.with_name(f"kept-{name}") for name in keep}
        for name, aside in kept.items():
            (self.state / name).rename(aside)
        shutil.rmtree(self.state)
        shutil.copytree(self._snapshot, self.state)
        for name, aside in kept.items():
            shutil.rmtree(self.state / name, ignore_errors=True)
            (self.state / name).unlink(missing_ok=True)
            aside.rename(self.state / name)

    def close(self) -> None:
        """Close the store's connections, as a machine that is switched off does."""
        for context in self.publication.contexts:
            context.__exit__()
        self.publication.contexts.clear()

    @property
    def recipients(self) -> list[str]:
        """Everybody who got a mail, once for each."""
        return sorted(self.relay.recipients)


@contextmanager
def running(handler: Any) -> Iterator[str]:
    """Serve on loopback; yields the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@contextmanager
def static_host(folder: Path) -> Iterator[str]:
    """A host that serves a folder, elsewhere than the machine."""
    folder.mkdir()
    with running(partial(_Quiet, directory=str(folder))) as url:
        yield url


@contextmanager
def host_that_answers_everything(body: str) -> Iterator[str]:
    """A host that answers 200 with `body` whatever it is asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with running(Handler) as url:
        yield url

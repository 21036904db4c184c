"""Lay out HTML in a headless Chromium that reaches no network, no file, and runs no script of the page.

It is driven over its debugging pipe (https://chromedevtools.github.io/devtools-protocol/): no port is
open, and it ends with the process that began it. The page comes from memory: Chromium asks for an
address that exists nowhere and gets it as the answer; whatever else the page asks for is refused, apart
from ``data:``, which is part of the page.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Literal

from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
AUTO, OFF = "auto", "off"
SECONDS = 60.0  # for all that is done with one browser

_FLAGS = (
    "--headless", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--mute-audio",
    "--no-first-run", "--disable-extensions", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-quic", "--disable-breakpad",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe",
)  # fmt: skip
# The pipe's two ends have to be the descriptors 3 and 4; a shell moves them there.
_ON_THE_PIPE = 'exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null'
_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "FONTCONFIG_FILE", "FONTCONFIG_PATH")
_PAGE = "http://page.invalid/"  # RFC 6761, section 6.4: resolves nowhere
_MAX_HEIGHT = 16_384  # pixels; what is longer is cut off, as Chromium draws no larger surface


class BrowserError(UpcycleError):
    """Chromium cannot be started, ended, or took too long."""


def find_chromium(setting: str = AUTO) -> str | None:
    """Return the program that `browser.chromium` means; None when it is off or none is installed.

    Raises `BrowserError` for a program that is named and cannot be run.
    """
    if setting == OFF:
        return None
    if setting == AUTO:
        return next(filter(None, map(shutil.which, NAMES)), None)
    if (found := shutil.which(str(Path(setting).expanduser()))) is None:
        raise BrowserError(localized("browser-missing", path=setting))
    return found


@contextmanager
def browsing(
    chromium: str, *, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic
) -> Iterator[Browser]:
    """Start a browser with one empty tab; at the end its processes are gone.

    All that is done with it has to be done in `seconds`. Raises `BrowserError`.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        environment = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
        environment |= {"XDG_CONFIG_HOME": profile, "XDG_CACHE_HOME": profile}
        flags = [*_FLAGS, f"--user-data-dir={profile}/profile"]
        if os.geteuid() == 0:  # Chromium refuses to be root with its sandbox
            flags.append("--no-sandbox")
        try:
            process = subprocess.Popen(  # noqa: S603  the operator's program, and flags of ours
                ["/bin/sh", "-c", _ON_THE_PIPE, chromium, *flags, "about:blank"],
                cwd=profile,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise BrowserError(localized("browser-start", path=chromium)) from error
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            pipe = _Pipe(process.stdin, process.stdout, chromium, clock() + seconds, clock)
            yield Browser(pipe)
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End Chromium and all that it started, and close the pipe."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for end in (process.stdin, process.stdout):
        if end is not None:
            with suppress(OSError):  # what was not written is lost
                end.close()


class Browser:
    """One tab; `browsing` starts it."""

    def __init__(self, pipe: _Pipe) -> None:
        """Attach to the tab that Chromium opens."""
        self._pipe = pipe
        targets = pipe.ask("Target.getTargets")["targetInfos"]
        [target, *_] = [info["targetId"] for info in targets if info["type"] == "page"]
        pipe.session = pipe.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        pipe.ask("Page.enable")
        pipe.ask("Fetch.enable")
        pipe.ask("Emulation.setScriptExecutionDisabled", value=True)

    def show(self, html: str, *, width: int, height: int = 800, dark: bool = False) -> None:
        """Lay a page out in a window of this size in CSS pixels, in a light or dark colour scheme."""
        self._pipe.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._pipe.ask("Emulation.setEmulatedMedia", features=[scheme])
        self._pipe.html = html
        self._pipe.ask("Page.navigate", url=_PAGE)
        self._pipe.wait_for("Page.loadEventFired")

    def picture(
        self,
        *,
        form: Literal["png", "jpeg", "webp"] = "png",
        quality: int | None = None,
        scale: float = 1.0,
        max_height: int = _MAX_HEIGHT,
    ) -> bytes:
        """Return a picture of the whole page, not only of the window.

        `quality`, 0 to 100, is for JPEG and WebP; `max_height` in CSS pixels cuts a longer page off.
        """
        size = self._pipe.ask("Page.getLayoutMetrics")["cssContentSize"]
        area = {
            "x": 0, "y": 0, "width": size["width"], "height": min(size["height"], max_height),
            "scale": scale,
        }  # fmt: skip
        more = {} if quality is None else {"quality": quality}
        reply = self._pipe.ask(
            "Page.captureScreenshot", format=form, clip=area, captureBeyondViewport=True, **more
        )
        return base64.b64decode(reply["data"])

    def evaluate(self, script: str) -> Any:
        """Return the JSON value of a script of ours in the page; a promise is waited for.

        Scripts of the page itself never run: they were passed over while it was laid out. Raises
        `BrowserError` when the script fails.
        """
        # Else its timers and callbacks would not run either, and a promise might never end.
        self._pipe.ask("Emulation.setScriptExecutionDisabled", value=False)
        reply = self._pipe.ask(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        self._pipe.ask("Emulation.setScriptExecutionDisabled", value=True)
        if "exceptionDetails" in reply:
            why = str(reply["exceptionDetails"].get("text", ""))
            raise BrowserError(localized("browser-script", method="Runtime.evaluate", why=why))
        return reply["result"].get("value")


class _Pipe:
    """Commands, answers and events of the debugging protocol, each a JSON object that a NUL ends."""

    def __init__(
        self,
        commands: IO[bytes],
        answers: IO[bytes],
        path: str,
        deadline: float,
        clock: Callable[[], float],
    ) -> None:
        self._commands, self._answers, self._path = commands, answers, path
        self._deadline, self._clock = deadline, clock
        self._received = b""
        self._number = 0
        self.session = ""
        self.html = ""
        os.set_blocking(commands.fileno(), False)

    def ask(self, method: str, **parameters: Any) -> Any:
        """Send a command and return its result; raises `BrowserError`."""
        number = self._send(method, parameters)
        while True:
            message = self._hear()
            if message.get("id") == number:
                if "error" in message:
                    why = str(message["error"].get("message", ""))
                    raise BrowserError(localized("browser-script", method=method, why=why))
                return message["result"]

    def wait_for(self, event: str) -> None:
        """Wait for an event of the page."""
        while self._hear().get("method") != event:
            pass

    def _send(self, method: str, parameters: Any) -> int:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        rest = json.dumps(message).encode() + b"\0"
        while rest:
            self._wait(writing=True)
            try:
                rest = rest[os.write(self._commands.fileno(), rest) :]
            except BlockingIOError:
                continue
            except OSError:
                raise BrowserError(localized("browser-start", path=self._path)) from None
        return self._number

    def _hear(self) -> Any:
        """Return the next message; what the page asks for is answered on the way."""
        while b"\0" not in self._received:
            self._wait(writing=False)
            data = os.read(self._answers.fileno(), 2**20)
            if not data:
                raise BrowserError(localized("browser-start", path=self._path))
            self._received += data
        text, _, self._received = self._received.partition(b"\0")
        message = json.loads(text)
        if message.get("method") == "Fetch.requestPaused":
            self._answer_request(message["params"])
        return message

    def _answer_request(self, paused: Any) -> None:
        request = {"requestId": paused["requestId"]}
        if paused["request"]["url"] == _PAGE:
            header = {"name": "Content-Type", "value": "text/html; charset=utf-8"}
            body = base64.b64encode(self.html.encode()).decode()
            answer = {**request, "responseCode": 200, "responseHeaders": [header], "body": body}
            self._send("Fetch.fulfillRequest", answer)
        else:
            self._send("Fetch.failRequest", {**request, "errorReason": "BlockedByClient"})

    def _wait(self, *, writing: bool) -> None:
        """Wait until the pipe can be written to, or read from; raises `BrowserError` at the deadline."""
        left = max(self._deadline - self._clock(), 0.0)
        ready = (
            select.select((), (self._commands,), (), left)[1]
            if writing
            else select.select((self._answers,), (), (), left)[0]
        )
        if not ready:
            raise BrowserError(localized("browser-slow", path=self._path))

"""A headless Chromium that a test steers over its debugging protocol, without JavaScript in pages.

Clicks and keys are real input events, so what a test does a person can do.
"""

from __future__ import annotations

import atexit
import base64
import itertools
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest
from websockets.sync.client import connect

from upcycle_news.services.browser.chromium import find_chromium

from ..waiting import wait_until

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-breakpad",
    "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
)  # fmt: skip


@cache
def chromium() -> str:
    """Return the path of the browser; calls `missing` when there is none."""
    return find_chromium() or missing("no Chromium here (apt-get install chromium)")


def missing(reason: str) -> NoReturn:
    """Skip the test, or fail it where CI has installed everything (UPCYCLE_REQUIRE_TOOLS)."""
    if os.environ.get("UPCYCLE_REQUIRE_TOOLS"):
        pytest.fail(f"a tool is missing that CI must have: {reason}")
    pytest.skip(reason)


class Connection:
    """Commands of the debugging protocol to the browser, or to one of its tabs."""

    def __init__(self, url: str) -> None:
        # Chromium answers no ping while the test does something else.
        self._socket = connect(url, max_size=2**26, ping_interval=None)
        self._numbers = itertools.count(1)
        self.requests: list[str] = []

    def close(self) -> None:
        self._socket.close()

    def ask(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = self._hear()
            if message.get("id") == number:
                assert "error" not in message, (method, message)
                return message["result"]

    def _hear(self) -> Any:
        message = json.loads(self._socket.recv(timeout=60))
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        return message


class Page(Connection):
    """One tab."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        for domain in ("Page", "DOM", "Network"):
            self.ask(f"{domain}.enable")

    def _until_loaded(self) -> None:
        while self._hear().get("method") != "Page.loadEventFired":
            pass

    def without_javascript(self) -> None:
        self.ask("Emulation.setScriptExecutionDisabled", value=True)

    def look(self, *, width: int, height: int = 900, dark: bool = False) -> None:
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", features=scheme)

    def open(self, url: str) -> None:
        self.ask("Page.navigate", url=url)
        self._until_loaded()

    def element(self, selector: str) -> int:
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node: int = self.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        assert node, f"no {selector} on the page"
        return node

    def html(self) -> str:
        text: str = self.ask("DOM.getOuterHTML", nodeId=self.element("html"))["outerHTML"]
        return text

    def text(self) -> str:
        html = re.sub(r"<(style|head)\b.*?</\1>", "", self.html(), flags=re.DOTALL)
        return " ".join(re.sub(r"<[^>]+>", " ", html).split())

    def type(self, selector: str, text: str) -> None:
        self.ask("DOM.focus", nodeId=self.element(selector))
        self.ask("Input.insertText", text=text)

    def click(self, selector: str) -> None:
        """Click and wait for the page that comes."""
        node = self.element(selector)
        self.ask("DOM.scrollIntoViewIfNeeded", nodeId=node)
        corners = self.ask("DOM.getBoxModel", nodeId=node)["model"]["border"]
        x, y = sum(corners[::2]) / 4, sum(corners[1::2]) / 4
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self._until_loaded()

    def tick(self, selector: str) -> None:
        """Click something that leads nowhere."""
        corners = self.ask("DOM.getBoxModel", nodeId=self.element(selector))["model"]["border"]
        x, y = sum(corners[::2]) / 4, sum(corners[1::2]) / 4
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def overflow(self) -> float:
        """By how many pixels the page is wider than its window."""
        reply = self.ask("Page.getLayoutMetrics")
        return float(reply["cssContentSize"]["width"] - reply["cssLayoutViewport"]["clientWidth"])

    def run(self, script: str) -> Any:
        """Evaluate a script of the test, whatever the page's own policy allows."""
        reply = self.ask(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in reply, reply
        return reply["result"].get("value")

    def picture(self, path: Path) -> None:
        reply = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(reply["data"]))


class _Browser:
    """A Chromium of this process, in which each test has a profile of its own: starting one takes a second."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.process = subprocess.Popen(
            [chromium(), *FLAGS, "--remote-debugging-port=0", f"--user-data-dir={self._folder.name}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        atexit.register(self.end)  # where no session of pytest ends
        self._address = (
            f"ws://127.0.0.1:{wait_until(self._port, 'Chromium did not start', interval=0.05)}"
        )
        path = (Path(self._folder.name) / "DevToolsActivePort").read_text().split()[1]
        self._commands = Connection(f"{self._address}{path}")

    def _port(self) -> str:
        assert self.process.poll() is None, "Chromium ended"
        try:
            port, _path = (Path(self._folder.name) / "DevToolsActivePort").read_text().split()
        except (OSError, ValueError):
            return ""
        return port

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(60)
        self._folder.cleanup()

    @contextmanager
    def tab(self) -> Iterator[Page]:
        profile = self._commands.ask("Target.createBrowserContext")["browserContextId"]
        try:
            target = self._commands.ask(
                "Target.createTarget", url="about:blank", browserContextId=profile
            )["targetId"]
            with closing(Page(f"{self._address}/devtools/page/{target}")) as page:
                yield page
        finally:
            self._commands.ask("Target.disposeBrowserContext", browserContextId=profile)


_browsers: list[_Browser] = []


def end_browsers() -> None:
    """End the Chromium of this process, if tests used one."""
    while _browsers:
        _browsers.pop().end()


@contextmanager
def browsing() -> Iterator[Page]:
    """A tab in a profile of its own: no cookie, cache or setting of another test."""
    if not _browsers or _browsers[-1].process.poll() is not None:
        _browsers.append(_Browser())
    with _browsers[-1].tab() as page:
        yield page

"""A headless Chromium that a test steers over its debugging protocol, without JavaScript in pages.

Clicks and keys are real input events, so what a test does a person can do.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from ..rendering.page_screenshots import FLAGS, chromium
from ..waiting import wait_until


class Page:
    """One tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._numbers = socket, itertools.count(1)
        self.requests: list[str] = []
        for domain in ("Page", "DOM", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = self._hear()
            if message.get("id") == number:
                assert "error" not in message, (method, message)
                return message["result"]

    def _hear(self) -> Any:
        message = json.loads(self._socket.recv(timeout=20))
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        return message

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


@contextmanager
def browsing() -> Iterator[Page]:
    """A browser with one tab; ends with the test."""
    flags = [flag for flag in FLAGS if not flag.startswith("--host-resolver")]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [
                chromium(), *flags, "--remote-debugging-port=0",
                "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
                f"--user-data-dir={profile}", "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            # Chromium answers no ping while the test does something else.
            with connect(
                _tab(process, Path(profile)), max_size=2**26, ping_interval=None
            ) as socket:
                yield Page(socket)
        finally:
            process.terminate()
            process.wait(10)


def _tab(process: subprocess.Popen[bytes], profile: Path) -> str:
    """The address of the browser's one tab."""
    urls: list[str] = []

    def tab_exists() -> bool:
        assert process.poll() is None, "Chromium ended"
        try:
            port = (profile / "DevToolsActivePort").read_text().split()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
                targets = json.load(answer)
        except (OSError, IndexError, ValueError):
            return False
        urls[:] = [str(tab["webSocketDebuggerUrl"]) for tab in targets if tab["type"] == "page"]
        return bool(urls)

    wait_until(tab_exists, "Chromium did not start", seconds=40, interval=0.05)
    return urls[0]

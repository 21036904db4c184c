"""A page is laid out without network, files or scripts, in its time, and nothing of Chromium is left."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from PIL import Image

from upcycle_news.services.browser.chromium import (
    OFF,
    Browser,
    BrowserError,
    browsing,
    find_chromium,
)

from ...web.browser_session import chromium

PAGE = """<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<style>body {{ margin: 0; background: #fff }}
@media (prefers-color-scheme: dark) {{ body {{ background: #102030 }} }}</style>
<p style="height: 1900px; margin: 0">Grüße aus dem Café</p>{more}"""


@pytest.fixture
def browser() -> Iterator[Browser]:
    with browsing(chromium()) as opened:
        yield opened


def size_and_corner(picture: bytes) -> tuple[int, int, tuple[int, ...]]:
    with Image.open(io.BytesIO(picture)) as image:
        pixel = image.convert("RGB").getpixel((image.width - 1, image.height - 1))
    assert isinstance(pixel, tuple)
    return image.width, image.height, pixel


def test_a_picture_shows_the_whole_page_at_its_width_in_both_schemes(browser: Browser) -> None:
    page = PAGE.format(more="")
    browser.show(page, width=320)
    assert size_and_corner(browser.picture()) == (320, 1900, (255, 255, 255))
    assert browser.evaluate("document.body.innerText.trim()") == "Grüße aus dem Café"
    browser.show(page, width=680, dark=True)
    assert size_and_corner(browser.picture()) == (680, 1900, (16, 32, 48))
    small = browser.picture(form="webp", quality=60, scale=0.5, max_height=1000)
    assert size_and_corner(small)[:2] == (340, 500)


def test_a_script_of_the_page_never_runs_and_one_of_ours_does(browser: Browser) -> None:
    browser.show(
        PAGE.format(more="<script>document.title = 'it ran'</script><p onclick>x"), width=320
    )
    assert browser.evaluate("document.title") == ""
    assert browser.evaluate("Promise.resolve({sum: 1 + 1})") == {"sum": 2}
    with pytest.raises(BrowserError, match=r"Runtime\.evaluate"):
        browser.evaluate("throw new Error('no')")


class _Counter(BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


def test_nothing_is_fetched_from_the_network_or_from_files(
    browser: Browser, tmp_path: Path
) -> None:
    asked: list[str] = []
    handler = type("Counter", (_Counter,), {"asked": asked})
    picture = tmp_path / "picture.png"
    Image.new("RGB", (9, 9)).save(picture)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        site = f"http://127.0.0.1:{server.server_port}"
        more = (
            f'<img src="{site}/pixel.gif" alt=""><img src="{picture.as_uri()}" alt="">'
            f'<link rel="stylesheet" href="{site}/style.css"><iframe src="{site}/frame"></iframe>'
            f'<img src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAAC" alt="">'
            f'<div style="background: url({site}/back.png)">x</div>'
        )
        browser.show(PAGE.format(more=more), width=320)
        browser.picture()
        loaded = browser.evaluate("[...document.images].map(image => image.naturalWidth)")
        server.shutdown()
    assert asked == []
    assert loaded[:2] == [0, 0]
    assert loaded[2] == 1  # what is part of the page is shown


def test_its_processes_are_gone_at_the_end_also_after_an_error() -> None:
    before = children()
    with pytest.raises(BrowserError), browsing(chromium()) as browser:
        assert children() - before
        browser.evaluate("nothing.at.all")
    assert children() - before == set()


def children() -> set[int]:
    """Return the processes that live (no zombie) and were started by this one, or below it."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if state != "Z":
                parents[int(entry.name)] = int(parent)
    found = {os.getpid()}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {os.getpid()}


def test_a_browser_that_says_nothing_is_ended_in_its_time(tmp_path: Path) -> None:
    silent = program(tmp_path / "silent", "exec sleep 600")
    before, times = children(), iter([0.0, 1.0])  # the second look at the clock is too late
    with (
        pytest.raises(BrowserError, match="ended"),
        browsing(str(silent), seconds=0.5, clock=lambda: next(times, 1.0)),
    ):
        pass
    assert children() - before == set()


def test_a_program_that_is_no_browser_is_named(tmp_path: Path) -> None:
    other = program(tmp_path / "other", "exit 3")
    with pytest.raises(BrowserError, match=str(other)), browsing(str(other)):
        pass


def test_the_setting_names_a_program_or_turns_pictures_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = program(tmp_path / "google-chrome", "exit 0")
    assert find_chromium(str(named)) == str(named)
    assert find_chromium(OFF) is None
    with pytest.raises(BrowserError, match="nowhere/chromium cannot be run"):
        find_chromium("/nowhere/chromium")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_chromium() == str(named)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert find_chromium() is None


def program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path

"""Write docs/images/prefect-approval.png and prefect-report.png: an approval in Prefect's own pages.

`python tools/cockpit_screenshots.py` needs Chromium and takes some two minutes: a real server, a
run that waits, its form in Prefect's pages, the decision over the API, the mails in a sink. Look at both
pictures before you commit them.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.flows.prefect_server import PrefectServer  # noqa: E402
from tests.publications import Publication, create_publication, relay_variables  # noqa: E402
from tests.services.delivery.sink_relay import Sink  # noqa: E402
from tests.web.browser_session import Page, browsing  # noqa: E402

from upcycle_news.demo.feed_server import DemoSite  # noqa: E402

TARGET = ROOT / "docs" / "images"
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
FIRST, SECOND = "2026-09-10-die-tuer-aus-dem-dritten-stock.md", "2026-10-22-die-rolltreppe-steht.md"
BUTTON = "[...document.querySelectorAll('button')].find(b => b.innerText.trim() === '%s')"


def main() -> None:
    """Send an issue by command and another one by a run; capture its form and its report."""
    with TemporaryDirectory() as folder, Sink() as sink, DemoSite(datetime.now(UTC)) as site:
        publication = Publication(
            create_publication(Path(folder) / "umbaupost"), lambda: datetime.now(UTC)
        )
        os.chdir(publication.home)
        publication.add_many_subscribers(3)
        (publication.home / "content/feeds.toml").write_text(site.feeds_toml())
        images = publication.home / "content/images"
        shutil.copytree(ROOT / "content/images", images, dirs_exist_ok=True)
        essays = publication.home / "content/essays"
        relay = {**relay_variables(sink.port), "FEEDS__ALLOW_PRIVATE": "true"}
        shutil.copy(ROOT / "content/essays" / FIRST, essays)
        publication.run("issue", "send", "--yes", **relay)
        shutil.copy(ROOT / "content/essays" / SECOND, essays)
        environment = {f"UPCYCLE_NEWS_{key}": value for key, value in relay.items()}
        with PrefectServer(publication.home, environment) as server:
            run = server.start("publish-issue/thursday")
            server.wait_for_state(run, "PAUSED")
            with browsing() as page:
                _capture_form(server, page, run)
            server.submit_form(run, decision="send", name="Anna Redaktion")
            state = server.wait_for_state(run, *ENDED)
            print(state["name"], state["message"])
            with browsing() as page:  # a new one: the first connection is idle for too long
                _capture_report(server, page)


def _capture_form(server: PrefectServer, page: Page, run: str) -> None:
    page.look(width=1000, height=1350, dark=True)
    page.open(f"http://127.0.0.1:{server.port}/runs/flow-run/{run}")
    _press(page, BUTTON % "Resume")
    _wait_until(page, "document.body.innerText.includes('Wer entscheidet')")
    page.run("[...document.querySelectorAll('textarea')].at(-1).focus()")
    page.ask("Input.insertText", text="Anna Redaktion")
    time.sleep(1)  # the field's colours change slowly
    page.picture(TARGET / "prefect-approval.png")


def _capture_report(server: PrefectServer, page: Page) -> None:
    wanted = {"artifacts": {"key": {"like_": "issue-%-report"}}}
    [report] = server.request("POST", "/artifacts/filter", wanted)
    page.look(width=1000, height=1000, dark=True)
    page.open(f"http://127.0.0.1:{server.port}/artifacts/artifact/{report['id']}")
    _wait_until(page, "document.body.innerText.includes('Was sich geändert hat')")
    time.sleep(1)
    page.picture(TARGET / "prefect-report.png")


def _press(page: Page, element: str) -> None:
    """Click in the middle of an element as soon as it exists."""
    _wait_until(page, f"!!({element})")
    time.sleep(0.5)
    x, y = page.run(
        f"(() => {{ const r = ({element}).getBoundingClientRect(); "
        "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
    )
    for kind in ("mousePressed", "mouseReleased"):
        page.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)


def _wait_until(page: Page, condition: str, clock: Callable[[], float] = time.monotonic) -> None:
    deadline = clock() + 60
    while not page.run(condition):
        if clock() > deadline:
            page.picture(Path(gettempdir()) / "cockpit-screenshots-failed.png")
            raise SystemExit(f"this never came true on Prefect's page: {condition}")
        time.sleep(0.2)


if __name__ == "__main__":
    main()

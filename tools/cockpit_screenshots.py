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
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.flows.prefect_pages import PrefectPages  # noqa: E402
from tests.flows.prefect_server import PrefectServer  # noqa: E402
from tests.publications import Publication, create_publication, relay_variables  # noqa: E402
from tests.services.delivery.sink_relay import Sink  # noqa: E402
from tests.web.browser_session import browsing  # noqa: E402

from upcycle_news.demo.feed_server import DemoSite  # noqa: E402

TARGET = ROOT / "docs" / "images"
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
FIRST, SECOND = "2026-09-10-die-tuer-aus-dem-dritten-stock.md", "2026-10-22-die-rolltreppe-steht.md"


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
        relay = {
            **relay_variables(sink.port), "FEEDS__ALLOW_PRIVATE": "true", "BROWSER__CHROMIUM": "auto",
        }  # fmt: skip
        shutil.copy(ROOT / "content/essays" / FIRST, essays)
        publication.run("issue", "send", "--yes", **relay)
        shutil.copy(ROOT / "content/essays" / SECOND, essays)
        environment = {f"UPCYCLE_NEWS_{key}": value for key, value in relay.items()}
        with PrefectServer(publication.home, environment) as server:
            run = server.start("publish-issue/thursday")
            server.wait_for_state(run, "PAUSED")
            with browsing() as page:
                pages = PrefectPages(server, page)
                _capture_form(pages, run)
                server.submit_form(run, decision="send", name="Anna Redaktion")
                state = server.wait_for_state(run, *ENDED)
                print(state["name"], state["message"])
                _capture_report(pages)


def _capture_form(pages: PrefectPages, run: str) -> None:
    pages.page.look(width=1000, height=1750, dark=True)
    pages.open_form(run)
    pages.fill_in(Name="Anna Redaktion")
    time.sleep(1)  # the field's colours change slowly
    _save(pages, "prefect-approval.png")


def _capture_report(pages: PrefectPages) -> None:
    wanted = {"artifacts": {"key": {"like_": "issue-%-2-report"}}}
    [report] = pages.server.request("POST", "/artifacts/latest/filter", wanted)
    pages.page.look(width=1000, height=1000, dark=True)
    pages.open(f"/artifacts/artifact/{report['latest_id']}")
    pages.wait("document.body.innerText.includes('Was sich geändert hat')")
    time.sleep(1)
    _save(pages, "prefect-report.png")


def _save(pages: PrefectPages, name: str) -> None:
    """Save a picture of the page with few colours, which keeps it small."""
    pages.page.picture(TARGET / name)
    with Image.open(TARGET / name) as picture:
        few = picture.convert("RGB").quantize(128, dither=Image.Dither.NONE)
    few.save(TARGET / name, optimize=True)
    print(name, (TARGET / name).stat().st_size // 1000, "kB")


if __name__ == "__main__":
    main()

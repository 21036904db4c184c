"""An editor's day in Prefect's own pages, in Chromium: start, look, change, approve, reject, cancel, delete."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from upcycle_news.demo.feed_server import DemoSite

from ..publications import Publication, relay_variables
from ..web.browser_session import browsing, chromium
from .prefect_pages import PrefectPages
from .prefect_server import PrefectServer
from .test_approval import ENDED, LEERSTAND, StoringSink

pytestmark = [
    pytest.mark.prefect,
    pytest.mark.nightly,  # minutes of a real server, a browser, and a process for each answer
    pytest.mark.xdist_group("prefect"),
    pytest.mark.timeout(900),
]
DEPLOYMENT = "publish-issue/thursday"


class Day:
    """The pages, and what came of the last thing that an editor did there."""

    def __init__(self, server: PrefectServer, pages: PrefectPages, relay: StoringSink) -> None:
        self.server, self.pages, self.relay = server, pages, relay

    def start(self) -> str:
        run = self.pages.start_custom_run(DEPLOYMENT)
        state = self.server.wait_for_state(run, "PAUSED", *ENDED)
        assert state["type"] == "PAUSED", state["message"]
        return run

    def answer(self, run: str, decision: str, **fields: str) -> Any:
        """Fill in the open form and submit it; return the state that comes of it."""
        before = self.server.state(run)["timestamp"]
        self.pages.answer(decision, **fields)
        return self.server.wait_for_state(run, "PAUSED", *ENDED, after=before)

    def subjects(self, recipient: str) -> list[str]:
        return self.relay.subjects(recipient)


@pytest.fixture
def day(publication: Publication) -> Iterator[Day]:
    chromium()  # skips where there is none
    with StoringSink() as relay, DemoSite(datetime.now(UTC)) as site:
        (publication.home / "content/feeds.toml").write_text(site.feeds_toml())
        consent = ("--consent", "letter of 3 May 2026", "--group", "redaktion")
        publication.run("subscribers", "add", "anna@example.org", *consent)
        variables = {
            **relay_variables(relay.port),
            "FEEDS__ALLOW_PRIVATE": "true",
            "COCKPIT__EDITORS": "redaktion",
            "BROWSER__CHROMIUM": "auto",
        }
        settings = {f"UPCYCLE_NEWS_{name}": value for name, value in variables.items()}
        with PrefectServer(publication.home, settings) as server, browsing() as page:
            page.look(width=1280, height=720)  # a laptop
            yield Day(server, PrefectPages(server, page), relay)


def test_an_editor_changes_an_issue_until_it_is_right_and_sends_it(
    publication: Publication, day: Day, tmp_path: Path
) -> None:
    publication.write_essay("Bahnhof und Bestand", text=LEERSTAND)
    pages = day.pages
    run = day.start()
    assert day.subjects("anna@example.org") == [waiting(run, day)]

    shown = pages.open_form(run)
    legend = [shown.index(f"{word}:") for word in ("send", "send test again", "reject")]
    assert legend == sorted(legend) and legend[-1] < shown.index("Die Prüfung")
    # On a laptop, too, the whole page can be read and the pictures are in it.
    visible = (
        "[...document.querySelectorAll('.p-modal__body .p-content img')]"
        ".map(image => image.naturalWidth > 100 && image.getBoundingClientRect().height > 100)"
    )
    assert pages.page.run(visible) == [True, True]
    first_item = shown.partition("Darin:")[2].splitlines()[2]

    day.answer(run, "send test again", Name="Anna")
    assert day.subjects("anna@example.org")[1:] == ["[Test] Bahnhof und Bestand"]

    pages.open_form(run)
    day.answer(run, "leave items out", Weglassen="1", Name="Anna")
    shown = pages.open_form(run)
    assert f"nicht mehr dabei: {first_item.rpartition(' – ')[0]}" in shown

    state = day.answer(run, "send", Betreff="Der Bahnhof bleibt", Name="Anna")
    assert state["type"] == "PAUSED", state["message"]
    assert day.relay.count == 2  # what was mailed to the editor, and nothing else
    shown = pages.open_form(run)
    assert "Nicht verschickt: Der Betreff ist geändert" in shown
    assert "Betreff: „Der Bahnhof bleibt“, vorher „Bahnhof und Bestand“" in shown

    state = day.answer(run, "send", Name="Anna")
    assert (state["type"], state["name"]) == ("COMPLETED", "Completed"), state["message"]
    assert day.subjects("anna@example.org")[2:] == ["Der Bahnhof bleibt"]
    keys = {artifact["key"] for artifact in day.server.request("POST", "/artifacts/filter", {})}
    issue = state["message"].split()[1].rstrip(":")
    assert {f"issue-{issue}-{kind}" for kind in ("progress", "report", "archive")} <= keys


def waiting(run: str, day: Day) -> str:
    """Return the subject of the mail about a run that waits."""
    issue = day.server.request("GET", f"/flow_runs/{run}")["name"].removeprefix("publish-")
    return f"Umbaupost: Ausgabe {issue} wartet auf Ihre Freigabe"


def test_rejected_cancelled_and_deleted_runs_send_nothing_and_leave_the_issue_free(
    publication: Publication, day: Day
) -> None:
    pages, server = day.pages, day.server
    publication.write_essay("Bahnhof und Bestand", text=LEERSTAND)
    run = day.start()
    pages.open_form(run)
    state = day.answer(run, "reject", Name="Anna")
    assert (state["type"], state["name"]) == ("CANCELLED", "Rejected")
    assert "Anna" not in state["message"]

    publication.write_essay("Ein Nachtrag")
    cancelled = day.start()
    pages.cancel(cancelled)
    assert server.wait_for_state(cancelled, *ENDED)["type"] == "CANCELLED"
    deleted = day.start()  # the cancelled run holds the issue no more
    pages.delete(deleted)
    pages.wait(f"location.pathname !== '/runs/flow-run/{deleted}'")
    again = day.start()
    before = len(day.relay.messages)
    pages.open_form(again)
    state = day.answer(again, "send", Name="Anna")
    assert state["name"] == "Completed", state["message"]
    assert [to for to, _ in day.relay.messages[before:]] == ["anna@example.org"]

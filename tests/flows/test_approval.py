"""Approval with a real Prefect server and runner: exclusions, timeouts, an old database."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from upcycle_news.config.sections import WEEKDAYS
from upcycle_news.demo.feed_server import DemoSite

from ..publications import Publication, relay_variables
from ..services.delivery.sink_relay import Sink
from ..waiting import wait_until
from .prefect_server import PATIENCE, PrefectServer

# Shares its words with several items of the sample feeds.
LEERSTAND = """\
Die Kleinstadt baut das Kaufhaus um. Leerstand, Türen, Fenster und Bauteile aus dem Rückbau:
Bestand und Kreislauf im Umbau statt Abriss.
"""
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")

pytestmark = [
    pytest.mark.prefect,
    pytest.mark.slow,
    pytest.mark.xdist_group("prefect"),
    pytest.mark.timeout(900),  # a real server, a runner and a process for each run
]


class StoringSink(Sink):
    """A sink that also stores the messages."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[tuple[str, bytes]] = []

    def take(self, recipient: str, message: bytes) -> None:
        self.messages.append((recipient, message))
        super().take(recipient, message)

    def subjects(self, recipient: str) -> list[str]:
        """Return the subjects of a recipient's mails, in order."""
        mails = [message for to, message in self.messages if to == recipient]
        return [str(message_from_bytes(mail, policy=policy.default)["Subject"]) for mail in mails]

    def text_for(self, recipient: str) -> str:
        """Return the text of the last message for a recipient."""
        message = [message for to, message in self.messages if to == recipient][-1]
        for part in message_from_bytes(message).walk():
            if part.get_content_type() == "text/plain":
                payload = part.get_payload(decode=True)
                assert isinstance(payload, bytes)
                return payload.decode()
        raise AssertionError("no text")


@pytest.fixture
def relay() -> Iterator[StoringSink]:
    with StoringSink() as sink:
        yield sink


def environment(relay: Sink, **more: str) -> Mapping[str, str]:
    return {
        f"UPCYCLE_NEWS_{key}": value
        for key, value in {**relay_variables(relay.port), **more}.items()
    }


def items_of(form: str) -> list[str]:
    """Return the titles of the numbered items above the form."""
    lines = [line.partition(". ")[2] for line in form.splitlines() if line[:1].isdigit()]
    return [line.partition(" – [")[0] for line in lines]


def test_schedules_produce_runs_and_items_that_an_editor_excludes_are_in_no_mail(
    publication: Publication, relay: StoringSink, warm_python: str
) -> None:
    """The form, its answer, a new revision, the form again, the approval, the mails.

    What SQLAlchemy 2.1 breaks silently shows here, too: nothing would be scheduled.
    """
    publication.write_essay("Bahnhof und Bestand", text=LEERSTAND)
    readers = publication.add_many_subscribers(2)
    settings = environment(relay, FEEDS__ALLOW_PRIVATE="true")
    with (
        DemoSite(datetime.now(UTC)) as site,
        PrefectServer(publication.home, settings, python=warm_python) as server,
    ):
        (publication.home / "content/feeds.toml").write_text(site.feeds_toml())
        scheduled = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
        wait_until(
            lambda: server.request("POST", "/flow_runs/count", scheduled) > 5,  # more than watch
            "no schedule produced a run",
            seconds=PATIENCE,
        )
        run = server.start("publish-issue/thursday")
        state = server.wait_for_state(run, "PAUSED")
        first = server.form_markdown(run, state)
        assert "**2** Leserinnen" in first
        labels = server.form_labels(run, state)
        title, description = labels.pop("decision")
        assert title == "Entscheidung"
        assert description.startswith("## Bahnhof und Bestand\n\n")
        assert description.endswith("\n\nWas soll mit dieser Ausgabe geschehen?")
        assert {name: title for name, (title, _) in labels.items()} == {
            "leave_out": "Weglassen",
            "subject": "Betreff",
            "greeting": "Begrüßung",
            "name": "Name",
            "revision": "Fassung",
        }
        assert labels["leave_out"][1] == "Nummern der Meldungen, die wegbleiben sollen, etwa 2, 3."
        titles = items_of(first)
        assert len(titles) >= 2
        server.submit_form(run, decision="leave items out", leave_out="1", name="Anna")
        state = server.wait_for_state(run, "PAUSED", *ENDED, after=server.resumed_at)
        assert state["type"] == "PAUSED", state["message"]
        second = server.form_markdown(run, state)
        assert revision_in(second) != revision_in(first)
        assert titles[0] not in items_of(second)
        assert f"- nicht mehr dabei: {titles[0]}" in second
        assert relay.count == 0
        server.submit_form(run, decision="send", name="Anna")
        state = server.wait_for_state(run, *ENDED, after=server.resumed_at)
        assert "an 2 von 2 verschickt" in state["message"]
    data = b"".join(path.read_bytes() for path in server.prefect_home.glob("prefect.db*"))
    assert b"@example.org" not in data
    assert sorted(relay.accepted) == readers
    plain = titles[0].replace("\\", "")
    for reader in readers:
        text = " ".join(relay.text_for(reader).split())
        assert plain not in text
        assert any(title.replace("\\", "") in text for title in titles[1:])


def revision_in(form: str) -> str:
    return form.partition("Revision `")[2].partition("`")[0]


def test_editors_are_reminded_then_the_request_expires_and_a_new_run_asks_again(
    publication: Publication, relay: StoringSink, warm_python: str
) -> None:
    publication.write_essay()
    readers = publication.add_many_subscribers(2)
    consent = ("--consent", "letter of 3 May 2026", "--group", "redaktion")
    publication.run("subscribers", "add", "anna@example.org", *consent)
    # The reminder is due from the beginning: half an hour is left, six are the limit, and nobody works soon,
    # for whose morning it would wait.
    later = (datetime.now(UTC) + timedelta(days=3)).weekday()
    settings = environment(
        relay,
        COCKPIT__EDITORS="redaktion",
        COCKPIT__APPROVAL_HOURS="0.5",
        COCKPIT__REMINDER_DAYS=json.dumps([WEEKDAYS[later]]),
    )
    with PrefectServer(publication.home, settings, python=warm_python) as server:
        run = server.start("publish-issue/thursday")
        server.wait_for_state(run, "PAUSED")
        for _ in range(2):  # the second time no mail is sent
            state = server.wait_for_state(server.start("watch/around-the-clock"), *ENDED)
            assert state["type"] == "COMPLETED", state["message"]
        issue = server.request("GET", f"/flow_runs/{run}")["name"].removeprefix("publish-")
        question = f"Umbaupost: Ausgabe {issue} wartet auf Ihre Freigabe"
        assert relay.subjects("anna@example.org") == [question]
        assert "/preview/" in relay.text_for("anna@example.org")
        assert server.state(run)["type"] == "PAUSED"

        with closing(sqlite3.connect(publication.home / "var/upcycle.db")) as store, store:
            store.execute("UPDATE approval_requests SET expires_at = '2026-01-01 00:00:00.000000'")
        server.wait_for_state(server.start("watch/around-the-clock"), *ENDED)
        state = server.wait_for_state(run, *ENDED)
        assert (state["type"], state["name"]) == ("CANCELLED", "Unanswered")
        assert "Es wurde nichts verschickt" in state["message"]
        assert "upcycle-news issue send" in state["message"]
        assert len(relay.messages) == 1

        again = server.start("publish-issue/thursday")
        server.wait_for_state(again, "PAUSED")
        server.submit_form(again, decision="send", name="Anna")
        state = server.wait_for_state(again, *ENDED, after=server.resumed_at)
        assert "an 3 von 3 verschickt" in state["message"]
    assert sorted(relay.accepted) == sorted([*readers, "anna@example.org"])
    assert [len(relay.accepted[reader]) for reader in readers] == [1, 1]


def test_an_old_prefect_database_causes_no_second_mail(
    publication: Publication, relay: StoringSink, warm_python: str, tmp_path: Path
) -> None:
    """The restored copy still schedules the run that has sent the issue since: it runs again."""
    publication.write_essay()
    readers = publication.add_many_subscribers(3)
    settings = environment(relay)
    with PrefectServer(publication.home, settings, python=warm_python) as server:
        server.stop_runner()  # so that nothing takes the run before it is copied
        run = server.start("publish-issue/thursday", approve=True)
        copy = tmp_path / "prefect.db"
        database = server.prefect_home / "prefect.db"
        with (
            closing(sqlite3.connect(database)) as current,
            closing(sqlite3.connect(copy)) as target,
        ):
            current.backup(target)
        assert state_in(copy, run) == "SCHEDULED"
        server.ensure_running()
        state = server.wait_for_state(run, *ENDED)
        assert "an 3 von 3 verschickt" in state["message"]
        publication.write_essay("Erst für die nächste Ausgabe")
        server.stop()
        for leftover in server.prefect_home.glob("prefect.db*"):
            leftover.unlink()
        shutil.copy(copy, database)

        server.ensure_running()
        state = server.wait_for_state(run, *ENDED)
        assert state["name"] == "AlreadySent"
        assert "ist schon hinaus: an 3 von 3 verschickt" in state["message"]
        late = server.wait_for_state(server.start("deliver-pending/when-due"), *ENDED)
        assert late["name"] == "NothingPending"
        # Other runs of the old schedule are due as well.
        wait_until(
            lambda: not unfinished(server), "runs of the old database do not end", seconds=PATIENCE
        )
    assert sorted(relay.accepted) == readers
    assert {len(ids) for ids in relay.accepted.values()} == {1}
    with closing(sqlite3.connect(publication.home / "var/upcycle.db")) as store:
        assert store.execute("SELECT count(*) FROM issues").fetchone() == (1,)


def state_in(database: Path, run: str) -> Any:
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT state_type FROM flow_run WHERE replace(id, '-', '') = ?"
        [state] = connection.execute(query, (run.replace("-", ""),)).fetchone()
    return state


def unfinished(server: PrefectServer) -> int:
    """Return the number of runs of publish-issue that are running, pending or late."""
    runs_filter = {
        "flows": {"name": {"any_": ["publish-issue"]}},
        "flow_runs": {
            "state": {"type": {"any_": ["RUNNING", "PENDING", "SCHEDULED"]}},
            "expected_start_time": {"before_": datetime.now(UTC).isoformat()},
        },
    }
    return int(server.request("POST", "/flow_runs/count", runs_filter))

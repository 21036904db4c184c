"""No address outside of store, mails and inbox after everything that can happen to a list."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.models import EmailAddress
from upcycle_news.storage.subscribers import NewSubscriber

from ..bounces import sample_reports
from ..publications import (
    Publication,
    add_confirmed_subscribers,
    parse_mail,
    send_issue,
)
from .web_server import running_server

# Local parts that occur nowhere else, so that every match is an address.
NAMES = ("geheimniskraemerin", "verschwiegenheit", "stillschweigen")
ADDRESSES = [f"{name}@example.org" for name in NAMES]
# Where addresses belong: the store, the mails themselves, and the inbox.
BELONGS = re.compile(r"/(upcycle\.db[^/]*|mailbox/.*|inbox/.*)$")


def traces(folder: Path) -> list[str]:
    """Return the files below a folder that hold an address where none belongs."""
    matches = []
    for path in folder.rglob("*"):
        if path.is_file() and not BELONGS.search(str(path)):
            data = path.read_bytes().lower()
            matches += [str(path) for name in NAMES if name.encode() in data]
    return matches


def test_a_subscribers_whole_life_leaves_no_address_in_logs_or_files(
    publication: Publication, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("tmp", "new", "cur"):
        (publication.home / "inbox" / name).mkdir(parents=True)
    publication.change_setting("https://umbaupost.example.net", f"http://127.0.0.1:{port}")
    context = publication.context(
        SENDER__VERP="true", INBOX__MAILDIR="inbox",
        SENDER__UNSUBSCRIBE_MAILTO="weg@umbaupost.example.net",
    )  # fmt: skip
    add_confirmed_subscribers(context, *ADDRESSES[:2])
    with running_server(context, port) as server:
        server.post("/subscribe", {"email": ADDRESSES[2]})
        server.post("/subscribe", {"email": f"{NAMES[2]}@@falsch"})
        server.get(f"/unsubscribe/{ADDRESSES[2]}")
    publication.write_essay()
    assert send_issue(context).closed
    path = max((publication.home / "var/mailbox/new").iterdir(), key=lambda path: path.name)
    back = path.read_bytes().split(b"\r\n", 1)[0].decode().removeprefix("Return-Path: <")[:-1]
    (publication.home / "inbox/new/1").write_bytes(sample_reports.postfix(back, ADDRESSES[1]))
    done = publication.run("bounces", "collect", SENDER__VERP="true", INBOX__MAILDIR="inbox")
    output = publication.run("bounces", "list", "--json").output + done.output
    output += publication.run("subscribers", "stats", "--json").output
    output += publication.run("subscribers", "forget", ADDRESSES[0], "--yes").output
    assert "Berichte: 1 endgültig zurück" in done.out
    for name in NAMES:
        assert name not in output.lower()
        assert name not in caplog.text.lower()
    assert traces(publication.home / "var") == []


def test_an_error_in_a_handler_logs_no_address(
    publication: Publication, context: AppContext, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with (
        running_server(context, port) as server,
        patch(
            "upcycle_news.api.subscribers.subscriptions.sign_up",
            side_effect=RuntimeError(f"no {ADDRESSES[0]}"),
        ),
    ):
        answer = server.post("/subscribe", {"email": ADDRESSES[0], "language": "de"})
    assert answer.status == 503
    assert "Gerade geht es nicht" in answer.text
    assert NAMES[0] not in caplog.text + answer.text
    assert "RuntimeError" in caplog.text


FLOWS = """\
import runpy, sys
sys.path.insert(0, "flows")
for flow in ("collect_bounces", "tidy"):
    try:
        runpy.run_path(f"flows/{flow}.py", run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
"""


@pytest.mark.prefect
@pytest.mark.timeout(400)
@pytest.mark.slow
def test_prefects_own_database_holds_no_address(publication: Publication, tmp_path: Path) -> None:
    for name in ("tmp", "new", "cur"):
        (publication.home / "inbox" / name).mkdir(parents=True)
    context = publication.context()
    add_confirmed_subscribers(context, *ADDRESSES)
    publication.write_essay()
    assert send_issue(context).closed
    (publication.home / "inbox/new/1").write_bytes(sample_reports.vacation(ADDRESSES[0]))
    home = tmp_path / "prefect"
    environment = {
        **os.environ, "PREFECT_HOME": str(home), "UPCYCLE_NEWS_INBOX__MAILDIR": "inbox",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true", "PREFECT_LOGGING_LEVEL": "DEBUG",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "200",
    }  # fmt: skip
    # In one process: a server and its database take most of the time.
    done = subprocess.run(
        [sys.executable, "-c", FLOWS], cwd=publication.home, env=environment,
        capture_output=True, text=True, timeout=390, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    for flow in ("collect-bounces", "tidy"):
        assert f"Flow run '{flow}' - Finished in state Completed" in done.stderr
    assert not any(name in (done.stdout + done.stderr).lower() for name in NAMES)
    assert any(path.suffix == ".db" for path in home.rglob("*"))
    assert traces(home) == []


def test_an_issue_for_some_topics_goes_to_those_who_want_them(publication: Publication) -> None:
    def reader(name: str, *topics: str) -> NewSubscriber:
        return NewSubscriber(EmailAddress.parse(f"{name}@example.org"), topics=topics)

    publication.add_subscribers(
        reader("alles"), reader("bestand", "Bestand"), reader("handwerk", "Handwerk"),
        reader("beides", "handwerk", "BESTAND"),
    )  # fmt: skip
    publication.write_essay()
    context = publication.context(ISSUE__TOPICS='["Bestand"]')
    status = send_issue(context)
    assert status.closed and status.audience == 3
    assert [str(parse_mail(mail)["To"]).strip("<>") for mail in publication.mails()] == [
        "alles@example.org",
        "bestand@example.org",
        "beides@example.org",
    ]

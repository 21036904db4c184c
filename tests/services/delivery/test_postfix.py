"""A real Postfix as the relay: dead readers refused at RCPT, or bounced later; restarts in mid-send."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from ...postfix_relay import (
    BOUNCES,
    DOVECOT,
    POSTFIX,
    SOFT_ERROR_LIMIT,
    PostfixRelay,
    postfix_relay,
    sessions_in,
)
from ...publications import Publication
from ...waiting import wait_until

REQUIRED = os.environ.get("UPCYCLE_REQUIRE_TOOLS") == "1"
AUDIENCE = 2000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def _addresses() -> tuple[list[str], set[str]]:
    """Return all readers in the order of the list, and the dead ones among them: 4 %.

    Half of the dead are scattered over the list and its domains; the others stand in a row, as those
    of a firm that is no more. Some living ones have an address extension.
    """
    readers = []
    for number in range(AUDIENCE):
        extension = "+umbau" if number % 100 == 13 else ""
        readers.append(f"leser{number}{extension}@stadt{number % 40}.example")
    firm = range(730, 730 + AUDIENCE // 50)
    for number in firm:
        readers[number] = f"leser{number}@altfirma.example"
    dead = {readers[number] for number in range(25, AUDIENCE, 50)} | {readers[n] for n in firm}
    return readers, dead


READERS, DEAD = _addresses()


@pytest.fixture
def postfix(monkeypatch: pytest.MonkeyPatch) -> Iterator[PostfixRelay]:
    missing = [name for name, path in (("postfix", POSTFIX), ("dovecot", DOVECOT)) if path is None]
    if missing and REQUIRED:
        pytest.fail(f"{missing} is missing (apt-get install postfix dovecot-imapd)")
    if missing:
        pytest.skip(f"{missing} is not installed (apt-get install postfix dovecot-imapd)")
    assert DOVECOT is not None
    version = subprocess.run([DOVECOT, "--version"], capture_output=True, text=True, check=True)
    if not version.stdout.startswith("2.3."):
        pytest.skip("the login's configuration is written for Dovecot 2.3")
    if os.geteuid() != 0:
        pytest.skip("Postfix starts as root only")
    domains = ["altfirma.example"]
    alive = [reader for reader in READERS if reader not in DEAD]
    with postfix_relay(alive, more_domains=domains) as relay:
        monkeypatch.setenv("SSL_CERT_FILE", str(relay.trust))
        yield relay


def send(publication: Publication, *command: str, **settings: str) -> Any:
    """Run `issue send` in a process of its own; return the JSON that it prints."""
    process = publication.start("issue", *command, "--json", **settings)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert "Traceback" not in err
    return json.loads(out.splitlines()[-1])


def prepare(publication: Publication, *readers: str) -> None:
    publication.write_essay()
    publication.add_subscribers(*readers)


def found_dead(publication: Publication) -> set[str]:
    """Return who is suppressed, or is kept for a person's decision."""
    listed = publication.run("subscribers", "suppressions", "--json").lines
    pending = publication.run("subscribers", "suppressions", "--pending", "--json").lines
    return {row["key"] for row in [*listed, *pending]}


def test_dead_readers_that_are_refused_are_found_and_cost_no_punished_session(
    publication: Publication, postfix: PostfixRelay
) -> None:
    prepare(publication, *READERS)
    settings = postfix.settings(postfix.asks)
    status = send(publication, "send", "--yes", "--no-collect", **settings)
    assert (status["sent"], status["rejected"]) == (AUDIENCE - len(DEAD), len(DEAD))
    assert status["closed"]
    assert found_dead(publication) == DEAD

    sessions = sessions_in(postfix.new_log())
    assert sum(session.errors for session in sessions) == 2 * len(DEAD)
    assert max(session.most for session in sessions) < SOFT_ERROR_LIMIT
    assert not any(session.ended for session in sessions)
    assert len(sessions) <= 30  # forty in a row cost a session for each two or three

    wait_until(postfix.is_idle, "the queue does not empty", seconds=120)
    assert postfix.recipients() == dict.fromkeys(set(READERS) - DEAD, 1)
    assert postfix.mails("bounces") == []


def test_dead_readers_that_bounce_later_are_all_found_and_nobody_else(
    publication: Publication, postfix: PostfixRelay
) -> None:
    prepare(publication, *READERS)
    settings = postfix.settings(
        postfix.accepts,
        SENDER__VERP="true",
        SENDER__ENVELOPE=BOUNCES,
        INBOX__MAILDIR=str(postfix.folder / "mail/bounces"),
    )
    status = send(publication, "send", "--yes", "--no-collect", **settings)
    assert (status["sent"], status["closed"]) == (AUDIENCE, True)
    assert found_dead(publication) == set()
    wait_until(postfix.is_idle, "the queue does not empty", seconds=180)
    assert len(postfix.mails("bounces")) == len(DEAD)
    assert postfix.recipients() == dict.fromkeys(set(READERS) - DEAD, 1)

    publication.run("bounces", "collect", "--json", **settings)
    listed = publication.run("bounces", "list", "--json").lines
    assert {row["kind"] for row in listed} == {"hard"}
    assert len(listed) == len(DEAD)
    assert found_dead(publication) == DEAD
    assert postfix.mails("bounces") == []  # all were understood and moved away


def test_a_relay_restarted_three_times_in_mid_send_closes_unattended(
    publication: Publication, postfix: PostfixRelay
) -> None:
    alive = [reader for reader in READERS if reader not in DEAD][:900]
    prepare(publication, *alive)
    settings = postfix.settings(
        postfix.asks, RELAYS__MAIN__QUOTAS='["150/s"]', RETRY__PATIENCE_SECONDS="60"
    )
    log = postfix.folder / "log"

    def accepted() -> int:
        return len(re.findall(r"smtpd\[\d+\]: [0-9A-F]+: client=", log.read_text()))

    process = publication.start("issue", "send", "--yes", "--no-collect", "--json", **settings)
    for share in (150, 350, 600):
        wait_until(lambda: accepted() >= share, "nothing is accepted", interval=0.05)  # noqa: B023
        postfix.stop()
        assert process.poll() is None
        postfix.start()
    out, err = process.communicate()
    assert process.returncode == 0, err
    status = publication.run("issue", "status", "--json").json
    assert status["closed"], out
    assert status["sent"] + status["unknown"] == len(alive)
    assert status["unknown"] <= 3 * 4  # one for each connection and restart at the most
    wait_until(postfix.is_idle, "the queue does not empty", seconds=120)
    got = postfix.recipients()
    assert set(got.values()) == {1}
    assert len(got) >= status["sent"]

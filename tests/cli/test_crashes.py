"""Processes that die, and processes that collide: real ones, few of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter

import pytest

from ..publications import Publication, parse_mail, relay_variables
from ..transports.bad_relays import MisbehavingRelay

CROWD = 30
DEATH = 13


class Executioner:
    """A relay's view of a sender that is killed while the relay has its message in hand."""

    def __init__(self, how: signal.Signals) -> None:
        self.how = how
        self.sender: subprocess.Popen[str] | None = None
        self.messages = 0

    def __call__(self, day: MisbehavingRelay, who: str) -> None:
        self.messages += 1
        if self.messages == DEATH and self.sender is not None:
            os.kill(self.sender.pid, self.how)
            if self.how is signal.SIGKILL:
                self.sender.wait(60)


def interrupted(
    publication: Publication, how: signal.Signals
) -> tuple[str, list[tuple[str, bytes]], int]:
    """Send to a crowd and be interrupted; the issue, what the relay took, the exit code."""
    publication.write_essay()
    publication.add_many_subscribers(CROWD)
    executioner = Executioner(how)
    with MisbehavingRelay(data=executioner) as relay:
        variables = relay_variables(relay.controller.port)
        executioner.sender = publication.start("issue", "send", "--yes", **variables)
        executioner.sender.communicate(timeout=60)
        code = executioner.sender.returncode
    issue = publication.run("issue", "status", "--json").json["issue"]
    return issue, relay.accepted, code


@pytest.mark.slow
def test_after_a_kill_every_subscriber_gets_the_issue_once(
    publication: Publication,
) -> None:
    issue, before, code = interrupted(publication, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert len(before) == DEATH
    with MisbehavingRelay() as relay:
        variables = relay_variables(relay.controller.port)
        status = publication.run("issue", "resume", issue, "--json", **variables).json
        assert (status["sent"], status["unknown"]) == (CROWD - 1, 1)
        assert (status["audience"], status["closed"]) == (CROWD, True)
        took = Counter(who for who, _ in (*before, *relay.accepted))
        assert len(took) == CROWD
        assert set(took.values()) == {1}
        [held] = publication.run("issue", "status", issue, "--list", "unknown", "--json").lines
        assert held["email"] == before[-1][0]
        done = publication.run("issue", "resend", issue, "--json", **variables).json
        assert (done["sent"], done["unknown"], done["closed"]) == (CROWD, 0, True)
    everything = [*before, *relay.accepted]
    ids = {parse_mail(mail)["Message-ID"] for _, mail in everything}
    assert len(everything) == CROWD + 1
    assert len(ids) == CROWD, "the second copy is recognisable by its Message-ID"


@pytest.mark.slow
def test_sigterm_finishes_the_mail_in_transit_and_says_how_to_resume(
    publication: Publication,
) -> None:
    issue, before, code = interrupted(publication, signal.SIGTERM)
    assert code == 1
    status = publication.run("issue", "status", "--json").json
    assert (status["sent"], status["unknown"], status["sending"]) == (len(before), 0, 0)
    assert status["queued"] == CROWD - len(before) > 0
    refused = publication.run("issue", "resume", issue, code=1)
    assert "UPCYCLE_NEWS_RELAYS__MAIN__HOST" in refused.err
    assert publication.mails() == []
    with MisbehavingRelay() as relay:
        variables = relay_variables(relay.controller.port)
        done = publication.run("issue", "resume", issue, "--json", **variables).json
    assert (done["sent"], done["closed"]) == (CROWD, True)
    assert len(relay.accepted) == CROWD - len(before)


@pytest.mark.slow
def test_two_concurrent_sends_send_one_mail_to_each_subscriber(publication: Publication) -> None:
    publication.write_essay()
    readers = publication.add_many_subscribers(CROWD)
    with MisbehavingRelay() as relay:
        variables = relay_variables(relay.controller.port)
        processes = [
            publication.start("issue", "send", "--yes", "--json", **variables) for _ in range(2)
        ]
        outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] in ([0, 0], [0, 3], [3, 0]), outputs
    assert not any("Traceback" in err for _, err in outputs)
    assert Counter(relay.recipients) == dict.fromkeys(readers, 1)
    assert {json.loads(out)["audience"] for out, _ in outputs} == {CROWD}
    assert publication.run("issue", "status", "--json").json["closed"] is True

"""A relay that goes away in mid-send: nothing needs a person, and every state says the truth."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.delivery import relay_backoff
from upcycle_news.errors import IssueError, RelayError
from upcycle_news.models import IssueId, IssueState
from upcycle_news.services.delivery import issue_control, send
from upcycle_news.services.delivery.lateness import standstill
from upcycle_news.services.monitoring import alerts
from upcycle_news.services.runs.deliver import deliver_with_progress, resume_delivery
from upcycle_news.services.runs.pending import halted_issues, pending_issues
from upcycle_news.services.runs.results import delivery_result
from upcycle_news.storage import issue_relays, issues
from upcycle_news.transports.outcomes import RelayUnreachable

from ...delivery.memory_ledger import Clock
from ...processes import free_port
from ...publications import (
    Publication,
    approve_issue,
    issue_status,
    relay_variables,
    send_issue,
)
from ...transports.bad_relays import MisbehavingRelay, always
from .failing_relay import FailingRelay

ISSUE = IssueId.parse("2026-11-26")


@pytest.fixture
def relay() -> Iterator[FailingRelay]:
    with FailingRelay() as started:
        yield started


def context_of(publication: Publication, port: int, **more: str) -> AppContext:
    """Open a context that waits on the publication's clock."""
    assert isinstance(publication.clock, Clock)
    settings = publication.context(**relay_variables(port), **more).settings
    context = AppContext(settings, clock=publication.clock, wait=publication.clock.wait)
    publication.contexts.append(context)
    return context


def queue(context: AppContext) -> None:
    _, rendered = approve_issue(context)
    send.enqueue(context, rendered)


def state_of(context: AppContext) -> IssueState:
    row = issues.get(context.store, ISSUE)
    assert row is not None
    return row.state


def run_pending(context: AppContext) -> tuple[str, str]:
    """Do what the flow deliver-pending does; return the name and the sentence of its state."""
    delivered = [
        resume_delivery(context, IssueId.parse(issue)) for issue in pending_issues(context)
    ]
    halted = [issue.text.in_language(context.language) for issue in halted_issues(context)]
    result = delivery_result(delivered, None, halted)
    return result.name, result.message


def test_a_relay_restarted_three_times_in_mid_send_needs_no_person(
    publication: Publication, relay: FailingRelay, clock: Clock
) -> None:
    publication.write_essay()
    readers = publication.add_many_subscribers(120)
    context = context_of(publication, relay.port)
    queue(context)
    names = []
    for fall in (30, 25, 30):
        relay.start(fall_after=fall)
        names.append(run_pending(context)[0])
        assert state_of(context) is IssueState.SENDING
        names.append(run_pending(context)[0])  # still away
        clock.wait(300)
    relay.start()
    names.append(run_pending(context)[0])
    assert names == ["RelayAway"] * 6 + ["Completed"]
    assert issue_status(context, ISSUE).closed
    assert relay.accepted == dict.fromkeys(readers, 1)
    assert run_pending(context) == ("NothingPending", "no issue has deliveries left")


def test_a_restart_within_the_patience_of_a_run_is_waited_for(
    publication: Publication, relay: FailingRelay, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_backoff, "_LONGEST_RECONNECT_WAIT", 60.0)
    publication.write_essay()
    readers = publication.add_many_subscribers(60)
    context = context_of(publication, relay.port, RETRY__PATIENCE_SECONDS="90")
    queue(context)
    relay.start(fall_after=30)
    shown: list[str] = []
    original, fell_at = clock.wait, clock.now

    def wait(seconds: float) -> None:
        original(seconds)
        if relay.lives == 2 and clock.now - fell_at > timedelta(seconds=12):
            relay.start()

    object.__setattr__(context, "wait", wait)
    status = deliver_with_progress(context, ISSUE, lambda percent, text: shown.append(text))
    assert status.closed
    assert relay.accepted == dict.fromkeys(readers, 1)
    assert "30 von 60 verschickt; das Relay ist seit 07:00 Uhr nicht erreichbar" in " ".join(shown)
    assert issue_relays.get(context.store, ISSUE).away_since is None


@pytest.mark.parametrize("language", ["de", "en"])
def test_states_and_progress_say_since_when_the_relay_is_away(
    publication: Publication, relay: FailingRelay, clock: Clock, language: str
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(50)
    context = context_of(publication, relay.port, PUBLICATION__LANGUAGE=language)
    queue(context)
    relay.start(fall_after=20)
    shown: list[tuple[float, str]] = []
    with pytest.raises(RelayUnreachable) as raised:
        deliver_with_progress(context, ISSUE, lambda percent, text: shown.append((percent, text)))
    away = {
        "de": "20 von 50 verschickt; das Relay ist seit 07:00 Uhr nicht erreichbar, es geht",
        "en": "20 of 50 sent; the relay is away since 07:00, goes on by itself",
    }[language]
    assert away in raised.value.in_language(language)
    assert shown[-1][0] == 40.0
    assert away in shown[-1][1]
    halt = standstill(context, ISSUE)
    assert halt is not None and halt.away is not None
    clock.wait(3600)
    name, message = run_pending(context)
    assert (name, away in message) == ("RelayAway", True)
    [event] = alerts.new_events(context)
    assert event.name == "upcycle-news.issue.stalled"
    assert "20 " in event.message and ("07:00" in event.message)
    relay.start()
    assert run_pending(context)[0] == "Completed"
    assert standstill(context, ISSUE) is None


def test_the_command_says_it_and_its_status_too(
    publication: Publication, relay: FailingRelay
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(40)
    relay.start(fall_after=15)
    at = relay_variables(relay.port)
    sent = publication.run("issue", "send", "--yes", "--no-collect", code=1, **at)
    assert "15 von 40 verschickt; das Relay ist seit" in sent.err
    assert "angehalten" not in sent.err
    status = publication.run("issue", "status")
    assert "15 von 40 verschickt; das Relay ist seit" in status.err
    assert publication.run("issue", "status", "--json").json["state"] == "sending"
    relay.start()
    issue = publication.run("issue", "status", "--json").json["issue"]
    assert publication.run("issue", "resume", issue, "--json", **at).json["closed"]


def test_a_relay_that_was_never_there_is_away_since_the_first_try(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(3)
    context = context_of(publication, free_port())
    queue(context)
    assert run_pending(context)[0] == "RelayAway"
    clock.wait(26 * 3600)
    name, message = run_pending(context)
    assert (name, "26.11.2026, 07:00 Uhr" in message) == ("RelayAway", True)


def test_a_login_that_is_refused_after_a_restart_stops_the_issue(
    publication: Publication, relay: FailingRelay
) -> None:
    """A refusal that speaks of us needs a person, also where the relay was away before."""
    publication.write_essay()
    publication.add_many_subscribers(20)
    context = context_of(publication, relay.port)
    queue(context)
    relay.start(fall_after=8)
    assert run_pending(context)[0] == "RelayAway"
    with MisbehavingRelay(mail=always("550 5.7.1 not from you")) as refusing:
        context = context_of(publication, refusing.controller.port)
        with pytest.raises(RelayError, match="not from you"):
            resume_delivery(context, ISSUE)
    assert state_of(context) is IssueState.STOPPED
    halt = standstill(context, ISSUE)
    assert halt is not None and halt.away is None


# --- without the relay's settings


def test_the_rest_of_a_half_sent_issue_is_not_stored_in_the_mailbox(
    publication: Publication, relay: FailingRelay
) -> None:
    publication.write_essay()
    readers = publication.add_many_subscribers(30)
    relay.start(fall_after=12)
    at = relay_variables(relay.port)
    publication.run("issue", "send", "--yes", "--no-collect", code=1, **at)
    issue = publication.run("issue", "status", "--json").json["issue"]
    for command in (("resume", issue), ("send", issue, "--yes"), ("resend", issue)):
        refused = publication.run("issue", *command, code=1)
        assert "UPCYCLE_NEWS_RELAYS__MAIN__HOST" in refused.err
        assert "„main“" in refused.err
    assert publication.mails() == []
    assert publication.run("issue", "status", "--json").json["state"] == "sending"
    relay.start()
    assert publication.run("issue", "resume", issue, "--json", **at).json["sent"] == 30
    assert relay.accepted == dict.fromkeys(readers, 1)


def test_a_stopped_issue_stays_stopped_in_a_shell_without_its_relay(
    publication: Publication,
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(9)
    said = {"mail": lambda server, who: None if len(server.accepted) < 5 else "550 5.7.1 no"}
    with MisbehavingRelay(**said) as server:
        context = context_of(publication, server.controller.port)
        queue(context)
        with pytest.raises(RelayError, match="refused the sender"):
            send.deliver_issue(context, ISSUE)
    with pytest.raises(IssueError, match="RELAYS__MAIN__HOST"):
        issue_control.resume(publication.context(), ISSUE)
    assert state_of(context) is IssueState.STOPPED
    assert publication.mails() == []


def test_an_issue_of_the_mailbox_goes_on_without_a_relay(publication: Publication) -> None:
    publication.write_essay()
    readers = publication.add_many_subscribers(4)
    context = publication.context()
    assert send_issue(context).closed
    issue_control.resume(context, ISSUE)
    assert publication.recipients() == readers
    assert issue_relays.get(context.store, ISSUE).first_relay == "mailbox"


# --- what is pending


@pytest.mark.parametrize("language", ["de", "en"])
def test_what_waits_for_a_person_is_named_with_its_cure(
    publication: Publication, relay: FailingRelay, language: str
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(7)
    context = context_of(publication, relay.port, PUBLICATION__LANGUAGE=language)
    queue(context)
    issue_control.pause(context, ISSUE, by="Anna")
    name, message = run_pending(context)
    assert name == "Halted"
    assert f"upcycle-news issue resume {ISSUE}" in message
    assert ("7 von 7 Mails" if language == "de" else "7 of 7 deliveries") in message
    issue_control.resume(context, ISSUE)
    with MisbehavingRelay(mail=always("550 5.7.1 not from you")) as refusing:
        refused = context_of(publication, refusing.controller.port, PUBLICATION__LANGUAGE=language)
        with pytest.raises(RelayError, match="not from you"):
            resume_delivery(refused, ISSUE)
    name, message = run_pending(context)
    assert (name, "not from you" in message) == ("Halted", True)
    assert f"upcycle-news issue resume {ISSUE}" in message
    issue_control.cancel(context, ISSUE)
    assert run_pending(context)[0] == "NothingPending"


def test_an_approval_that_is_too_old_is_named(publication: Publication, clock: Clock) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    context = publication.context()
    approve_issue(context)
    clock.wait(25 * 3600)
    assert pending_issues(context, max_lateness_hours=24) == []
    [halted] = halted_issues(context, max_lateness_hours=24)
    assert f"upcycle-news issue send {ISSUE}" in halted.text.in_language("de")
    assert halted_issues(context) == ()

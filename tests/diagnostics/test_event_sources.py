"""Whether the events of a relay's provider arrive, as the doctor and `check` see it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from upcycle_news.diagnostics.event_sources import (
    QUIET,
    SourceFacts,
    evaluate,
    provider_of_host,
)
from upcycle_news.diagnostics.results import CheckResult
from upcycle_news.models import Relay
from upcycle_news.storage import provider_events

from ..publications import Publication, relay_variables, send_issue
from ..transports.bad_relays import MisbehavingRelay

NOW = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SECRET = "Geheim-4711-Geheim-4711"


def relay(provider: str = "postmark", host: str = "smtp.postmarkapp.com") -> Relay:
    return Relay("main", host, 587, provider=provider)


def source(*, first: datetime | None = None, last: datetime | None = None) -> SourceFacts:
    return SourceFacts("post", "postmark", (), first, last)


def judged(
    *sources: SourceFacts, mailed_at: datetime | None = None, over: Relay | None = None
) -> list[CheckResult]:
    return evaluate(over or relay(), sources, mailed_at=mailed_at, now=NOW)


def test_a_relay_without_provider_is_not_asked_about() -> None:
    assert judged(source(), over=relay("", "smtp.umbaupost.example.net")) == []


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("email-smtp.eu-central-1.amazonaws.com", "ses"),
        ("smtp-broadcasts.postmarkapp.com", "postmark"),
        ("smtp.eu.mailgun.org", "mailgun"),
        ("smtp.sendgrid.net", "sendgrid"),
        ("smtp-relay.brevo.com", "brevo"),
        ("in-v3.mailjet.com.", "mailjet"),
        ("mailgun.org.umbaupost.example.net", ""),
        ("notmailgun.org", ""),
        ("email-smtp-fips.us-east-1.amazonaws.com", "ses"),
        ("ec2-192-0-2-1.eu-central-1.compute.amazonaws.com", ""),
        ("", ""),
    ],
)
def test_a_providers_server_that_is_not_named_as_such_is_a_warning(
    host: str, provider: str
) -> None:
    assert provider_of_host(host) == provider
    results = judged(over=relay("", host))
    assert [str(result.state) for result in results] == (["warning"] if provider else [])
    for result in results:
        assert f'relays.main.provider = "{provider}"' in str(result.fix)


def test_a_provider_without_a_source_of_events_is_a_warning() -> None:
    other = SourceFacts("amazon", "ses", (), NOW - DAY, NOW)
    [result] = judged(other)
    assert (result.check, str(result.state)) == ("events", "warning")
    assert "dead addresses are written to for ever" in str(result.impact)
    assert "docs/providers/postmark.md" in str(result.fix)
    assert "kein [events.NAME]" in result.finding.in_language("de")


def test_a_source_that_lacks_its_secret_is_a_problem_that_names_the_settings() -> None:
    [result] = judged(SourceFacts("post", "postmark", ("secret", "signing_key")))
    assert str(result.state) == "problem"
    assert "secret, signing_key" in str(result.finding)


@pytest.mark.parametrize(
    ("first", "last", "mailed_at", "state"),
    [
        (None, None, None, "skipped"),  # nothing was sent: nothing can have come
        (None, None, NOW - DAY, "warning"),
        (NOW - 90 * DAY, NOW - DAY, NOW - DAY, "ok"),
        (NOW - 90 * DAY, NOW - 20 * DAY, NOW - DAY, "ok"),
        (NOW - 90 * DAY, NOW - QUIET - DAY, NOW - DAY, "warning"),
        (NOW - 90 * DAY, NOW - QUIET - DAY, NOW - QUIET - 2 * DAY, "ok"),
        (NOW - 90 * DAY, NOW - QUIET - DAY, None, "ok"),
    ],
)
def test_silence_counts_only_where_an_issue_was_sent(
    first: datetime | None, last: datetime | None, mailed_at: datetime | None, state: str
) -> None:
    [result] = judged(source(first=first, last=last), mailed_at=mailed_at)
    assert str(result.state) == state
    if state == "ok":
        assert "since 2026-08-28" in str(result.finding)


@pytest.mark.parametrize(
    ("matched", "unsigned", "state"),
    [(0, 0, "ok"), (3, 0, "ok"), (3, 40, "ok"), (0, 1, "warning"), (0, 40, "warning")],
)
def test_events_that_name_no_mail_of_ours_are_a_warning(
    matched: int, unsigned: int, state: str
) -> None:
    facts = SourceFacts("post", "postmark", (), NOW - DAY, NOW, matched, unsigned)
    [result] = judged(facts, mailed_at=NOW - DAY)
    assert str(result.state) == state
    if state == "warning":
        assert "of ours" in str(result.finding)


# --- the command


def events_line(publication: Publication, **environment: str) -> dict[str, str]:
    done = publication.run("doctor", "events", "--json", **environment)
    [line] = done.json["groups"]["relay"]
    assert isinstance(line, dict)
    return line


def test_the_doctor_asks_the_store_whether_events_were_seen(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    with MisbehavingRelay() as server:
        environment = {
            **relay_variables(server.controller.port),
            "RELAYS__MAIN__PROVIDER": "postmark",
            "EVENTS__POST__PROVIDER": "postmark",
            "EVENTS__POST__SECRET": SECRET,
        }
        context = publication.context(**environment)
        assert events_line(publication, **environment)["state"] == "skipped"
        assert send_issue(context).sent == 1
        never = events_line(publication, **environment)
        assert (never["state"], never["about"]) == ("warning", "post")
        assert SECRET not in str(never)
        provider_events.count_events(
            context.store, "post", {("delivered", "Delivery"): 3}, now=context.clock()
        )
        seen = events_line(publication, **environment)
        assert seen["state"] == "ok"
        assert "since 2026-11-26" in seen["found"]
        provider_events.count_events(
            context.store, "post", {("unsigned", "HardBounce"): 2}, now=context.clock()
        )
        foreign = events_line(publication, **environment)
        assert (foreign["state"], foreign["found"][:2]) == ("warning", "2 ")
        provider_events.count_events(
            context.store, "post", {("hard", "HardBounce"): 1}, now=context.clock()
        )
        assert events_line(publication, **environment)["state"] == "ok"
        del environment["EVENTS__POST__SECRET"]
        lacking = publication.run("doctor", "events", "--json", code=1, **environment)
        assert "lacks what it needs: secret" in lacking.out

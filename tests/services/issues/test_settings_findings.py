"""Which settings are samples, what that means without and with a relay, and what is no sample."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from upcycle_news.api.publications import DEMO_STAND_INS
from upcycle_news.errors import IssueError, SettingsError
from upcycle_news.models import IssueId
from upcycle_news.scaffold.sample_settings import (
    is_sample_address,
    is_sample_url,
    sample_imprint_lines,
    scaffold_settings,
)
from upcycle_news.services.delivery import send
from upcycle_news.services.issues import approval, compose
from upcycle_news.services.issues.render import render_revision
from upcycle_news.services.issues.settings_findings import settings_findings

from ...publications import Publication, relay_variables

ISSUE = IssueId.parse("2026-11-26")
REPOSITORY = Path(__file__).resolve().parents[3]
LOOPBACK = dict(relay_variables(9))
ELSEWHERE = {"RELAYS__MAIN__HOST": "smtp.umbau-verein.de"}


def found(publication: Publication, **environment: str) -> list[tuple[str, str, str]]:
    return [
        (finding.level, finding.code, finding.in_language("en").split("'")[1])
        for finding in settings_findings(publication.context(**environment))
    ]


@pytest.mark.parametrize(
    ("variable", "value", "setting"),
    [
        ("SENDER__ADDRESS", "Redaktion@Example.org", "sender.address"),
        ("SENDER__ADDRESS", "newsletter@example.org", "sender.address"),
        ("SENDER__ADDRESS", "umbaupost@example.org", "sender.address"),
        ("SENDER__REPLY_TO", "redaktion@example.org", "sender.reply_to"),
        ("SENDER__UNSUBSCRIBE_MAILTO", "abbestellen@example.org", "sender.unsubscribe_mailto"),
        ("SENDER__ENVELOPE", "redaktion@example.org", "sender.envelope"),
        ("PUBLICATION__PUBLIC_URL", "https://newsletter.example.org/", "publication.public_url"),
        ("ARCHIVE__URL", "https://archiv.example.org", "archive.url"),
        (
            "IMPRINT__LINES",
            '["Umbau e. V.", "Mein  Verein e. V., Musterstraße 1, 12345 Musterstadt"]',
            "imprint.lines",
        ),
        ("IMPRINT__LINES", '["Umbau e. V., Umbach", "redaktion@example.org"]', "imprint.lines"),
        (
            "IMPRINT__LINES",
            '["Musterverein e. V., Musterstraße 1, 12345 Musterstadt"]',
            "imprint.lines",
        ),
    ],
)
def test_a_sample_is_a_warning_without_a_relay_and_an_error_with_one(
    publication: Publication, variable: str, value: str, setting: str
) -> None:
    sample = {variable: value}
    assert found(publication, **sample) == [("warning", "sample-settings", setting)]
    assert found(publication, **sample, **LOOPBACK) == [("error", "sample-settings", setting)]
    assert ("error", "sample-settings", setting) in found(publication, **sample, **ELSEWHERE)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SENDER__ADDRESS", "post@example.org"),
        ("SENDER__ADDRESS", "redaktion@verein.example"),
        ("SENDER__REPLY_TO", "antwort@example.org"),
        ("PUBLICATION__PUBLIC_URL", "https://umbaupost.example.org"),
        ("PUBLICATION__PUBLIC_URL", "http://127.0.0.1:8000"),
        ("IMPRINT__LINES", '["Musterfrau e. V., Musterstraße 12, 12345 Musterstadt"]'),
        ("IMPRINT__LINES", '["Umbau e. V., post@example.org"]'),
    ],
)
def test_what_nobody_wrote_before_is_no_sample_whatever_its_domain(
    publication: Publication, variable: str, value: str
) -> None:
    assert found(publication, **{variable: value}) == []
    assert found(publication, **{variable: value}, **LOOPBACK) == []


def test_over_a_relay_elsewhere_no_reserved_domain_may_be_used(publication: Publication) -> None:
    assert found(publication, **ELSEWHERE) == [
        ("error", "sample-settings", "sender.address"),
        ("error", "sample-settings", "publication.public_url"),
    ]
    [sender, _] = settings_findings(publication.context(**ELSEWHERE))
    assert "RFC 2606" in sender.in_language("de")
    real = {
        "SENDER__ADDRESS": "post@umbau-verein.de",
        "PUBLICATION__PUBLIC_URL": "https://post.umbau-verein.de",
    }
    assert found(publication, **real, **ELSEWHERE) == []


def test_every_value_that_init_writes_is_known_as_a_sample() -> None:
    values = tomllib.loads(scaffold_settings())
    assert is_sample_address(values["sender"]["address"])
    assert is_sample_url(values["publication"]["public_url"])
    assert sample_imprint_lines(values["imprint"]["lines"]) == values["imprint"]["lines"]


def test_every_value_of_the_publication_that_the_demo_runs_on_is_known_as_a_sample() -> None:
    values = tomllib.loads((REPOSITORY / "newsletter.toml").read_text(encoding="utf-8"))
    sender = values["sender"]
    for name in ("address", "reply_to", "unsubscribe_mailto"):
        assert is_sample_address(sender[name])
    assert is_sample_url(values["publication"]["public_url"])
    assert sample_imprint_lines(values["imprint"]["lines"]) == values["imprint"]["lines"]
    assert is_sample_address(str(DEMO_STAND_INS["SENDER__ADDRESS"]))


def test_a_revision_that_still_shows_a_sample_is_sent_to_nobody(publication: Publication) -> None:
    """It was approved before the settings were changed, and deliver-pending would queue it."""
    publication.write_essay()
    publication.add_many_subscribers(2)
    imprint = '["Mein Verein e. V., Musterstraße 1, 12345 Musterstadt"]'
    before = publication.context(IMPRINT__LINES=imprint)
    revision = compose.compose_issue(before, ISSUE)
    approval.approve(before, render_revision(before, revision), by="Anna", composed_now=True)
    now = publication.context(**LOOPBACK)
    assert settings_findings(now) == ()
    with pytest.raises(IssueError, match=r"imprint\.lines.*preview the issue again"):
        send.enqueue(now, render_revision(now, revision))
    assert render_revision(publication.context(), revision).errors == ()


def test_an_empty_imprint_is_found_without_an_essay_too(publication: Publication) -> None:
    publication.change_setting("Umbau e. V., Lange Straße 1, 12345 Musterstadt", " ")
    [finding] = settings_findings(publication.context())
    assert (finding.level, finding.code) == ("error", "imprint-missing")
    publication.write_essay()
    assert publication.run("check", code=1).out.count("imprint-missing") == 1


def test_no_relay_may_be_called_as_the_mailbox_is(publication: Publication) -> None:
    with pytest.raises(SettingsError, match="a relay cannot be called 'mailbox'"):
        publication.context(RELAYS__MAILBOX__HOST="127.0.0.1")

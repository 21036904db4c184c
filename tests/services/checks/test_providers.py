"""A provider that has nowhere to report to is a warning of `check`."""

from __future__ import annotations

from upcycle_news.services.checks.providers import check_providers

from ...publications import Publication

SECRET = "Geheim-4711-Geheim-4711"


def findings(publication: Publication, **environment: str) -> list[tuple[str, str]]:
    context = publication.context(**environment)
    return [(finding.code, finding.level) for finding in check_providers(context)]


def test_a_provider_without_a_source_of_events_is_a_warning_with_its_line(
    publication: Publication,
) -> None:
    publication.change_setting(
        "[retry]\n", '[relays.main]\nhost = "127.0.0.1"\nprovider = "postmark"\n\n[retry]\n'
    )
    done = publication.run("check")
    [line] = [line for line in done.output.splitlines() if "docs/providers/postmark.md" in line]
    text = (publication.home / "newsletter.toml").read_text(encoding="utf-8")
    number = text[: text.index("provider =")].count("\n") + 1
    assert line.startswith(f"newsletter.toml:{number}: warning provider-events ")
    assert "kein [events.NAME]" in line
    assert (
        findings(publication, EVENTS__POST__PROVIDER="postmark", EVENTS__POST__SECRET=SECRET) == []
    )
    assert findings(publication, EVENTS__OTHER__PROVIDER="brevo", EVENTS__OTHER__SECRET=SECRET) == [
        ("provider-events", "warning")
    ]


def test_amazon_ses_needs_a_configuration_set_to_report_anything(publication: Publication) -> None:
    environment = {
        "RELAYS__MAIN__HOST": "127.0.0.1",
        "RELAYS__MAIN__PROVIDER": "ses",
        "EVENTS__AMAZON__PROVIDER": "ses",
        "EVENTS__AMAZON__SECRET": SECRET,
        "EVENTS__AMAZON__TOPIC_ARN": "arn:aws:sns:eu-central-1:123456789012:newsletter",
    }
    assert findings(publication, **environment) == [("provider-configuration", "warning")]
    environment["RELAYS__MAIN__CONFIGURATION_SET"] = "newsletter"
    assert findings(publication, **environment) == []


def test_without_a_provider_or_a_host_there_is_nothing_to_warn_of(publication: Publication) -> None:
    assert findings(publication) == []
    assert findings(publication, RELAYS__MAIN__HOST="127.0.0.1") == []

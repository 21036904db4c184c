"""What is wrong with the settings that every issue depends on: sender, public address, imprint, samples.

Sample values are a warning while mails only go into the embedded mailbox, and an error once a relay is
set, on loopback too. Over a relay elsewhere no domain that is reserved for examples (RFC 2606) may be used.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Literal

from upcycle_news.app.context import AppContext
from upcycle_news.app.factories import is_sample_host
from upcycle_news.config.settings import FILE_NAME
from upcycle_news.fileio import line_of
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import Finding, Publication
from upcycle_news.scaffold.sample_settings import (
    is_sample_address,
    is_sample_url,
    sample_imprint_lines,
)

_ADDRESSES = ("sender.address", "sender.reply_to", "sender.envelope", "sender.unsubscribe_mailto")
_URLS = ("publication.public_url", "archive.url")
_PRIVACY = "imprint.privacy_url"


def settings_findings(context: AppContext) -> tuple[Finding, ...]:
    """Return what in the settings keeps any issue from being sent, or will once a relay is set."""
    return (*_missing(context), *_samples(context), *_reserved_domains(context))


def revision_findings(context: AppContext, publication: Publication) -> Iterator[Finding]:
    """Yield an error for each sample value in a revision that the settings no longer have.

    An issue that was previewed or approved before the settings were changed shows the old ones.
    """
    if context.configured_relay is None:
        return
    now = context.publication
    values = (
        ("sender.address", publication.sender_address, now.sender_address),
        ("sender.reply_to", publication.reply_to, now.reply_to),
        ("publication.public_url", publication.public_url, now.public_url),
        ("archive.url", publication.archive_url, now.archive_url),
    )
    outdated = [
        name for name, shown, set_now in values if shown != set_now and _is_sample(name, shown)
    ]
    if publication.imprint != now.imprint and sample_imprint_lines(publication.imprint):
        outdated.append("imprint.lines")
    for name in outdated:
        yield Finding(
            "error", "sample-settings", FILE_NAME, localized("sample-revision", name=name)
        )


def _missing(context: AppContext) -> Iterator[Finding]:
    settings = context.settings
    if not settings.sender.address:
        yield settings_finding(context, "error", "sender-missing", localized("sender-missing"))
    if not settings.publication.public_url and not context.unsubscribes_by_mail:
        yield settings_finding(
            context, "error", "public-url-missing", localized("public-url-missing")
        )
    if not any(line.strip() for line in settings.imprint.lines):
        # The same as of a rendered issue, which shows the imprint: one finding, not two.
        yield Finding("error", "imprint-missing", FILE_NAME, localized("imprint-missing"))


def privacy_findings(context: AppContext) -> Iterator[Finding]:
    """Yield a warning if the form for signing up has no page about privacy to link to."""
    if context.settings.publication.public_url and not context.settings.imprint.privacy_url:
        text = localized("privacy-url-missing")
        yield settings_finding(context, "warning", "privacy-url-missing", text)


def _samples(context: AppContext) -> Iterator[Finding]:
    shown = (*_ADDRESSES, *_URLS, _PRIVACY)
    names = [name for name in shown if _is_sample(name, _value(context, name))]
    if sample_imprint_lines(context.settings.imprint.lines):
        names.append("imprint.lines")
    for name in names:
        if context.configured_relay is None:
            text = localized("sample-settings-mailbox", name=name)
            yield settings_finding(context, "warning", "sample-settings", text, name)
        else:
            text = localized("sample-settings", name=name)
            yield settings_finding(context, "error", "sample-settings", text, name)


def _reserved_domains(context: AppContext) -> Iterator[Finding]:
    relay = context.configured_relay
    if relay is None or _is_loopback(relay.host):
        return
    for name in ("sender.address", *_URLS):
        value = _value(context, name)
        host = value.rpartition("@")[2] if name == "sender.address" else value.partition("://")[2]
        if host and is_sample_host(host) and not _is_sample(name, value):
            text = localized("reserved-domain", name=name)
            yield settings_finding(context, "error", "sample-settings", text, name)


def _is_sample(name: str, value: str) -> bool:
    return is_sample_url(value) if name in (*_URLS, _PRIVACY) else is_sample_address(value)


def _value(context: AppContext, name: str) -> str:
    table, key = name.split(".")
    return str(getattr(getattr(context.settings, table), key))


_PLACES = {
    "sender-missing": "sender.address",
    "public-url-missing": "publication.public_url",
    "privacy-url-missing": "imprint",
}


def settings_finding(
    context: AppContext,
    level: Literal["error", "warning"],
    code: str,
    text: LocalizedText,
    name: str = "",
) -> Finding:
    """Return a finding at the line of newsletter.toml with the setting `name`."""
    try:
        source = (context.settings.home / FILE_NAME).read_text(encoding="utf-8")
    except OSError:
        source = ""
    line = line_of(source, tuple((name or _PLACES[code]).split("."))) or 1
    return Finding(level, code, f"{FILE_NAME}:{line}", text)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def errors_of(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the findings that keep an issue from being sent."""
    return tuple(finding for finding in findings if finding.level == "error")

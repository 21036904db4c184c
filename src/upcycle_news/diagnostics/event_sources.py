"""Checks of a relay's provider: is it named, do its events arrive, and since when."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from upcycle_news.diagnostics.results import CheckResult, ok, problem, skipped, warning
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Relay

CHECK = "events"
QUIET = timedelta(days=30)
"""So long after its last event a source is asked about, when an issue was sent since."""

_HOSTS = {
    "postmarkapp.com": "postmark",
    "mailgun.org": "mailgun",
    "sendgrid.net": "sendgrid",
    "brevo.com": "brevo",
    "sendinblue.com": "brevo",
    "mailjet.com": "mailjet",
}

# Not all of amazonaws.com: a server of one's own may well stand there.
_SES_HOST = re.compile(r"email-smtp(?:-fips)?\.[a-z0-9-]+\.amazonaws\.com")


@dataclass(frozen=True)
class SourceFacts:
    """A source of events: its name and provider, the settings it lacks, and when events came.

    `first_seen` and `last_seen` are None as long as none did. `matched` is the number of failures, complaints
    and departures about mails of ours, `unsigned` that of those without a delivery key of ours.
    """

    name: str
    provider: str
    missing: tuple[str, ...] = ()
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    matched: int = 0
    unsigned: int = 0


def provider_of_host(host: str) -> str:
    """Return the provider whose SMTP server this is, by its documented name; empty when none is known."""
    name = host.lower().rstrip(".")
    if _SES_HOST.fullmatch(name):
        return "ses"
    return next((key for domain, key in _HOSTS.items() if f".{name}".endswith(f".{domain}")), "")


def page(provider: str) -> str:
    """Return where the documentation says how a provider is set up."""
    return f"docs/providers/{provider}.md"


def evaluate(
    relay: Relay, sources: Sequence[SourceFacts], *, mailed_at: datetime | None, now: datetime
) -> list[CheckResult]:
    """Evaluate one relay; `mailed_at` is when the newest issue was queued, None when none was.

    A relay without a provider has no result, unless its host is known as a provider's.
    """
    if not relay.provider:
        return _unnamed(relay)
    from upcycle_news.bounces.providers import PROVIDERS  # late: it loads what checks signatures

    own = [source for source in sources if source.provider == relay.provider]
    title = PROVIDERS[relay.provider].title
    if not own:
        return [
            warning(
                CHECK,
                localized("events-none", name=relay.name, provider=title),
                impact=localized("events-none-means"),
                fix=localized("events-none-cure", page=page(relay.provider)),
                about=relay.name,
            )
        ]
    return [_source(source, title, mailed_at, now) for source in own]


def _unnamed(relay: Relay) -> list[CheckResult]:
    known = provider_of_host(relay.host)
    if not known:
        return []
    from upcycle_news.bounces.providers import PROVIDERS

    return [
        warning(
            CHECK,
            localized("provider-not-named", name=relay.name, provider=PROVIDERS[known].title),
            impact=localized("provider-not-named-means"),
            fix=localized("provider-not-named-cure", name=relay.name, key=known, page=page(known)),
            about=relay.name,
        )
    ]


def _source(
    source: SourceFacts, title: str, mailed_at: datetime | None, now: datetime
) -> CheckResult:
    where = page(source.provider)
    if source.missing:
        return problem(
            CHECK,
            localized("events-no-secret", source=source.name, missing=", ".join(source.missing)),
            impact=localized("events-none-means"),
            fix=localized("events-no-secret-cure", page=where),
            about=source.name,
        )
    if source.first_seen is None or source.last_seen is None:
        if mailed_at is None:
            return skipped(
                CHECK,
                localized("events-waiting", provider=title, source=source.name),
                about=source.name,
            )
        return warning(
            CHECK,
            localized("events-never", provider=title, source=source.name),
            impact=localized("events-none-means"),
            fix=localized("events-never-cure", source=source.name, page=where),
            about=source.name,
        )
    if source.unsigned and not source.matched:
        return warning(
            CHECK,
            localized("events-unsigned", provider=title, source=source.name, count=source.unsigned),
            impact=localized("events-unsigned-mean"),
            fix=localized("events-unsigned-cure", page=where),
            about=source.name,
        )
    if mailed_at is not None and source.last_seen < mailed_at and now - source.last_seen > QUIET:
        return warning(
            CHECK,
            localized("events-late", provider=title, source=source.name, last=source.last_seen),
            impact=localized("events-late-means"),
            fix=localized("events-never-cure", source=source.name, page=where),
            about=source.name,
        )
    return ok(
        CHECK,
        localized(
            "events-seen",
            provider=title,
            source=source.name,
            first=source.first_seen,
            last=source.last_seen,
        ),
        about=source.name,
    )

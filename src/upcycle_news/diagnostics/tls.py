"""The expiry of TLS certificates, for the relay's and the unsubscribe endpoint's."""

from __future__ import annotations

from datetime import datetime, timedelta

from upcycle_news.diagnostics.results import CheckResult, problem, warning
from upcycle_news.i18n.messages import LocalizedText, localized

# Certificates that renew themselves do so a month before their end, or a third of their life.
_SOON = timedelta(days=14)
_VERY_SOON = timedelta(days=3)


def valid_until(der: bytes) -> datetime:
    """Return the time at which a certificate in DER form expires."""
    from cryptography.x509 import load_der_x509_certificate

    return load_der_x509_certificate(der).not_valid_after_utc


def expiring(
    check: str,
    owner: LocalizedText | str,
    until: datetime,
    now: datetime,
    *,
    about: str,
    renews: LocalizedText | str,
) -> list[CheckResult]:
    """Return a result if the certificate of `owner` expires within 14 days; `renews`: who renews it."""
    remaining = until - now
    if remaining > _SOON:
        return []
    make = problem if remaining <= _VERY_SOON else warning
    day = (
        localized("doctor-today")
        if remaining < timedelta(days=1)
        else localized("doctor-in-days", days=localized("count-days", count=remaining.days))
    )
    return [
        make(
            check,
            localized("doctor-certificate-ends", owner=owner, day=day, until=until),
            impact=localized("doctor-certificate-ends-means"),
            fix=localized("doctor-certificate-ends-cure", renews=renews),
            about=about,
        )
    ]

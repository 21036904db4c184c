"""How long a certificate is still good: shared by the relay's and the web door's."""

from __future__ import annotations

from datetime import datetime, timedelta

from upcycle_news.diagnostics.results import Line, problem, warning
from upcycle_news.i18n.messages import counted

# Certificates that renew themselves do so a month before their end, or a third of their life.
_SOON = timedelta(days=14)
_VERY_SOON = timedelta(days=3)


def valid_until(der: bytes) -> datetime:
    """The end of a certificate."""
    from cryptography.x509 import load_der_x509_certificate

    return load_der_x509_certificate(der).not_valid_after_utc


def ending(
    check: str, whose: str, until: datetime, now: datetime, *, about: str, renews: str
) -> list[Line]:
    """A line when the certificate of `whose` ends soon; `renews` is who renews it."""
    left = until - now
    if left > _SOON:
        return []
    make = problem if left <= _VERY_SOON else warning
    day = "today" if left < timedelta(days=1) else f"in {counted(left.days, 'day')}"
    return [
        make(
            check,
            f"the certificate of {whose} ends {day}, on {until:%Y-%m-%d}",
            meaning="from then on nobody trusts it, and the connection fails",
            cure=f"{renews} renews it; look why that has not happened yet",
            about=about,
        )
    ]

"""The sending providers: one module each, and its line in `PROVIDERS`."""

from __future__ import annotations

from collections.abc import Mapping

from upcycle_news.bounces.providers.brevo import BREVO
from upcycle_news.bounces.providers.mailgun import MAILGUN
from upcycle_news.bounces.providers.mailjet import MAILJET
from upcycle_news.bounces.providers.postmark import POSTMARK
from upcycle_news.bounces.providers.provider import Provider
from upcycle_news.bounces.providers.sendgrid import SENDGRID
from upcycle_news.bounces.providers.ses import SES

PROVIDERS: Mapping[str, Provider] = {
    one.name: one for one in (SES, POSTMARK, MAILGUN, SENDGRID, BREVO, MAILJET)
}
"""The providers by their names in the settings."""

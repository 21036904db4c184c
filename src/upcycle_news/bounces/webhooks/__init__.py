"""Sources of bounces that call us: one module a provider, and its line in `WEBHOOKS`.

A provider posts to ``/bounces/NAME``; the secret is ``bounces.webhooks.NAME``. docs/extending.md has
the steps.
"""

from __future__ import annotations

from collections.abc import Mapping

from upcycle_news.bounces.webhooks.mail import read_mail
from upcycle_news.bounces.webhooks.request import Webhook

WEBHOOKS: Mapping[str, Webhook] = {
    "mail": read_mail,
}
"""The readers of requests by the name in the address."""

"""The sending providers: one module each, and its line in `PROVIDERS`."""

from __future__ import annotations

from collections.abc import Mapping

from upcycle_news.bounces.providers.postmark import POSTMARK
from upcycle_news.bounces.providers.provider import Provider
from upcycle_news.bounces.providers.ses import SES

PROVIDERS: Mapping[str, Provider] = {one.name: one for one in (SES, POSTMARK)}
"""The providers by their names in the settings."""

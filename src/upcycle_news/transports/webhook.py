"""Post a JSON object to an address: the second way of alerts, when the relay does not take mail."""

from __future__ import annotations

from collections.abc import Mapping

from upcycle_news.errors import UpcycleError

TIMEOUT = 10.0  # seconds for the whole request


class WebhookError(UpcycleError):
    """The address did not take what was posted. Never says which: it may hold a secret."""


def post_json(url: str, value: Mapping[str, str]) -> None:
    """Post `value`; raises `WebhookError` unless the answer is 2xx. Redirects are not followed."""
    import httpx  # late: few commands need it

    try:
        response = httpx.post(url, json=dict(value), timeout=TIMEOUT, follow_redirects=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise WebhookError(f"the webhook cannot be reached ({type(error).__name__})") from None
    if not response.is_success:
        raise WebhookError(f"the webhook answered {response.status_code}")

"""Fetch from Amazon SNS what verifying its messages needs: a certificate, and the end of a subscription.

Only `https://sns.REGION.amazonaws.com/…` is asked, nothing is followed, and what comes is bounded.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Callable

from upcycle_news.errors import ProviderUnavailable, WebhookRefused
from upcycle_news.i18n.messages import localized

TIMEOUT = 10.0  # seconds for each step
MAX_BYTES = 64 * 1024
_CERTIFICATES = 8
_ADDRESS = re.compile(r"https://sns\.[a-z0-9-]{1,40}\.amazonaws\.com/[A-Za-z0-9_.?&=%:~+-]{1,4000}")

Get = Callable[[str], tuple[int, bytes]]
"""Returns status and body of one GET, at most `MAX_BYTES` + 1 of it; raises `ProviderUnavailable`."""


def get(address: str) -> tuple[int, bytes]:
    """Return status and body of an address of SNS, without following redirects."""
    import httpx  # late: few processes need it

    logging.getLogger("httpx").setLevel(logging.WARNING)  # with INFO it logs each address
    body = b""
    try:
        with httpx.stream("GET", address, timeout=TIMEOUT, follow_redirects=False) as response:
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_BYTES:
                    break
            return response.status_code, body[: MAX_BYTES + 1]
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ProviderUnavailable(localized("sns-unreachable", why=type(error).__name__)) from None


class SnsClient:
    """Asks Amazon SNS; certificates are kept in memory, the newest few."""

    def __init__(self, get: Get = get) -> None:
        """`get` does the request."""
        self._get = get
        self._lock = threading.Lock()
        self._certificates: OrderedDict[str, bytes] = OrderedDict()

    def fetch(self, address: str) -> bytes:
        """Return what lies at an address of SNS; certificates (``.pem``) are fetched once.

        Raises `WebhookRefused` for any other address, without asking it, `ProviderUnavailable` unless the answer is 200.
        """
        if not _ADDRESS.fullmatch(address):
            raise WebhookRefused("this is no address of Amazon SNS")
        with self._lock:
            if address in self._certificates:
                self._certificates.move_to_end(address)
                return self._certificates[address]
        status, body = self._get(address)
        if status != 200 or len(body) > MAX_BYTES:
            raise ProviderUnavailable(localized("sns-answered", status=status))
        if address.endswith(".pem"):
            with self._lock:
                self._certificates[address] = body
                while len(self._certificates) > _CERTIFICATES:
                    self._certificates.popitem(last=False)
        return body

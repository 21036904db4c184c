"""Post an event to a program elsewhere: one request, no redirect, nothing read but the answer's head.

The address is an operator's, what its name resolves to is not: it is checked like that of a feed
(`transports.http_guard`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpcore

from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.text.private_hosts import PrivateAccess
from upcycle_news.transports.http_guard import (
    Deadline,
    GuardedBackend,
    PrivateAddressError,
    describe_error,
)

MAX_RETRY_AFTER = 86_400  # seconds


@dataclass(frozen=True)
class Answer:
    """What came of a post. `status` is 0 without an answer; `reason` says why it was not taken, if it was not.

    `retry_after` are the seconds that the receiver asked for, 0 for none.
    """

    status: int
    reason: LocalizedText | None = None
    retry_after: int = 0

    @property
    def taken(self) -> bool:
        """True for 2xx."""
        return 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        """True if the receiver wants no more of it (410, Standard Webhooks)."""
        return self.status == 410


def post_event(
    url: str, headers: Mapping[str, str], body: bytes, *, seconds: float, access: PrivateAccess
) -> Answer:
    """Post a JSON body within `seconds`, to a public address or one that `access` allows."""
    deadline = Deadline(seconds)
    parts = urlsplit(url)
    all_headers: list[tuple[bytes | str, bytes | str]] = [
        ("Host", parts.netloc.rpartition("@")[2]),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
        *headers.items(),
    ]
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), seconds)
    try:
        with (
            httpcore.ConnectionPool(
                network_backend=GuardedBackend(deadline, access), http1=True, http2=False
            ) as pool,
            pool.stream(
                "POST", url, headers=all_headers, content=body, extensions={"timeout": timeouts}
            ) as response,
        ):
            return _answer(response)
    except PrivateAddressError:
        return Answer(0, localized("webhook-private"))
    except Exception as error:  # whatever a server or a library does: an answer that is none
        return Answer(0, describe_error(error, seconds))


def _answer(response: httpcore.Response) -> Answer:
    if 200 <= response.status < 300:
        return Answer(response.status)
    if 300 <= response.status < 400:
        return Answer(response.status, localized("webhook-redirects", status=response.status))
    wanted = 0
    for name, value in response.headers:
        if name.lower() == b"retry-after" and re.fullmatch(rb"\d{1,9}", value.strip()):
            wanted = min(int(value), MAX_RETRY_AFTER)
    return Answer(response.status, localized("webhook-status", status=response.status), wanted)

"""Post an alert to a chat or a push service: the second way of alerts, when the relay takes no mail."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from email.header import Header

from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized

TIMEOUT = 10.0  # seconds for the whole request
_TEXT_LIMIT = 4000  # bytes: ntfy turns a longer text into an attachment

Request = tuple[dict[str, str], bytes]
"""The headers and the body of a POST."""


class WebhookError(UpcycleError):
    """The address did not take what was posted. Never says which: it may hold a secret."""


@dataclass(frozen=True)
class Post:
    """What is posted. `title` is a line, `message` the sentences, `at` an ISO time, `link` a web address or empty."""

    title: str
    publication: str
    event: str
    message: str
    at: str
    link: str = ""

    @property
    def text(self) -> str:
        """Title and message, for chats that show one text."""
        return f"{self.title}\n{self.message}"


def _json(post: Post) -> Request:
    return _json_body({"text": post.text, **asdict(post)})


def _text_only(post: Post) -> Request:
    """Slack's incoming webhooks and Matrix's (matrix-hookshot, generic) take ``{"text": …}``."""
    return _json_body({"text": post.text})


def _plain(post: Post) -> Request:
    """Ntfy takes the message as plain text; headers say the rest (docs.ntfy.sh, Publishing)."""
    headers = {
        "Content-Type": "text/plain; charset=utf-8",
        "Title": Header(
            post.title, "utf-8", maxlinelen=10_000
        ).encode(),  # RFC 2047, as ntfy reads it
        "Priority": "high",
        "Tags": "warning",
    }
    if post.link.isascii() and post.link:
        headers["Click"] = post.link
    body = post.message.encode()[:_TEXT_LIMIT].decode("utf-8", "ignore")
    return headers, body.encode()


def _json_body(value: Mapping[str, str]) -> Request:
    return {"Content-Type": "application/json"}, json.dumps(value, ensure_ascii=False).encode()


FORMATS: Mapping[str, Callable[[Post], Request]] = {
    "json": _json,
    "slack": _text_only,
    "matrix": _text_only,
    "ntfy": _plain,
}
"""How the services want it, by the value of ``cockpit.webhook_format``."""


def send_post(url: str, post: Post, form: str = "json") -> None:
    """Post in one of the `FORMATS`; raises `WebhookError` unless the answer is 2xx. Follows no redirect."""
    import httpx  # late: few commands need it

    logging.getLogger("httpx").setLevel(logging.WARNING)  # with INFO it logs each address
    headers, body = FORMATS[form](post)
    try:
        response = httpx.post(
            url, content=body, headers=headers, timeout=TIMEOUT, follow_redirects=False
        )
    except httpx.TimeoutException:
        raise WebhookError(localized("webhook-silent", seconds=TIMEOUT)) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        why = type(error).__name__
        raise WebhookError(localized("webhook-unreachable", why=why)) from None
    if not response.is_success:
        raise WebhookError(localized("webhook-refused", status=response.status_code))

"""Returned mails as a mail server hands them over: the body of the request is one mail, as it came.

For a server whose mailbox cannot be read by IMAP: ``pipe`` of Postfix or Exim, a Sieve script.
"""

from __future__ import annotations

from collections.abc import Iterator

from upcycle_news.bounces.parser import parse_bounce
from upcycle_news.bounces.webhooks.request import WebhookEvent, WebhookRequest


def read_mail(request: WebhookRequest) -> Iterator[WebhookEvent]:
    """Yield the report in a returned mail; needs ``Authorization: Bearer SECRET``."""
    request.require_bearer()
    yield WebhookEvent(parse_bounce(request.body), request.body)

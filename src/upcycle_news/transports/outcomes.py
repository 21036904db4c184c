"""What can become of one message on the wire, and of an attempt to reach the relay at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from upcycle_news.errors import RelayError
from upcycle_news.models import SmtpReply

Stage = Literal["mail", "rcpt", "data", "body"]
"""The step of the SMTP conversation (RFC 5321, section 3.3) that an answer belongs to."""


class RelayUnreachable(RelayError):  # noqa: N818 - a sentence reads better without "Error"
    """The relay does not answer now but may in a minute; a plain `RelayError` will not mend."""


@dataclass(frozen=True)
class Accepted:
    """The relay took the message over."""

    reply: SmtpReply


@dataclass(frozen=True)
class Refused:
    """The relay said 4xx or 5xx at `stage`."""

    stage: Stage
    reply: SmtpReply


@dataclass(frozen=True)
class LostBeforeBody:
    """The connection went before the first byte of the body: nobody got anything."""

    reason: str


@dataclass(frozen=True)
class LostInBody:
    """The connection went after the first byte of the body: nobody knows whether it arrived."""

    reason: str


@dataclass(frozen=True)
class UnsupportedAddress:
    """Mail to the address is beyond the relay, which was told nothing of it."""

    reason: str


Outcome = Accepted | Refused | LostBeforeBody | LostInBody | UnsupportedAddress

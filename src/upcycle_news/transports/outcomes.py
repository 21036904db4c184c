"""The possible outcomes of one send attempt, and of an attempt to connect to the relay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from upcycle_news.errors import RelayError
from upcycle_news.models import SmtpReply

Stage = Literal["mail", "rcpt", "data", "body"]
"""The step of the SMTP conversation (RFC 5321, section 3.3) that a reply belongs to."""


class RelayUnreachable(RelayError):  # noqa: N818 - a sentence reads better without "Error"
    """The relay cannot be reached now, but may be in a minute; a plain `RelayError` is permanent."""


@dataclass(frozen=True)
class Accepted:
    """The relay has accepted the message."""

    reply: SmtpReply


@dataclass(frozen=True)
class Refused:
    """The relay replied 4xx or 5xx at `stage`."""

    stage: Stage
    reply: SmtpReply


@dataclass(frozen=True)
class LostBeforeBody:
    """The connection was lost before the first byte of the body: nothing was delivered."""

    reason: str


@dataclass(frozen=True)
class LostInBody:
    """The connection was lost after the first byte of the body: the message may have arrived."""

    reason: str


@dataclass(frozen=True)
class UnsupportedAddress:
    """The relay cannot take mail to such an address; no command was sent."""

    reason: str


Outcome = Accepted | Refused | LostBeforeBody | LostInBody | UnsupportedAddress

"""What the delivery engine needs of others (protocols, limits), and the report that it returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from upcycle_news.i18n.messages import LocalizedText
from upcycle_news.mail.dot_stuffing import DotStuffedMessage
from upcycle_news.models import (
    ClaimResult,
    Envelope,
    LeasedDelivery,
    Verdict,
)
from upcycle_news.transports.outcomes import Outcome

Record = tuple[LeasedDelivery, Verdict]


class GuardStop(Protocol):
    """A wave of refusals has stopped the issue; `deliveries` were refused and are queued again."""

    @property
    def reason(self) -> str:
        """The sentence that says why, and what to do."""

    @property
    def deliveries(self) -> frozenset[int]:
        """The ids of these deliveries."""


class Ledger(Protocol):
    """The record of all deliveries; `storage.ledger.Ledger` implements it. Every method commits."""

    @property
    def guard_stop(self) -> GuardStop | None:
        """Why `commit` stopped the issue, or found it stopped; None while it goes on."""

    def lease(self, limit: int, now: datetime) -> Sequence[LeasedDelivery]:
        """Reserve up to `limit` deliveries, queued ones and deferred ones that are due.

        A lease leaves no trace: after a death the delivery is simply in the queue again. Empty
        when there is nothing to send now, or the issue is paused, stopped or cancelled.
        """

    def release_leases(self, claims: Sequence[LeasedDelivery]) -> None:
        """End leases that were not used; other workers may take them."""

    def commit(
        self, records: Sequence[Record], claims: Sequence[LeasedDelivery], now: datetime
    ) -> Sequence[ClaimResult]:
        """Record verdicts, and claim leased deliveries, which marks them as sending, in one commit.

        Returns the answer to each claim. Subscribers who are suppressed or have unsubscribed are
        left out here, at the moment of sending, and quotas are counted. A verdict may be recorded
        again for a delivery of this run, whatever state it is in by then: the last state counts,
        and a suppression is only ever added. A wave of refusals stops the issue: `guard_stop`.
        """

    def return_unsent(self, claim: LeasedDelivery, now: datetime) -> None:
        """Undo a granted claim: queued as before, since nothing was on the wire."""

    def next_due(self) -> datetime | None:
        """Return when the earliest deferred delivery is due; None when none is deferred."""

    def heartbeat(self, now: datetime) -> None:
        """Record that the worker is alive; called every half minute, while sending and waiting."""


class Transport(Protocol):
    """One connection to the relay; `transports.smtp_session.SmtpConnection` implements it."""

    @property
    def broken(self) -> bool:
        """True when the connection can carry no further message."""

    @property
    def in_body(self) -> bool:
        """True when a byte of the latest message's body may have been sent."""

    @property
    def errors(self) -> int:
        """The number of 4xx and 5xx replies since a message was accepted over this connection."""

    @property
    def writing(self) -> bool:
        """True while it waits to write more, not only for the relay's reply."""

    @property
    def deadline(self) -> float:
        """The time of `time.monotonic` at which the relay has been silent for too long."""

    def fileno(self) -> int:
        """Return the descriptor of the socket to select on."""

    def begin(self, envelope: Envelope, message: bytes | DotStuffedMessage) -> Outcome | None:
        """Start sending a message; return its outcome if it has one already.

        Neither this nor `advance` and `expire` ever raise for what the relay does, or wait for it.
        """

    def advance(self) -> Outcome | None:
        """Continue, since the socket is ready; return the outcome once there is one."""

    def expire(self) -> Outcome | None:
        """End the message, since the deadline has passed; return its outcome."""

    def close(self) -> None:
        """Send QUIT and close; never raises."""


@dataclass(frozen=True)
class WaitLimits:
    """The limits for the waits of a run, in seconds.

    `deferred`: in all for deferred deliveries; 0 leaves them to the next run. `quota`: for a quota
    or the send window, each time; longer waits are left to the next run. `relay`: for a relay that
    is away, from the first of the connections in a row that fail, break without a reply or end with
    421; at least `failures` (a count) are tried. `reconnect`: the pause after the second such
    failure; it doubles up to a minute. `lost_bodies`: a count, of connections in a row that break in
    the message itself, each of which leaves a delivery in doubt: the run ends however long it may
    wait. With `probing` the first message is such a risk already, since the last run ended so.
    """

    deferred: float = 0.0
    quota: float = 60.0
    relay: float = 0.0
    failures: int = 5
    reconnect: float = 1.0
    lost_bodies: int = 5
    probing: bool = False


@dataclass(frozen=True)
class SendLimits:
    """The limits within which a run may send.

    `connections` at the most at the same time; `messages_per_connection` before a new one is
    opened, 0 for any number; `next_opening` returns when the send window opens, None while it is open;
    `too_late` is when the issue is too old to be sent.
    """

    connections: int = 1
    messages_per_connection: int = 0
    next_opening: Callable[[datetime], datetime | None] = lambda _: None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class DeliveryReport:
    """The result of one run. `deferred` counts deliveries that are deferred at its end.

    `stopped` is a sentence when something stopped the issue, `away` one when the run ended because
    the relay went away, which ends by itself; `relay_gone` is True when no connection can be had, for
    either reason. `away_since` is set while the relay is away, also during the run. `next_due` is when
    a further run has something to send.
    """

    sent: int = 0
    deferred: int = 0
    rejected: int = 0
    unknown: int = 0
    stopped: str | None = None
    relay_gone: bool = False
    away: LocalizedText | None = None
    away_since: datetime | None = None
    next_due: datetime | None = None
